"""The policies of a synthesized configuration that decide on a request: of the role, the resource, and the endpoint."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iam.authorization import Document, Policies
from iam.synthesized import BOUNDARY, ENDPOINT, IDENTITY, RESOURCE, Block, Policy, arn_of, policies

REFERENCE = re.compile(r"\$\{(aws_\w+)\.([\w-]+)\.\w+\}")
# The attribute of a policy that names whose policy it is; a key has its policy itself.
OWNERS: Mapping[str, str] = {
    "aws_backup_vault_policy": "backup_vault_name",
    "aws_s3_bucket_policy": "bucket",
    "aws_secretsmanager_secret_policy": "secret_arn",
    "aws_sns_topic_policy": "arn",
    "aws_sqs_queue_policy": "queue_url",
}
# The endpoints of services whose name is not the prefix of their actions.
# https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
ENDPOINTS: Mapping[str, str] = {"cloudwatch": "monitoring", "ecr": "ecr.api"}


class UnknownNameError(LookupError):
    """The configuration has no such role or resource; the message lists the existing ones."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role: its ARN, its region's provider, the identity policies attached to it and its boundary."""

    arn: str
    provider: str
    identity: tuple[Document, ...]
    boundary: Document | None


class Deciding:
    """Finds the policies that decide, in one configuration."""

    def __init__(self, configuration: Block, *, account_id: str) -> None:
        self._resources: Block = configuration["resource"]
        self._configuration = configuration
        self._account_id = account_id
        self._policies: list[Policy] = list(policies(configuration, account_id=account_id))

    def role(self, name: str) -> Role:
        """The role of that name.

        Raises:
            UnknownNameError: there is none.
        """
        roles = self._resources["aws_iam_role"]
        found = [id_ for id_, block in roles.items() if block["name"] == name]
        if not found:
            near = difflib.get_close_matches(name, [block["name"] for block in roles.values()], n=3, cutoff=0.3)
            raise UnknownNameError(f"{name}: no role of that name; the nearest are {', '.join(near) or 'none'}")
        address = f"aws_iam_role.{found[0]}"
        block = roles[found[0]]
        return Role(
            arn=f"arn:aws:iam::{self._account_id}:role/{name}",
            provider=str(block["provider"]),
            identity=(*self._inline(address), *self._attached(address)),
            boundary=self._boundary(block),
        )

    def arn(self, resource: str) -> str:
        """The ARN of a resource that is given by its ARN, or by its address (``aws_sqs_queue.payments``).

        Raises:
            UnknownNameError: the configuration has no such address.
        """
        if resource == "*" or resource.startswith("arn:"):
            return resource
        type_, _, id_ = resource.partition(".")
        if id_ not in self._resources.get(type_, {}):
            raise UnknownNameError(f"{resource}: neither an ARN nor the address of a resource")
        return arn_of(self._configuration, f"${{{resource}.arn}}", account_id=self._account_id)

    def policies(self, role: Role, action: str, resource: str, *, in_network: bool) -> Policies:
        """All policies that apply to a role's action on a resource (an ARN).

        Args:
            role: the caller's.
            action: such as ``sqs:SendMessage``.
            resource: its ARN.
            in_network: the caller is in the VPC, and uses the service's endpoint where there is one.
        """
        return Policies(
            identity=role.identity,
            boundary=role.boundary,
            resource=self._of_resource(resource),
            must_name=":kms:" in resource and ":key/" in resource,
            endpoint=self._endpoint(role, action) if in_network else None,
        )

    def _inline(self, role: str) -> Iterator[Document]:
        for policy in self._policies:
            type_, _, id_ = policy.owner.partition(".")
            if policy.use != IDENTITY or type_ != "aws_iam_role_policy":
                continue
            if _address(self._resources[type_][id_]["role"]) == role:
                yield Document(name=policy.owner, document=policy.document)

    def _attached(self, role: str) -> Iterator[Document]:
        for attachment in self._resources.get("aws_iam_role_policy_attachment", {}).values():
            if _address(attachment["role"]) != role:
                continue
            arn = attachment["policy_arn"]
            yield self._own(_address(arn), IDENTITY) if arn.startswith("${") else _of_aws(arn)

    def _boundary(self, role: Block) -> Document | None:
        arn = role.get("permissions_boundary")
        return self._own(_address(arn), BOUNDARY) if arn else None

    def _own(self, address: str, use: str) -> Document:
        (found,) = [one for one in self._policies if one.owner == address and one.use == use]
        return Document(name=found.owner, document=found.document)

    def _of_resource(self, resource: str) -> Document | None:
        """The policy of a resource; objects of a bucket have the bucket's."""
        owner = resource.partition("/")[0] if ":s3:::" in resource else resource
        for policy in self._policies:
            if policy.use == RESOURCE and self._owner_of(policy) == owner:
                return Document(name=policy.owner, document=policy.document)
        return None

    def _owner_of(self, policy: Policy) -> str:
        type_, _, id_ = policy.owner.partition(".")
        if type_ not in OWNERS:
            return arn_of(self._configuration, f"${{{policy.owner}.arn}}", account_id=self._account_id)
        address = _address(self._resources[type_][id_][OWNERS[type_]])
        return arn_of(self._configuration, f"${{{address}.arn}}", account_id=self._account_id)

    def _endpoint(self, role: Role, action: str) -> Document | None:
        service = action.partition(":")[0]
        suffix = f".{ENDPOINTS.get(service, service)}"
        for policy in self._policies:
            type_, _, id_ = policy.owner.partition(".")
            if policy.use != ENDPOINT:
                continue
            block = self._resources[type_][id_]
            if block["service_name"].endswith(suffix) and block["provider"] == role.provider:
                return Document(name=policy.owner, document=policy.document)
        return None


def _address(reference: str) -> str:
    match = REFERENCE.fullmatch(reference)
    return f"{match[1]}.{match[2]}" if match else reference


def _of_aws(arn: str) -> Document:
    """A policy of AWS's own, from the copy that moto has of them."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    known: dict[str, Any] = json.loads(aws_managed_policies_data)
    (found,) = [one for one in known.values() if one["Arn"] == arn]
    return Document(name=arn, document=found["Document"])
