"""The PostgreSQL that tests run on is as strict as the one that they stand for."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest

from tests import postgresql as module
from tests.postgresql import Postgresql, PostgresqlNotFound, find_binaries


def test_takes_encrypted_connections_only(postgresql: Postgresql) -> None:
    assert postgresql.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True,)]

    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(**{**postgresql.connection("postgres", postgresql.password), "sslmode": "disable"})


def test_takes_nobody_without_the_password(postgresql: Postgresql) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgresql.connect(password="guessed")


def test_is_known_by_its_own_ca_only(postgresql: Postgresql) -> None:
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(**{**postgresql.connection("postgres", postgresql.password), "sslrootcert": "system"})


def test_where_there_is_none_it_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "initdb"
    old.write_text("#!/bin/sh\necho 'initdb (PostgreSQL) 9.6.24'\n", encoding="utf-8")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin")
    monkeypatch.setattr(module, "ELSEWHERE", ("/nowhere/*/bin",))

    with pytest.raises(PostgresqlNotFound, match="apt-get install postgresql"):
        find_binaries()


def test_the_newest_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "17beta1", "16"):
        command = tmp_path / version / "bin" / "initdb"
        command.parent.mkdir(parents=True)
        command.write_text(f"#!/bin/sh\necho 'initdb (PostgreSQL) {version}'\n", encoding="utf-8")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(module, "ELSEWHERE", (f"{tmp_path}/*/bin",))

    assert find_binaries() == tmp_path / "17beta1" / "bin"
