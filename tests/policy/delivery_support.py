"""Requests to AWS and names of the rehearsal that tests of delivery's permissions share."""

from __future__ import annotations

from iam.evaluation import Request
from settings import Settings

ACCOUNT = "123456789012"
ROLE_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/payments-delivery-role-boundary-local"
OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments-web-task-us-east-2-local"
DEPLOY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments-delivery-deploy-local"
STATE = "arn:aws:s3:::payments-terraform-state-123456789012-us-east-2"
AUDIT_BUCKET = "arn:aws:s3:::payments-audit-local-123456789012-us-east-2"
BACKUPS = "arn:aws:s3:::payments-backups-local-123456789012-us-east-2"


def asked(action: str, resource: str, **more: str) -> Request:
    """A request in a region of the environment, by a principal that has the environment's tags."""
    context = {
        "aws:RequestedRegion": "us-east-2",
        "aws:ResourceTag/platform": "payments",
        "aws:ResourceTag/environment_suffix": "local",
        "aws:RequestTag/platform": "payments",
        "aws:RequestTag/environment_suffix": "local",
        **{key.replace("__", "/").replace("_", ":", 1): value for key, value in more.items()},
    }
    return Request(action=action, resource=resource, principal="nobody", context=context)


def with_delivery(settings: Settings) -> Settings:
    """The settings of an environment, with the roles of delivery: what ships names no repository."""
    if settings.delivery.repository:
        return settings
    delivery = settings.delivery.model_copy(update={"repository": "example/payment-platform"})
    return settings.model_copy(update={"delivery": delivery})
