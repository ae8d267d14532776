"""The policies that apply to a request, from the state of moto."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from emulator.authorization.callers import Caller, Network
from iam.authorization import BOUNDARY, IDENTITY, Document, Grant, Policies
from iam.evaluation import Request

# The endpoint names of services whose signing name is different.
# https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
ENDPOINTS: Mapping[str, str] = {"ecr": "ecr.api", "cloudwatch": "monitoring"}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The VPC endpoint that a request passes."""

    id: str
    vpc_id: str
    document: Document


def endpoint_of(network: Network | None, service: str) -> Endpoint | None:
    """The endpoint of a service in the caller's VPC; None where the request passes none."""
    if network is None:
        return None
    wanted = endpoint_service(network, service)
    ec2: Any = ec2_backends[DEFAULT_ACCOUNT_ID][network.region]
    for one in ec2.vpc_end_points.values():
        if one.vpc_id == network.vpc_id and one.service_name == wanted and one.state == "available":
            return Endpoint(id=one.id, vpc_id=one.vpc_id, document=_document(one.id, one.policy_document))
    return None


def endpoint_service(network: Network, service: str) -> str:
    """The name of a service's endpoints in the caller's region, by its signing name."""
    return f"com.amazonaws.{network.region}.{ENDPOINTS.get(service, service)}"


def endpoint_documents(backend: Any) -> Iterator[tuple[str, Document]]:
    """The policy of each VPC endpoint of a region's backend (moto's), with the name of its service."""
    for one in list(backend.vpc_end_points.values()):
        if one.policy_document:
            yield str(one.service_name), _document(one.id, one.policy_document)


def role_documents(role: Any) -> Iterator[tuple[str, Document]]:
    """The identity policies of a role (one of moto's) and its boundary, each with its kind."""
    yield from ((IDENTITY, one) for one in _identity(role))
    if boundary := _boundary(role):
        yield BOUNDARY, boundary


def policies_for(caller: Caller, request: Request, endpoint: Endpoint | None) -> Policies:
    """All policies that apply to a caller's request."""
    role, resource = _role(caller.role), request.resource
    assumes = request.action == "sts:AssumeRole"
    return Policies(
        identity=_identity(role),
        boundary=_boundary(role),
        session=_document("the session's", caller.session_policy) if caller.session_policy else None,
        resource=trust_policy(resource) if assumes else resource_policy(resource),
        must_name=assumes or (resource.split(":")[2:3] == ["kms"] and ":key/" in resource),
        grants=_grants(resource),
        endpoint=endpoint.document if endpoint else None,
    )


def trust_policy(role_arn: str) -> Document | None:
    """The trust policy of a role; None where there is no such role."""
    role = _role(role_arn)
    return _document(f"trust policy of {role_arn}", role.assume_role_policy_document) if role else None


def resource_policy(resource: str) -> Document | None:
    """The resource policy of a resource; None where it has none."""
    service = resource.split(":")[2] if resource.startswith("arn:") else ""
    text = _TEXTS[service](resource) if service in _TEXTS else ""
    owner = resource.partition("/")[0] if service == "s3" else resource  # objects have their bucket's
    return _document(f"policy of {owner}", text) if text else None


def _document(name: str, text: str) -> Document:
    document = json.loads(text or "{}")
    return Document(name=name, document={"Statement": [], **document})


def _role(arn: str) -> Any:
    if not arn:
        return None
    return next((one for one in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values() if one.arn == arn), None)


def _identity(role: Any) -> tuple[Document, ...]:
    if role is None:
        return ()
    inline = (_document(f"{name} of {role.name}", text) for name, text in role.policies.items())
    attached = (_managed(one) for one in role.managed_policies.values())
    return (*inline, *attached)


def _managed(policy: Any) -> Document:
    (text,) = [one.document for one in policy.versions if one.version_id == policy.default_version_id]
    return _document(str(policy.arn), text)


def _boundary(role: Any) -> Document | None:
    if role is None or not role.permissions_boundary_arn:
        return None
    return _managed(iam_backends[DEFAULT_ACCOUNT_ID]["aws"].managed_policies[role.permissions_boundary_arn])


def _grants(resource: str) -> tuple[Grant, ...]:
    key = _key(resource) if ":key/" in resource else None
    return tuple(
        Grant(
            name=one.id,
            grantee=one.grantee_principal,
            actions=tuple(f"kms:{operation}" for operation in one.operations),
            context={
                f"kms:EncryptionContext:{name}": value
                for test in ("EncryptionContextSubset", "EncryptionContextEquals")
                for name, value in ((one.constraints or {}).get(test) or {}).items()
            },
        )
        for one in (key.grants.values() if key else ())
    )


def _key(arn: str) -> Any:
    return kms_backends[arn.split(":")[4]][arn.split(":")[3]].keys.get(arn.rpartition("/")[2])


def _of_key(arn: str) -> str:
    key = _key(arn)
    return str(key.policy) if key else ""


def _of_bucket(arn: str) -> str:
    buckets: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets
    bucket = buckets.get(arn.rpartition(":")[2].partition("/")[0])
    policy = bucket.policy if bucket else ""
    return policy.decode() if isinstance(policy, bytes) else str(policy or "")


def _of_queue(arn: str) -> str:
    _, _, _, region, account, name = arn.split(":")
    queue: Any = sqs_backends[account][region].queues.get(name)
    policy = getattr(queue, "policy", "") or ""
    return json.dumps(policy) if isinstance(policy, dict) else str(policy)


def _of_topic(arn: str) -> str:
    topic: Any = sns_backends[arn.split(":")[4]][arn.split(":")[3]].topics.get(arn)
    return str(topic.policy) if topic else ""


def _of_secret(arn: str) -> str:
    secret: Any = secretsmanager_backends[arn.split(":")[4]][arn.split(":")[3]].secrets.get(arn)
    return str(getattr(secret, "policy", "") or "")


def _of_function(arn: str) -> str:
    functions: Any = lambda_backends[arn.split(":")[4]][arn.split(":")[3]]
    name = arn.split(":")[6] if arn.count(":") > 5 else ""  # noqa: PLR2004 (the parts of a function's ARN)
    try:
        statements = functions.get_function(name).policy.statements if name else []
    except Exception:  # noqa: BLE001 (moto has several for a missing function)
        return ""
    return json.dumps({"Statement": statements}) if statements else ""


_TEXTS: Mapping[str, Callable[[str], str]] = {
    "kms": lambda arn: _of_key(arn) if ":key/" in arn else "",
    "lambda": _of_function,
    "s3": _of_bucket,
    "secretsmanager": _of_secret,
    "sns": _of_topic,
    "sqs": _of_queue,
}
