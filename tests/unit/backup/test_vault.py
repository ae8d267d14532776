"""Backup vaults (W3.4): keys, locks and deletion."""

from __future__ import annotations

import pytest

from iam.synthesized import policies
from settings import load
from settings.backups import VaultLock
from tests.backups import synthesize_backups
from tests.synthesized import Synthesized, path_of, region_of
from tests.unit.backup.support import VAULT_NAME, changed


@pytest.mark.requirement("W3.4")
@pytest.mark.requirement("W4.4")
def test_each_region_has_a_vault_under_its_own_key(backups: Synthesized) -> None:
    vaults = list(backups.resources("aws_backup_vault").values())
    assert {region_of(vault) for vault in vaults} == {"primary", "recovery"}
    for vault in vaults:
        assert path_of(backups.by_id(vault["kms_key_arn"])).endswith(f"{region_of(vault)}/keys/backups")
        assert vault["name"] == VAULT_NAME


@pytest.mark.requirement("W3.4")
def test_vaults_of_an_unprotected_environment_can_be_destroyed_with_their_recovery_points(backups: Synthesized) -> None:
    for vault in backups.resources("aws_backup_vault").values():
        assert vault["force_destroy"] is True
        assert vault["lifecycle"] == {"prevent_destroy": False}
    assert not backups.resources("aws_backup_vault_lock_configuration", none_is_right=True)
    assert not backups.resources("aws_backup_vault_policy", none_is_right=True)


@pytest.mark.requirement("W3.4")
def test_vaults_of_a_protected_environment_are_locked_and_refuse_deletion(protected: Synthesized) -> None:
    for vault in protected.resources("aws_backup_vault").values():
        assert vault["force_destroy"] is False
        assert vault["lifecycle"] == {"prevent_destroy": True}
    locks = protected.resources("aws_backup_vault_lock_configuration").values()
    assert {region_of(lock) for lock in locks} == {"primary", "recovery"}
    for lock in locks:
        assert (lock["min_retention_days"], lock["max_retention_days"]) == (7, 3720)
        assert "changeable_for_days" not in lock, "that would be a lock that nobody can take back"
    refusals = protected.resources("aws_backup_vault_policy").values()
    assert {region_of(refusal) for refusal in refusals} == {"primary", "recovery"}
    for refusal in refusals:
        (statement,) = protected.statements(refusal["policy"]).values()
        assert statement["effect"] == "Deny"
        assert statement["principals"] == [{"type": "*", "identifiers": ["*"]}]
        assert {"backup:DeleteRecoveryPoint", "backup:DeleteBackupVault"} <= set(statement["actions"])
        assert "condition" not in statement


@pytest.mark.requirement("W3.4")
def test_a_compliance_lock_has_its_days_of_grace() -> None:
    lock = load("local").backups.lock.model_copy(update={"mode": VaultLock.COMPLIANCE, "grace_days": 11})
    locks = synthesize_backups(changed(protected=True, lock=lock)).resources("aws_backup_vault_lock_configuration")
    assert [block["changeable_for_days"] for block in locks.values()] == [11, 11]


@pytest.mark.requirement("W3.2")
@pytest.mark.requirement("W3.4")
def test_every_policy_is_known(protected: Synthesized) -> None:
    owners = {policy.owner.split(".")[0] for policy in policies(protected.configuration, account_id="123456789012")}
    assert "aws_backup_vault_policy" in owners
