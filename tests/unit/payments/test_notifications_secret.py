"""The secret with the keys of the acquirer's notifications (Q7): in both regions, read by the service alone."""

from __future__ import annotations

import pytest

from payments.settings import ServiceSettings
from tests.synthesized import Synthesized, path_of
from tests.unit.payments.support import REGIONS, understood
from tests.unit.payments.test_processing import task

pytestmark = pytest.mark.requirement("Q7")


@pytest.mark.requirement("W0.5")
def test_first_key_is_in_no_plan(platform: Synthesized) -> None:
    made = platform.resource("aws_secretsmanager_secret", "primary/payments-notifications/secret")
    assert made["name"] == "payments/local/acquirer-notifications"
    version = platform.resource("aws_secretsmanager_secret_version", "primary/payments-notifications/version")
    assert platform.by_id(version["secret_id"]) == made
    assert "secret_string" not in version
    assert "ephemeral.aws_secretsmanager_random_password." in version["secret_string_wo"]


def test_service_gets_the_arn_of_its_regions_replica_and_may_read_it(
    platform: Synthesized, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = understood(ServiceSettings, task(platform, region, "payments"), monkeypatch)
    arn = f"arn:aws:secretsmanager:{REGIONS[region]}:123456789012:secret:payments/local/acquirer-notifications"
    assert service.acquirer_notification_secret_arn == arn
    policy = platform.resource("aws_iam_role_policy", f"{region}/services/payments-task/notifications-policy")
    statements = platform.statements(policy["policy"])
    assert statements["ReadTheNotificationKeys"]["actions"] == ["secretsmanager:GetSecretValue"]
    assert statements["ReadTheNotificationKeys"]["resources"] == [f"{arn}-??????"]
    (key,) = statements["DecryptTheNotificationKeys"]["resources"]
    assert path_of(platform.by_id(key)).endswith(f"{region}/keys/secrets")


def test_nobody_else_may_read_it(platform: Synthesized) -> None:
    readers = [
        path_of(block)
        for _, type_, block in platform.blocks
        if type_ == "aws_iam_policy_document" and "secret:payments/local/acquirer-notifications" in str(block)
    ]
    own = "services/payments-task/notifications-permissions"
    assert sorted(readers) == sorted(f"payment-platform/{region}/{own}" for region in REGIONS)
