"""The secret with the peppers of API keys (Q3): in both regions, and read by the payments service alone."""

from __future__ import annotations

import pytest

from payments.api_keys import KeyMode
from payments.settings import ServiceSettings
from settings import load
from tests.synthesized import Block, Synthesized, path_of
from tests.unit.payments.support import REGIONS, understood
from tests.unit.payments.test_processing import changed, task

pytestmark = pytest.mark.requirement("Q3")


def secret(platform: Synthesized) -> Block:
    return platform.resource("aws_secretsmanager_secret", "primary/payments-peppers/secret")


@pytest.mark.requirement("W0.5")
def test_peppers_are_made_in_no_plan_and_kept_in_both_regions(platform: Synthesized) -> None:
    made = secret(platform)
    assert made["name"] == "payments/local/api-key-peppers"
    (replica,) = made["replica"]
    assert replica["region"] == "us-west-2"
    version = platform.resource("aws_secretsmanager_secret_version", "primary/payments-peppers/version")
    assert platform.by_id(version["secret_id"]) == made
    assert "secret_string" not in version
    assert " = ephemeral.aws_secretsmanager_random_password." in version["secret_string_wo"]


def test_service_gets_the_arn_of_its_regions_replica_and_may_read_it(
    platform: Synthesized, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = understood(ServiceSettings, task(platform, region, "payments"), monkeypatch)
    arn = f"arn:aws:secretsmanager:{REGIONS[region]}:123456789012:secret:payments/local/api-key-peppers"
    assert service.api_key_peppers_secret_arn == arn
    policy = platform.resource("aws_iam_role_policy", f"{region}/services/payments-task/peppers-policy")
    statements = platform.statements(policy["policy"])
    assert statements["ReadThePeppers"]["actions"] == ["secretsmanager:GetSecretValue"]
    assert statements["ReadThePeppers"]["resources"] == [f"{arn}-??????"]
    (key,) = statements["DecryptThePeppers"]["resources"]
    assert path_of(platform.by_id(key)).endswith(f"{region}/keys/secrets")


def test_only_the_payments_service_and_the_administration_may_read_the_peppers(
    platform: Synthesized, region: str
) -> None:
    assert "API_KEY_PEPPERS_SECRET_ARN" not in task(platform, region, "web")
    readers = [
        path_of(block)
        for _, type_, block in platform.blocks
        if type_ == "aws_iam_policy_document" and "secret:payments/local/api-key-peppers" in str(block)
    ]
    own = ("services/payments-task/peppers-permissions", "merchant-administration/function/permissions")
    assert sorted(readers) == sorted(f"payment-platform/{region}/{path}" for region in REGIONS for path in own)


def test_production_alone_takes_live_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    live = changed(api_key_mode="live")
    for region in REGIONS:
        service = understood(ServiceSettings, task(live, region, "payments"), monkeypatch)
        assert service.api_key_mode is KeyMode.LIVE
    modes = {name: load(name).processing for name in ("local", "staging", "production")}
    assert {name: one and one.api_key_mode for name, one in modes.items()} == {
        "local": "test",
        "staging": "test",
        "production": "live",
    }
