"""Both strategies on a real PostgreSQL with TLS: what a rotation leaves, and what it refuses (W3.3)."""

from __future__ import annotations

from tests.rotation.support import Database, Vault


def test_alternating(vault: Vault, own_database: Database, application: str) -> None:
    for username in (own_database.clone, own_database.user, own_database.clone):
        before = vault.value(application)
        vault.rotate(application)
        after = vault.value(application)
        assert after["username"] == username
        assert after["password"] != before["password"]
        assert own_database.opens(after)
        assert own_database.opens(before)


def test_single(vault: Vault, own_database: Database, master: str) -> None:
    before = vault.value(master)
    vault.rotate(master)
    after = vault.value(master)
    assert after["username"] == before["username"]
    assert own_database.opens(after)
    assert not own_database.opens(before)
