"""IAM: the name of the role that ECS is linked to, which moto writes in lower case."""

from __future__ import annotations

from moto.iam.models import SERVICE_NAME_CONVERSION

if "ecs" in SERVICE_NAME_CONVERSION:
    raise AttributeError("moto already names the role that ECS is linked to")
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
SERVICE_NAME_CONVERSION["ecs"] = "ECS"
