"""The configuration of a server: Aurora's own settings, and those of the cluster's parameter groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SUPERUSER = "rdsadmin"
FIRST_MAJOR_WITH_TLS_FORCED = 17
"""https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html"""
MOST_CONNECTIONS = 100
"""Connections. An instance class allows thousands, for which a laptop has no memory."""
TAKEN = (
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "max_connections",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "statement_timeout",
    "timezone",
    "track_io_timing",
)
"""Parameters that are taken over from a parameter group. There are no logs, and no libraries such as pgaudit."""
NEED_A_RESTART = ("listen_addresses", "max_connections", "port", "primary_conninfo")


def settings_of(
    parameters: Mapping[str, str], *, folder: Path, addresses: Sequence[str], port: int, source: Path | None
) -> dict[str, str]:
    """The settings of a server.

    Args:
        parameters: the parameters of its parameter groups.
        folder: the folder of its socket and its certificate.
        addresses: the addresses that it listens on.
        port: the port on all of them.
        source: the folder of the server that it follows.
    """
    taken = {name: value for name, value in parameters.items() if name in TAKEN}
    most = min(_number(taken.get("max_connections", ""), MOST_CONNECTIONS), MOST_CONNECTIONS)
    following = {"primary_conninfo": f"host={source} port={port} user={SUPERUSER}"} if source else {}
    return {
        "ssl_min_protocol_version": "TLSv1.2",
        **taken,
        "max_connections": str(most),
        "listen_addresses": ",".join(addresses),
        "port": str(port),
        "unix_socket_directories": str(folder),
        "unix_socket_permissions": "0700",
        "ssl": "on",
        "ssl_cert_file": str(folder / "server.pem"),
        "ssl_key_file": str(folder / "server.pem"),
        "password_encryption": "scram-sha-256",
        "shared_buffers": "32MB",
        "wal_level": "replica",
        "max_wal_senders": "8",
        "wal_keep_size": "64MB",
        "hot_standby": "on",
        # Writes of a killed server are in the kernel's cache: a commit survives the process, but not the machine.
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "on",
        # The log line of a failed statement may quote a password.
        "log_min_error_statement": "panic",
        **following,
    }


def _number(text: str, default: int) -> int:
    """The number; for a formula of AWS (LEAST({DBInstanceClassMemory/9531392},5000)) the default."""
    return int(text) if text.isdigit() else default


def lines_of(settings: Mapping[str, str]) -> str:
    """The settings as lines of postgresql.conf."""
    quoted = {name: value.replace("'", "''") for name, value in settings.items()}
    return "".join(f"{name} = '{value}'\n" for name, value in quoted.items())


def access(parameters: Mapping[str, str], major: int) -> str:
    """A pg_hba.conf: passwords by SCRAM, only by TLS where `rds.force_ssl` is on, and no access for RDS's own user."""
    kind = "hostssl" if forces_tls(parameters, major) else "host"
    return (
        f"local all {SUPERUSER} trust\n"
        f"local replication {SUPERUSER} trust\n"
        f"host all {SUPERUSER} all reject\n"
        f"{kind} all all all scram-sha-256\n"
    )


def access_behind_a_door(master: str) -> str:
    """A pg_hba.conf of a server whose door (:mod:`emulator.runtime.databases.doors`) checks TLS and tokens."""
    return (
        f"local all {SUPERUSER} trust\n"
        f"local replication {SUPERUSER} trust\n"
        f'local all "{master}" scram-sha-256\n'
        "local all +rds_iam trust\n"
        "local all all scram-sha-256\n"
    )


def forces_tls(parameters: Mapping[str, str], major: int) -> bool:
    """Whether `rds.force_ssl` is on."""
    default = "1" if major >= FIRST_MAJOR_WITH_TLS_FORCED else "0"
    return parameters.get("rds.force_ssl", default) in {"1", "on", "true"}
