"""Replicas of a secret that rotates (W3.3, W3.5): no password is changed that the other region would not get."""

from __future__ import annotations

from typing import Any

import pytest

from shared.secret_rotation import PENDING, steps
from shared.secret_rotation.steps import RotationFailed
from tests.rotation.support import STEPS, Database, Vault

pytestmark = [pytest.mark.requirement("W3.3"), pytest.mark.requirement("W3.5")]
DENIED = "Replication failed: Access to KMS is not allowed"


@pytest.fixture
def replication(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The status that DescribeSecret tells of the replica, which a test changes."""
    told = {"Region": "us-west-2", "Status": "InSync"}
    describe: Any = vault.client.describe_secret

    def described(**asked: Any) -> dict[str, Any]:
        return {**describe(**asked), "ReplicationStatus": [dict(told)]}

    monkeypatch.setattr(steps._client(), "describe_secret", described, raising=False)
    return told


@pytest.mark.parametrize("which", ["master", "application"])
def test_no_password_is_changed_while_the_replica_fails(
    vault: Vault,
    own_database: Database,
    replication: dict[str, str],
    request: pytest.FixtureRequest,
    which: str,
) -> None:
    arn: str = request.getfixturevalue(which)
    before = vault.value(arn)
    token = vault.begin(arn)
    vault.step(arn, token, "createSecret")
    replication |= {"Status": "Failed", "StatusMessage": DENIED}
    for step in STEPS[1:]:
        with pytest.raises(RotationFailed, match=f"the replica in us-west-2 has failed: {DENIED}"):
            vault.step(arn, token, step)
    assert vault.value(arn) == before
    assert own_database.opens(before)
    assert not own_database.opens(vault.value(arn, PENDING))

    replication["Status"] = "InSync"
    vault.rotate(arn, token)
    assert own_database.opens(vault.value(arn))


@pytest.mark.parametrize("status", ["InSync", "InProgress"])
def test_replication_in_progress_does_not_block_a_rotation(
    vault: Vault, own_database: Database, application: str, replication: dict[str, str], status: str
) -> None:
    replication["Status"] = status
    vault.rotate(application)
    assert own_database.opens(vault.value(application))


def test_replication_failure_at_the_end_is_reported(
    vault: Vault, own_database: Database, application: str, replication: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = vault.begin(application)
    for step in STEPS[:-1]:
        vault.step(application, token, step)
    client = steps._client()
    move = client.update_secret_version_stage

    def fail(**asked: Any) -> None:
        move(**asked)
        replication.update(Status="Failed", StatusMessage=DENIED)

    monkeypatch.setattr(client, "update_secret_version_stage", fail, raising=False)
    with pytest.raises(RotationFailed, match="the replica in us-west-2 has failed"):
        vault.step(application, token, "finishSecret")
    assert own_database.opens(vault.value(application))
