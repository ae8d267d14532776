"""One PostgreSQL server: created, started, replicated, promoted, stopped."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator.runtime import postgresql
from emulator.runtime.authority import authority
from emulator.runtime.databases import configuration
from emulator.runtime.databases.configuration import NEED_A_RESTART, SUPERUSER
from emulator.runtime.databases.folder import FOLDER, remove
from emulator.runtime.postgresql import give_away, run

START_SECONDS = 60
DATABASE_OF_ALL = "postgres"
MADE_ANEW = ("pg_replslot", "pg_stat_tmp")
NOT_COPIED = ("postmaster.pid", "postmaster.opts", "standby.signal", "pgsql_tmp*", *MADE_ANEW)
ROLES = (
    "CREATE ROLE rds_superuser NOLOGIN",
    "CREATE ROLE rds_password NOLOGIN",
    "CREATE ROLE rds_replication NOLOGIN",
    "CREATE ROLE rds_iam NOLOGIN",
    "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION",
    "GRANT rds_password, rds_replication, rds_iam TO rds_superuser WITH ADMIN OPTION",
    'GRANT SET ON PARAMETER "pgaudit.log" TO rds_superuser',
)
"""https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Appendix.PostgreSQL.CommonDBATasks.pgaudit.exclude-user-db.html
"""

_log = logging.getLogger(__name__)


class ServerError(Exception):
    """A command of a server failed; the message is one line for the user."""


@dataclass
class Server:
    """A server in a folder of its own, which takes writes or follows another server."""

    folder: Path
    binaries: Path
    is_primary: bool
    port: int
    generation: int = 0
    """How often it was promoted: a server that follows an earlier generation has to be copied again."""
    follows: tuple[Path, int] | None = None
    settings: dict[str, str] = field(default_factory=dict)
    access: str = ""
    certified: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        try:
            os.kill(int((self.data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0]), 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return False
        return True

    @classmethod
    def made(cls, major: int, port: int) -> Server:
        """A new, empty server, not started yet.

        Raises:
            PostgresqlNotFound: no PostgreSQL is installed.
        """
        binaries = find_binaries(major)
        server = cls(folder=FOLDER.new(), binaries=binaries, is_primary=True, port=port)
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        run([binaries / "initdb", f"--pgdata={server.data}", f"--username={SUPERUSER}", "--wal-segsize=4", *options])
        return server

    @classmethod
    def copied(cls, source: Server, *, is_primary: bool) -> Server:
        """A copy of a running server, not started yet. With ``is_primary`` it does not follow the source."""
        server = cls(folder=FOLDER.new(), binaries=source.binaries, is_primary=is_primary, port=source.port)
        source.back_up(server.data)
        if not is_primary:
            server.follows = (source.folder, source.generation)
            (server.data / "standby.signal").touch()
        give_away(server.data, *server.data.rglob("*"))
        return server

    def back_up(self, folder: Path) -> None:
        """Make a base backup: a copy of all files while the server runs, and of the WAL written meanwhile.

        https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
        """
        with self.session() as session:
            session.execute("SELECT pg_backup_start('copy', true)")
            shutil.copytree(self.data, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), copy_function=_copy)
            (label,) = session.execute("SELECT labelfile FROM pg_backup_stop(false)").fetchone()
        shutil.copytree(self.data / "pg_wal", folder / "pg_wal", dirs_exist_ok=True, copy_function=_copy)
        (folder / "backup_label").write_text(label, encoding="utf-8")
        for name in MADE_ANEW:
            (folder / name).mkdir()
        folder.chmod(0o700)

    @contextmanager
    def session(self, database: str = DATABASE_OF_ALL) -> Iterator[Any]:
        """A connection of the superuser, by the socket, which other users may not use."""
        import psycopg

        host = str(self.folder)
        with psycopg.connect(host=host, port=self.port, user=SUPERUSER, dbname=database, autocommit=True) as connection:
            yield connection

    def configure(self, settings: dict[str, str], access: str, certified: tuple[str, ...]) -> None:
        """Write settings, access rules and the certificate's names; a running server reloads them at once."""
        if certified != self.certified:
            path = self.folder / "server.pem"
            path.write_bytes(authority().issue(certified))
            path.chmod(0o600)
            give_away(path)
        elif (settings, access) == (self.settings, self.access):
            return
        restart = any(settings.get(name) != self.settings.get(name) for name in NEED_A_RESTART)
        self.settings, self.access, self.certified = settings, access, certified
        for name, text in (("postgresql.conf", configuration.lines_of(settings)), ("pg_hba.conf", access)):
            (self.data / name).write_text(text, encoding="utf-8")
        if self.is_running and restart:
            self.stop()
            self.start()
        elif self.is_running:
            self._control("reload")

    def start(self) -> None:
        """Start it and wait until it accepts connections.

        Raises:
            ServerError: it did not start.
        """
        log = self.folder / "log"
        try:
            self._control("start", f"--log={log}", "--wait", f"--timeout={START_SECONDS}")
        except subprocess.CalledProcessError:
            said = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
            raise ServerError(" | ".join(said[-5:]) or "PostgreSQL did not start") from None

    def stop(self, *, at_once: bool = False) -> None:
        """Stop it: after its followers have received all WAL, or ``at_once`` as in a crash."""
        if self.is_running:
            self._control("stop", f"--mode={'immediate' if at_once else 'fast'}", "--wait")

    def promote(self) -> None:
        """Promote it: it takes writes from now on."""
        self._control("promote", "--wait")
        self.is_primary, self.follows = True, None
        self.generation += 1

    def remove(self) -> None:
        """Stop it and remove its data."""
        self.stop(at_once=True)
        remove(self.folder)

    def populate(self, *, master: str, password: str, database: str) -> None:
        """Create the initial contents of a cluster: RDS's roles, the master user and the database."""
        from psycopg import sql

        with self.session() as session:
            for statement in ROLES:
                session.execute(statement)
            if master:
                name = sql.Identifier(master)
                session.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(name))
                session.execute(sql.SQL("GRANT rds_superuser TO {}").format(name))
            if master and database:
                session.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), name))
        if master and password:
            self.set_password(master, password)

    def set_password(self, master: str, password: str) -> None:
        """Set the master user's password."""
        from psycopg import sql

        with self.session() as session:
            # The SCRAM verifier, so that the password is in no log.
            verifier = session.pgconn.encrypt_password(password.encode(), master.encode(), b"scram-sha-256").decode()
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(master), sql.Literal(verifier))
            session.execute(statement)

    def _control(self, *arguments: str) -> None:
        run([self.binaries / "pg_ctl", f"--pgdata={self.data}", "--silent", *arguments])


def _copy(source: str, destination: str) -> str:
    """Copy a file, if it still exists: changes of a file that is removed during the backup are in the WAL."""
    with suppress(FileNotFoundError):
        shutil.copy(source, destination)
    return destination


def find_binaries(major: int) -> Path:
    """The commands of this major version; those of another installed one where its Node package is missing.

    Raises:
        PostgresqlNotFound: no PostgreSQL is installed.
    """
    found = postgresql.packaged(major)
    if found is None:
        found = postgresql.installed()
        _log.warning("PostgreSQL %s is not in node_modules (`make setup`): %s stands for it", major, found)
    return found
