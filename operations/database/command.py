"""The database command: starts a task that stands for the database, forwards a port to it, and runs psql on it.

What remains: CloudTrail has who started which task and which session, for which reason; PostgreSQL's log has the login
and, by pgAudit, each statement. Session Manager itself logs nothing of a forwarded port, which carries TLS between psql
and the server. https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-logging.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from rich.console import Console

from operations.account import aws_errors_in_words, refuse_other_account
from operations.database import session
from operations.database.place import PORT, Place, find
from operations.database.policy import policy
from operations.database.standing import Task
from operations.interruption import deferred
from operations.outcome import Refused
from operations.region import Region
from settings import Settings

CONFIG = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
SERVICES = ("ecs", "ec2", "rds", "ssm")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    role: str
    """The database's role."""
    region: Region
    minutes: int
    """After so many the task ends, and the session with it."""
    query: str | None
    reason: str


def run(request: Request, settings: Settings, console: Console) -> None:
    """Hold a session with the database until psql ends.

    Raises:
        Refused: settings do not let operators in, something is not installed or not deployed, or another account's
            credentials are found.
        Failed: AWS, the plugin or psql failed.
    """
    session.refuse_without_plugin()
    clients, place = _found(request, settings)
    if request.query is None and not console.is_terminal:
        raise Refused("--query: needed where there is no terminal for psql")
    with aws_errors_in_words():
        console.print(f"a task is started that stands for {place.host} ...", markup=False)
        task = Task.start(clients["ecs"], place, minutes=request.minutes)
        try:
            target = task.target()
            with session.forwarded(clients["ssm"], place, target, reason=request.reason) as port:
                token = clients["rds"].generate_db_auth_token(place.host, PORT, request.role, place.region)
                console.print(f"{request.role} reads {place.host}, for {request.minutes} minutes at most", markup=False)
                session.psql(session.variables(place, port=port, user=request.role, token=token), request.query)
        finally:
            with deferred():
                task.stop()


def show_policy(request: Request, settings: Settings, console: Console) -> None:
    """Print the IAM policy of an operator. Raises as ``run``."""
    _, place = _found(request, settings)
    console.out(json.dumps(policy(place, request.role), indent=2), highlight=False)


def _found(request: Request, settings: Settings) -> tuple[dict[str, Any], Place]:
    if not settings.database.operator_access:
        raise Refused(
            f"database.operator_access: false is not allowed for database; {settings.environment_suffix} lets "
            "operators in once its settings say true and have been deployed"
        )
    name = (settings.primary if request.region is Region.PRIMARY else settings.recovery).name
    with aws_errors_in_words():
        own = boto3.Session(region_name=name)
        refuse_other_account(settings, own, name)
        make: Any = own.client
        clients = {service: make(service, config=CONFIG) for service in SERVICES}
        return clients, find(settings, request.region, clients)
