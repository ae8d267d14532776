"""What must exist before the payment API is deployed: each thing that is missing is a line, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations.outcome import Refused, console
from operations.payment_api import preflight
from operations.payment_api.deploy import Deployment
from payment_api.settings import Settings, load

pytestmark = pytest.mark.requirement("P6.6")

REGION = "ap-southeast-1"


class Limits:
    """Service Quotas and Lambda's limits, as a new account has them or one with room."""

    def __init__(self, value: int) -> None:
        self.value = value

    def get_service_quota(self, **_asked: str) -> dict[str, Any]:
        return {"Quota": {"Value": self.value}}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self.value}}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def account(settings: Settings, limit: int, *, exists: bool = False) -> preflight.Account:
    def connect(service: str, region: str) -> Any:
        if service in {"service-quotas", "lambda"}:
            return Limits(limit)
        make: Any = boto3.client
        return make(service, region_name=region)

    return preflight.Account(settings=settings, region=settings.region, connect=connect, exists=exists)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_settings_with_placeholders_are_refused_before_any_aws_call(
    environment: str,
) -> None:
    with pytest.raises(Refused) as refused:
        Deployment(environment, load(environment), console()).preflight()
    lines = str(refused.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == set(preflight.PLACEHOLDERS)


@pytest.mark.usefixtures("aws")
def test_empty_account_lacks_every_prerequisite() -> None:
    found = preflight.problems(account(load("staging").model_copy(update={"account_owner": None}), 10))
    for begins in (
        *("secrets.key_arn", "secrets.database", "secrets.api_key", "secrets.acquirer"),
        *("secrets.notifications", "secrets.peppers"),
        "domain.certificate_arn",
        *("gateway.trust_store_bucket", "domain.zone_id", "service.image", "network.nat_image_id", "account_owner"),
        *("network.s3_prefix_list_id", "network.dynamodb_prefix_list_id", "cdk bootstrap", "quota fargate"),
        "quota lambda",
    ):
        assert any(line.startswith(begins) for line in found), begins
    assert not [line for line in found if "\n" in line]


@pytest.mark.usefixtures("aws")
def test_existing_prerequisites_are_silent_and_own_resources_need_no_quota() -> None:
    make: Any = boto3.client
    key = make("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
    settings = load("staging")
    settings = settings.model_copy(update={"secrets": settings.secrets.model_copy(update={"key_arn": key})})
    manager = make("secretsmanager", region_name=REGION)
    values: dict[str, dict[str, str]] = {"database": {"username": "u"}, "api_key": {"api_key": "k"}, "acquirer": {}}
    values |= {"notifications": {}, "peppers": {"current": "first"}}
    for field, value in values.items():
        name = getattr(settings.secrets, field)
        manager.create_secret(Name=name, SecretString=json.dumps(value), KmsKeyId=key)
    found = [
        line for line in preflight.problems(account(settings, 10, exists=True)) if line.startswith(("secrets", "quota"))
    ]
    assert found == [
        f"secrets.database: {settings.secrets.database} has no password",
        f"secrets.acquirer: {settings.secrets.acquirer} has no api_key",
        f"secrets.notifications: {settings.secrets.notifications} has no notification_keys",
        f"secrets.peppers: {settings.secrets.peppers} has no peppers",
    ]
