"""The platform's IAM policies, statement by statement, as they will be on AWS.

A plan leaves out every policy that names the ARN of something not made yet, which is every policy of least privilege.
Here the documents come from the synthesized configuration, and each reference in them is replaced by an ARN of the
right form, so that linters see all of them, whole.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]
DOCUMENT = re.compile(r"\$\{data\.aws_iam_policy_document\.([\w-]+)\.json\}")
REFERENCE = re.compile(r"\$\{(?:data\.)?(aws_\w+)\.([\w-]+)\.(\w+)\}")

# How the ARN of a type is made: {attribute} is of the resource, {key_id} a made-up one,
# {load_balancer} the name of the one that a listener or rule belongs to.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
ARNS = {
    "aws_backup_vault": "arn:aws:backup:{region}:{account}:backup-vault:{name}",
    "aws_cloudfront_distribution": "arn:aws:cloudfront::{account}:distribution/EDFDVBD6EXAMPLE",
    "aws_cloudwatch_log_group": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "aws_ecr_repository": "arn:aws:ecr:{region}:{account}:repository/{name}",
    "aws_iam_openid_connect_provider": "arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com",
    "aws_iam_policy": "arn:aws:iam::{account}:policy/{name}",
    "aws_iam_role": "arn:aws:iam::{account}:role/{name}",
    "aws_kms_key": "arn:aws:kms:{region}:{account}:key/{key_id}",
    "aws_lb_listener": "arn:aws:elasticloadbalancing:{region}:{account}:listener/app/{load_balancer}/1/{key_id}",
    "aws_lb_listener_rule": "arn:aws:elasticloadbalancing:{region}:{account}:"
    "listener-rule/app/{load_balancer}/1/2/{key_id}",
    "aws_s3_bucket": "arn:aws:s3:::{bucket}",
    "aws_secretsmanager_secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-A1b2C3",
    "aws_sfn_state_machine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
    "aws_sns_topic": "arn:aws:sns:{region}:{account}:{name}",
    "aws_subnet": "arn:aws:ec2:{region}:{account}:subnet/subnet-0123456789abcdef0",
    "aws_sqs_queue": "arn:aws:sqs:{region}:{account}:{name}",
}

# Where a document is used, and what it is there. A key policy's "*" is the key; the others say what they mean.
# A boundary grants nothing: it says what other policies of a role cannot.
IDENTITY, RESOURCE, TRUST, ENDPOINT, BOUNDARY = "identity", "resource", "trust", "endpoint", "boundary"
USES = {
    ("aws_backup_vault_policy", "policy"): RESOURCE,
    ("aws_iam_policy", "policy"): IDENTITY,
    ("aws_iam_role_policy", "policy"): IDENTITY,
    ("aws_iam_role", "assume_role_policy"): TRUST,
    ("aws_kms_key", "policy"): RESOURCE,
    ("aws_s3_bucket_policy", "policy"): RESOURCE,
    ("aws_secretsmanager_secret_policy", "policy"): RESOURCE,
    ("aws_sns_topic_policy", "policy"): RESOURCE,
    ("aws_sqs_queue_policy", "policy"): RESOURCE,
    ("aws_vpc_endpoint", "policy"): ENDPOINT,
}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One policy document: the address of what it belongs to, what it is there, and the document itself."""

    owner: str
    use: str
    document: Block

    @property
    def statements(self) -> list[Block]:
        """The statements, in the form of IAM's JSON."""
        found: list[Block] = self.document["Statement"]
        return found


class UnknownReferenceError(Exception):
    """A document refers to a type of resource whose ARN has no form in this file yet."""


def policies(configuration: Block, *, account_id: str) -> Iterator[Policy]:
    """Every policy of a synthesized configuration.

    Raises:
        UnknownReferenceError: naming the type that ``ARNS`` lacks.
        LookupError: for a policy document that nothing uses, or that is used where ``USES`` does not know it.
    """
    documents = configuration.get("data", {}).get("aws_iam_policy_document", {})
    arns = _Arns(configuration, account_id)
    boundaries = set(_boundaries(configuration["resource"]))
    unused = set(documents)
    for owner, attribute, id_ in _uses(configuration["resource"]):
        type_ = owner.split(".")[0]
        if (type_, attribute) not in USES:
            raise LookupError(f"{type_}.{attribute} takes a policy document; say in USES what it is there")
        unused.discard(id_)
        statements = [_statement(statement, arns) for statement in documents[id_]["statement"]]
        document = {"Version": "2012-10-17", "Statement": statements}
        use = BOUNDARY if owner in boundaries else USES[type_, attribute]
        yield Policy(owner=owner, use=use, document=document)
    if unused:
        raise LookupError(f"policy documents that nothing uses: {', '.join(sorted(unused))}")


def arn_of(configuration: Block, reference: str, *, account_id: str) -> str:
    """What a reference to an ARN (``${aws_sqs_queue.q.arn}``) is in the policies.

    Raises:
        UnknownReferenceError: naming the type that ``ARNS`` lacks.
    """
    return _Arns(configuration, account_id).replace(reference)


def _uses(resources: Block) -> Iterator[tuple[str, str, str]]:
    """Address, attribute and document for each attribute that is a policy document."""
    for type_, blocks in resources.items():
        for id_, block in blocks.items():
            for attribute, value in block.items():
                if isinstance(value, str) and (match := DOCUMENT.fullmatch(value)):
                    yield f"{type_}.{id_}", attribute, match[1]


def _boundaries(resources: Block) -> Iterator[str]:
    """The addresses of the policies that are the boundary of a role."""
    for role in resources.get("aws_iam_role", {}).values():
        if match := REFERENCE.fullmatch(role.get("permissions_boundary", "")):
            yield f"{match[1]}.{match[2]}"


def as_identity_policy(policy: Policy) -> str:
    """The document as JSON in the form that linters of identity policies read.

    Nobody is named, and the "*" of a key policy is spelled out: what a linter can say of a resource's policy is whether
    its actions exist and go with the resource.
    """
    statements = []
    for statement in policy.statements:
        kept = {key: value for key, value in statement.items() if key != "Principal"}
        if policy.owner.startswith("aws_kms_key.") and kept["Resource"] == ["*"]:
            kept["Resource"] = ["arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
        statements.append(kept)
    return json.dumps(policy.document | {"Statement": statements})


def _statement(block: Block, arns: _Arns) -> Block:
    statement: Block = {
        "Sid": block["sid"],
        "Effect": block.get("effect", "Allow"),
        "Action": block["actions"],
    }
    if "resources" in block:
        statement["Resource"] = [arns.replace(resource) for resource in block["resources"]]
    if "not_resources" in block:
        statement["NotResource"] = [arns.replace(resource) for resource in block["not_resources"]]
    if "principals" in block:
        principals = {one["type"]: [arns.replace(name) for name in one["identifiers"]] for one in block["principals"]}
        statement["Principal"] = principals
    for condition in block.get("condition", []):
        values = [arns.replace(value) for value in condition["values"]]
        test = statement.setdefault("Condition", {}).setdefault(condition["test"], {})
        test[condition["variable"]] = values if len(values) > 1 else values[0]
    return statement


class _Arns:
    """Replaces references by what they will be: ARNs of the right form, made from the names in the configuration."""

    def __init__(self, configuration: Block, account_id: str) -> None:
        self._resources = configuration["resource"]
        self._regions = {
            f"aws.{provider['alias']}" if "alias" in provider else "aws": provider["region"]
            for provider in configuration["provider"]["aws"]
        }
        self._account_id = account_id

    def replace(self, text: str) -> str:
        return REFERENCE.sub(lambda match: self._arn(*match.groups()), text)

    def _arn(self, type_: str, id_: str, attribute: str) -> str:
        if attribute != "arn" or type_ not in ARNS:
            raise UnknownReferenceError(f"{type_}.{id_}.{attribute}: say in ARNS what it looks like")
        block = self._resources[type_][id_]
        place = {"region": self._regions[block["provider"]], "account": self._account_id}
        named = {"load_balancer": self._load_balancer(block), **block}
        return ARNS[type_].format(**place, key_id=uuid.uuid5(uuid.NAMESPACE_OID, id_), **named)

    def _load_balancer(self, block: Block) -> str:
        """The name of the load balancer of a listener, or of a rule of one; empty for anything else."""
        reference = block.get("load_balancer_arn") or block.get("listener_arn") or ""
        if not (match := REFERENCE.fullmatch(reference)):
            return ""
        owner = self._resources[match[1]][match[2]]
        return str(owner["name"]) if match[1] == "aws_lb" else self._load_balancer(owner)
