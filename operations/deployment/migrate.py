"""`make migrate`: schema migration of an environment's database, by its migration function.

The database cannot be reached from outside its VPC; the function runs in the VPC, with the code of the last deployment.
A deployment invokes it unless settings disable that (processing.migrate_on_deploy). It can be invoked at any time:
completed migrations are skipped.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from rich.console import Console

from operations.account import aws_errors_in_words, refuse_other_account
from operations.outcome import Failed, Refused
from operations.waking import wake
from settings.naming import PREPARE_DATABASE

if TYPE_CHECKING:
    from settings import Settings

# Longer than the function may take. Sent once: whoever gave up waiting would start a second one. Kept alive, as what
# stands between forgets a silent connection: a NAT gateway of AWS after 350 s, a runner of GitHub's after 4 minutes
# (https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html).
CONFIG = Config(read_timeout=930, retries={"total_max_attempts": 1}, tcp_keepalive=True)


def run(settings: Settings, console: Console) -> None:
    """Invoke the function, wait for its end, and print the schema's version.

    Raises:
        Refused: the environment processes no payments, is of another account, or is not deployed.
        Failed: the migration failed; the next invocation does the rest.
    """
    if settings.processing is None:
        raise Refused("processing: the settings do not have it, so there is no schema; a table [processing] is needed")
    name = settings.names.of(PREPARE_DATABASE)
    with aws_errors_in_words():
        session = boto3.Session(region_name=settings.primary.name)
        refuse_other_account(settings, session)
        client = session.client("lambda", config=CONFIG)
        console.print(f"{name} in {settings.primary.name} brings the schema up to date ...", markup=False)
        try:
            wake(client, name)
            asked = json.dumps({"operators": settings.database.operator_access})
            answer = client.invoke(FunctionName=name, Payload=asked)
        except client.exceptions.ResourceNotFoundException:
            raise Refused(f"there is no function {name} in {settings.primary.name}; deploy the environment") from None
        said = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        log = settings.names.log_group(PREPARE_DATABASE)
        raise Failed(f"{name}: {said.get('errorMessage') or said.get('errorType')}; its log is {log}")
    console.print(f"the schema is at step {said['version']}", markup=False)
