"""Secrets of the payments software that both regions read."""

from __future__ import annotations

import pytest

from modules.payments.acquirer_secret import AcquirerSecret
from modules.payments.notifications_secret import NotificationsSecret
from modules.payments.pepper_secret import PepperSecret
from modules.payments.replicated_secret import ReplicatedSecret
from tests.synthesized import Synthesized

SECRETS = {
    "payments-acquirer": AcquirerSecret,
    "payments-notifications": NotificationsSecret,
    "payments-peppers": PepperSecret,
}


def test_every_replicated_secret_is_looked_at() -> None:
    assert set(ReplicatedSecret.__subclasses__()) == set(SECRETS.values())


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize("path", SECRETS)
def test_secret_and_replica_are_each_under_the_secrets_key_of_their_region(platform: Synthesized, path: str) -> None:
    secret = platform.resource("aws_secretsmanager_secret", f"primary/{path}/secret")
    (replica,) = secret["replica"]
    keys = {region: platform.resource("aws_kms_key", f"{region}/keys/secrets") for region in ("primary", "recovery")}
    assert platform.by_id(secret["kms_key_id"]) == keys["primary"]
    assert platform.by_id(replica["kms_key_id"]) == keys["recovery"]
    assert secret["recovery_window_in_days"] == 0  # of an environment that is not protected
    policy = platform.resource("aws_secretsmanager_secret_policy", f"primary/{path}/policy")
    assert platform.by_id(policy["secret_arn"]) == secret
    assert policy["block_public_policy"] is True
