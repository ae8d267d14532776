"""Secrets of the database (W3.3): first passwords, replicas, and who may read them."""

from __future__ import annotations

import pytest

from modules.database.secrets import USERNAMES
from tests.synthesized import Block, Synthesized, decoded, path_of
from tests.unit.database.support import cluster, with_database


def versions(platform: Synthesized) -> list[Block]:
    """The first values of the database's secrets, which are not the platform's only ones."""
    found = platform.resources("aws_secretsmanager_secret_version").values()
    return [one for one in found if "database-secrets" in path_of(one)]


@pytest.mark.requirement("W3.3")
@pytest.mark.requirement("W0.5")
def test_initial_passwords_are_ephemeral_values_in_write_only_arguments(platform: Synthesized) -> None:
    made = platform.configuration["ephemeral"]["aws_secretsmanager_random_password"].values()
    passwords = [one for one in made if "/database" in path_of(one)]
    assert len(passwords) == 1 + len(USERNAMES)
    assert {one["password_length"] for one in passwords} == {40}
    own = cluster(platform)
    assert own["master_password_wo"].startswith("${ephemeral.")
    assert "master_password" not in own
    assert "manage_master_user_password" not in own  # a global database cannot have it
    for version in versions(platform):
        assert "secret_string" not in version
        assert decoded(version["secret_string_wo"])["password"].startswith("${ephemeral.")


@pytest.mark.requirement("W3.3")
def test_secrets_have_the_fields_that_rotation_reads(platform: Synthesized) -> None:
    values = {path_of(version).split("/")[-1]: decoded(version["secret_string_wo"]) for version in versions(platform)}
    for value in values.values():
        assert value["engine"] == "postgres"
        assert value["host"].endswith(".endpoint}")
        assert (value["port"], value["dbname"], value["ssl"]) == (5432, "payments", True)
    master = values["master-version"]
    assert master["username"] == "administrator"
    assert master["password"] == cluster(platform)["master_password_wo"]
    assert "masterarn" not in master  # the single-user strategy
    for purpose, username in USERNAMES.items():
        login = values[f"{purpose}-version"]
        assert login["username"] == username
        assert path_of(platform.by_id(login["masterarn"])).endswith("database-secrets/master")
    assert len({value["password"] for value in values.values()}) == 1 + len(USERNAMES)


@pytest.mark.requirement("W3.3")
def test_a_raised_version_gives_cluster_and_secret_the_same_new_password() -> None:
    raised = with_database(master_password_version=2)
    numbers = {path_of(one).split("/")[-1]: one["secret_string_wo_version"] for one in versions(raised)}
    assert numbers == {"master-version": 2, **{f"{purpose}-version": 1 for purpose in USERNAMES}}
    assert cluster(raised)["master_password_wo_version"] == 2


@pytest.mark.requirement("W3.3")
def test_secrets_are_encrypted_replicated_and_closed_to_others(platform: Synthesized) -> None:
    secrets = [one for one in platform.resources("aws_secretsmanager_secret").values() if "/database/" in one["name"]]
    assert {one["name"] for one in secrets} == {f"payments/local/database/{one}" for one in ("master", *USERNAMES)}
    for secret in secrets:
        assert path_of(platform.by_id(secret["kms_key_id"])).endswith("primary/keys/secrets")
        (replica,) = secret["replica"]
        assert replica["region"] == "us-west-2"
        assert path_of(platform.by_id(replica["kms_key_id"])).endswith("recovery/keys/secrets")
    closed = [
        one
        for one in platform.resources("aws_secretsmanager_secret_policy").values()
        if "database-secrets" in path_of(one)
    ]
    assert len(closed) == len(secrets)
    for policy in closed:
        assert policy["block_public_policy"] is True
        statements = platform.statements(policy["policy"])
        assert set(statements) == {"NothingWithoutTls", "NobodyOfAnotherAccount"}
        assert {one["effect"] for one in statements.values()} == {"Deny"}
