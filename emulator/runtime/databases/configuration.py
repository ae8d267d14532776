"""The configuration of a server: what Aurora sets by itself, and what the cluster's parameter groups say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SUPERUSER = "rdsadmin"
FIRST_MAJOR_WITH_TLS_FORCED = 17
"""https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html"""
MOST_CONNECTIONS = 100
"""An instance takes thousands by its class; a laptop has no memory for them."""
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
"""Parameters that are set here as a parameter group has them. Logs go nowhere, libraries (pgaudit) are not there."""
NEED_A_RESTART = ("listen_addresses", "max_connections", "port", "primary_conninfo")


def settings_of(
    parameters: Mapping[str, str], *, folder: Path, addresses: Sequence[str], port: int, source: Path | None
) -> dict[str, str]:
    """The settings of a server.

    Args:
        parameters: of its parameter groups.
        folder: takes its socket; has its certificate.
        addresses: where it answers.
        port: at all of them.
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
        # What a killed server has written is in the kernel's hands: a commit survives the process, not the machine.
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "on",
        # A statement that fails may quote a password.
        "log_min_error_statement": "panic",
        **following,
    }


def _number(text: str, default: int) -> int:
    """A formula of AWS's (LEAST({DBInstanceClassMemory/9531392},5000)) counts as the default."""
    return int(text) if text.isdigit() else default


def lines_of(settings: Mapping[str, str]) -> str:
    """A postgresql.conf."""
    quoted = {name: value.replace("'", "''") for name, value in settings.items()}
    return "".join(f"{name} = '{value}'\n" for name, value in quoted.items())


def access(parameters: Mapping[str, str], major: int) -> str:
    """A pg_hba.conf: passwords by SCRAM, by TLS alone where `rds.force_ssl` is on, and RDS's own user by no way at all.

    IAM tokens are not taken: PostgreSQL would ask PAM or LDAP about them, and the Node packages are built without both.
    """
    default = "1" if major >= FIRST_MAJOR_WITH_TLS_FORCED else "0"
    forced = parameters.get("rds.force_ssl", default) in {"1", "on", "true"}
    kind = "hostssl" if forced else "host"
    return (
        f"local all {SUPERUSER} trust\n"
        f"local replication {SUPERUSER} trust\n"
        f"host all {SUPERUSER} all reject\n"
        f"{kind} all all all scram-sha-256\n"
    )
