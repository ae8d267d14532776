"""The secret with the acquirer's key (P3.2): made empty, for somebody to fill."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("P3.2", "Q2")


@pytest.mark.requirement("W0.5")
def test_acquirer_secret_is_created_without_a_value(platform: Synthesized) -> None:
    secret = platform.resource("aws_secretsmanager_secret", "primary/payments-acquirer/secret")
    assert secret["name"] == "payments/local/acquirer"
    (replica,) = secret["replica"]
    assert replica["region"] == "us-west-2"
    values = platform.resources("aws_secretsmanager_secret_version").values()
    assert not [one for one in values if platform.by_id(one["secret_id"]) == secret]
