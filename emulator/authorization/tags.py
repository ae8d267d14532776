"""The tags of a resource, for the condition keys ``aws:ResourceTag/KEY``."""

from __future__ import annotations

from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.resource_tagging import iter_taggable_backends
from moto.ec2.models import ec2_backends

GLOBAL_REGION = "us-east-1"
MODULES = {"elasticloadbalancing": "elbv2", "lambda": "awslambda", "states": "stepfunctions"}
"""The moto module of a service whose name in ARNs is different."""


def tags_of(arn: str) -> dict[str, str]:
    """The tags of a resource as condition keys; empty where it has none or does not exist."""
    if not arn.startswith("arn:"):
        return {}
    service, region = arn.split(":")[2], arn.split(":")[3] or GLOBAL_REGION
    tags = _of_ec2(arn, region) if service == "ec2" else _of_others(arn, region)
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


def _of_ec2(arn: str, region: str) -> dict[str, str]:
    ec2: Any = ec2_backends[DEFAULT_ACCOUNT_ID][region]
    return dict(ec2.tags.get(arn.rpartition("/")[2], {}))


def _of_others(arn: str, region: str) -> dict[str, str]:
    service = arn.split(":")[2]
    module = f"moto.{MODULES.get(service, service)}."
    for backend in iter_taggable_backends(DEFAULT_ACCOUNT_ID, region):
        for resource in backend.iter_tagged_resources() if type(backend).__module__.startswith(module) else ():
            if resource.arn == arn:
                return dict(resource.tags)
    return {}
