"""Resources of a request: the ARNs on which AWS authorizes it.

A name, an id or a URL in a request becomes the ARN of its resource; a request without one needs all of the type, as a
list does.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.codedeploy.models import codedeploy_backends
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from emulator.authorization.api import ApiRequest
from emulator.authorization.keys import resolve_key
from iam import reference
from iam.calls import resources_of

Resolver = Callable[[ApiRequest], Iterator[str]]


def authorized_resources(api: ApiRequest, action: str) -> list[str]:
    """The ARNs that AWS authorizes an action of a request on; "*" where the action has no resource types.

    Raises:
        UnknownActionError: AWS's reference has no such action.
    """
    if not reference.resource_patterns(action):
        return ["*"]
    service = action.partition(":")[0]
    resolve = RESOLVERS.get(service)
    found = list(resolve(api)) if resolve else []
    return (
        found
        or (_tagged(api, service) if "Tag" in api.operation else [])
        or resources_of(api, api.account)
        or reference.resources_of_all(action, region=api.region, account=api.account)
    )


def _named(api: ApiRequest, *names: str) -> Iterator[str]:
    """The values of parameters that identify something, single or in a list."""
    for name in names:
        value = api.resource.get(name) or _listed(api, name)
        yield from [value] if isinstance(value, str) else value


def _listed(api: ApiRequest, name: str) -> list[str]:
    of_name = re.compile(re.escape(name) + r"(\[\d+\])?")
    return [str(value) for path, value in api.parameters.items() if value and of_name.fullmatch(path)]


def _tagged(api: ApiRequest, service: str) -> list[str]:
    """The resource of an operation on tags: its ARN, whichever parameter the service has for it."""
    values = (one for value in api.resource.values() for one in ([value] if isinstance(value, str) else value))
    sent = (str(value) for value in api.parameters.values())
    return sorted({one for one in (*values, *sent) if one.startswith(f"arn:aws:{service}:")})


def _of_kind(kinds: Mapping[str, str], *, service: str) -> Resolver:
    """A resolver of parameters to ARNs, by a pattern for each parameter; an ARN stays unchanged."""

    def resolve(api: ApiRequest) -> Iterator[str]:
        for parameter, pattern in kinds.items():
            for name in _named(api, parameter):
                yield name if name.startswith("arn:") else _arn(api, service, pattern.format(name))

    return resolve


def _arn(api: ApiRequest, service: str, rest: str) -> str:
    return f"arn:aws:{service}:{api.region}:{api.account}:{rest}"


def _secrets(api: ApiRequest) -> Iterator[str]:
    """A secret's full ARN, with the characters that Secrets Manager adds to its name."""
    for name in _named(api, "SecretId", "Name"):
        secret: Any = secretsmanager_backends[api.account][api.region].secrets.get(name)
        if secret is not None:
            yield secret.arn
        else:
            yield name if name.startswith("arn:") else _arn(api, "secretsmanager", f"secret:{name}")


def _keys(api: ApiRequest) -> Iterator[str]:
    """A key's ARN, however the request names it. To create or move an alias, alias and key are both authorized."""
    for name in _named(api, "KeyId", "TargetKeyId"):
        yield resolve_key(api.account, api.region, name)
    if api.operation.endswith("Alias"):
        yield from (_arn(api, "kms", name) for name in _named(api, "AliasName"))


def _queues(api: ApiRequest) -> Iterator[str]:
    for url in _named(api, "QueueUrl", "QueueName"):
        yield _arn(api, "sqs", url.rpartition("/")[2])


def _logs(api: ApiRequest) -> Iterator[str]:
    """A log stream of a group, as authorized by CloudWatch Logs; without a name where an operation names none."""
    for name in _named(api, "logGroupName"):
        stream = next(_named(api, "logStreamName"), "")
        yield _arn(api, "logs", f"log-group:{name}:log-stream:{stream}")
    if "Delivery" in api.operation:
        yield from _deliveries(api)


def _deliveries(api: ApiRequest) -> Iterator[str]:
    """A delivery, its source and its destination: creating one is authorized on all three."""
    if api.operation == "CreateDelivery":
        yield _arn(api, "logs", "delivery:*")
        yield from (_arn(api, "logs", f"delivery-source:{one}") for one in _named(api, "deliverySourceName"))
        yield from _named(api, "deliveryDestinationArn")
        return
    kind = next((kind for word, kind in DELIVERIES.items() if word in api.operation), "delivery")
    for name in _named(api, "name", "id", "deliveryDestinationName"):
        yield _arn(api, "logs", f"{kind}:{name}")


DELIVERIES = {"DeliverySource": "delivery-source", "DeliveryDestination": "delivery-destination"}


def _rds(api: ApiRequest) -> Iterator[str]:
    """The snapshot of a cluster, or the source of an export."""
    yield from (_arn(api, "rds", f"cluster-snapshot:{one}") for one in _named(api, "DBClusterSnapshotIdentifier"))
    yield from _named(api, "SourceArn")


def _ecs(api: ApiRequest) -> Iterator[str]:
    """A service with its cluster; otherwise the cluster, the revision's family or the revision itself."""
    cluster = next((name.rpartition("/")[2] for name in _named(api, "cluster")), "default")
    services = [name.rpartition("/")[2] for name in _named(api, "service", "services", "serviceName")]
    if services:
        yield from (_arn(api, "ecs", f"service/{cluster}/{name}") for name in services)
    elif api.operation == "RegisterTaskDefinition":
        yield from (_arn(api, "ecs", f"task-definition/{name}:*") for name in _named(api, "family"))
    else:
        for name in _named(api, "clusters", "clusterName", "cluster"):
            yield _arn(api, "ecs", f"cluster/{name.rpartition('/')[2]}")


def _load_balancing(api: ApiRequest) -> Iterator[str]:
    """Resources of load balancing; one that is created has no id yet."""
    if api.operation == "CreateTargetGroup":
        yield from (_arn(api, "elasticloadbalancing", f"targetgroup/{name}/*") for name in _named(api, "Name"))
    if api.operation == "CreateLoadBalancer":
        yield from (_arn(api, "elasticloadbalancing", f"loadbalancer/app/{name}/*") for name in _named(api, "Name"))


def _codedeploy(api: ApiRequest) -> Iterator[str]:
    for id_ in _named(api, "deploymentId"):
        deployment: Any = codedeploy_backends[api.account][api.region].deployments.get(id_)
        if deployment is not None:
            names = f"{deployment.application_name}/{deployment.deployment_group_name}"
            yield _arn(api, "codedeploy", f"deploymentgroup:{names}")


def _roles(api: ApiRequest) -> Iterator[str]:
    """A role's ARN, with its path."""
    for name in _named(api, "RoleName"):
        role = role_named(api.account, name)
        yield role.arn if role else f"arn:aws:iam::{api.account}:role/{name}"
    if api.operation == "CreatePolicy":
        yield from (f"arn:aws:iam::{api.account}:policy/{name}" for name in _named(api, "PolicyName"))


def role_named(account: str, name: str) -> Any:
    """The role (moto's) with a name; None where there is none."""
    return next((one for one in iam_backends[account]["aws"].roles.values() if one.name == name), None)


def _firewalls(api: ApiRequest) -> Iterator[str]:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awswafv2.html."""
    yield from _named(api, "LoggingConfiguration.ResourceArn")
    kind = next((path for word, path in WAF_KINDS.items() if word in api.operation), "")
    for name in _named(api, "Name") if kind else ():
        scope = "global" if api.parameters.get("Scope") == "CLOUDFRONT" else "regional"
        yield _arn(api, "wafv2", f"{scope}/{kind}/{name}/{next(_named(api, 'Id'), '*')}")


WAF_KINDS = {"RuleGroup": "rulegroup", "WebACL": "webacl", "IPSet": "ipset"}


def _cloudfront(api: ApiRequest) -> Iterator[str]:
    if api.operation.endswith("Function"):
        yield from (f"arn:aws:cloudfront::{api.account}:function/{name}" for name in _named(api, "Name"))
    elif api.operation == "CreateDistributionWithTags":
        yield f"arn:aws:cloudfront::{api.account}:distribution/*"
    else:
        kind = next((path for word, path in CLOUDFRONT_KINDS.items() if word in api.operation), "")
        yield from (f"arn:aws:cloudfront::{api.account}:{kind}/{id_}" for id_ in _named(api, "Id") if kind)


CLOUDFRONT_KINDS = {
    "Distribution": "distribution",
    "CachePolicy": "cache-policy",
    "OriginAccessControl": "origin-access-control",
    "OriginRequestPolicy": "origin-request-policy",
    "ResponseHeadersPolicy": "response-headers-policy",
}


EC2_KINDS: Mapping[str, str] = {
    "acl": "network-acl",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "pl": "prefix-list",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "subnet": "subnet",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
"""The resource type in EC2's ARNs, by the prefix of an id."""


def _ec2(api: ApiRequest) -> Iterator[str]:
    for value in api.resource.values():
        for id_ in [value] if isinstance(value, str) else value:
            prefix, separator, _ = id_.partition("-")
            if separator and prefix in EC2_KINDS:
                yield _arn(api, "ec2", f"{EC2_KINDS[prefix]}/{id_}")


def _parameters(api: ApiRequest) -> Iterator[str]:
    """A parameter of SSM, whose name may begin with a slash."""
    yield from (_arn(api, "ssm", f"parameter/{name.removeprefix('/')}") for name in _named(api, "Name", "Names"))


def _gateway(api: ApiRequest) -> Iterator[str]:
    """API Gateway's own resources are the paths of its API.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
    """
    yield f"arn:aws:apigateway:{api.region}::{api.path}"


RESOLVERS: Mapping[str, Resolver] = {
    "apigateway": _gateway,
    "backup": _of_kind({"RestoreTestingPlan.RestoreTestingPlanName": "restore-testing-plan:{}-*"}, service="backup"),
    "cloudformation": _of_kind({"StackName": "stack/{}/*"}, service="cloudformation"),
    "cloudfront": _cloudfront,
    "cloudtrail": _of_kind({"Name": "trail/{}", "TrailName": "trail/{}"}, service="cloudtrail"),
    "codedeploy": _codedeploy,
    "ec2": _ec2,
    "ecs": _ecs,
    "elasticloadbalancing": _load_balancing,
    "events": _of_kind({"Rule": "rule/{}"}, service="events"),
    "iam": _roles,
    "kms": _keys,
    "logs": _logs,
    "rds": _rds,
    "secretsmanager": _secrets,
    "sqs": _queues,
    "ssm": _parameters,
    "states": _of_kind({"name": "stateMachine:{}"}, service="states"),
    "sts": lambda api: _named(api, "RoleArn"),
    "wafv2": _firewalls,
}
