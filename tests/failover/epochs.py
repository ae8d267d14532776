"""The function that administers merchants, as a failover calls it, with epochs in a secret in place of a database.

The real one is tested with a database behind it in tests/operations/test_merchants.py.
"""

from __future__ import annotations

import io
import json
import textwrap
import zipfile
from typing import Any

from settings.naming import ADMINISTER_MERCHANTS
from tests.emulator.roles import make_role
from tests.failover.support import RECOVERY, World

CODE = """
import json, os
import boto3

SECRET = {"SecretId": os.environ["EPOCHS"]}

def handler(event, _context):
    secrets = boto3.client("secretsmanager")
    state = json.loads(secrets.get_secret_value(**SECRET)["SecretString"])
    if state["broken"]:
        raise RuntimeError("OperationalError")
    subject, command, *cause = event["arguments"]
    assert subject == "epochs"
    if command == "begin" and cause[0] not in state["causes"]:
        state["causes"].append(cause[0])
        secrets.put_secret_value(**SECRET, SecretString=json.dumps(state))
    return {"lines": [{"cause": one, "since_writer_started": True} for one in state["causes"]]}
"""


def make_function(world: World) -> None:
    """Make it in the recovery region, with no epochs."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("handler.py", textwrap.dedent(CODE))
    world.client("secretsmanager", RECOVERY).create_secret(Name=_secret(world), SecretString=json.dumps(state()))
    world.client("lambda", RECOVERY).create_function(
        FunctionName=world.names.of(ADMINISTER_MERCHANTS),
        Role=make_role(lambda service: world.client(service, RECOVERY), "lambda.amazonaws.com", "administer-merchants"),
        Runtime="python3.13",
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
        Environment={"Variables": {"EPOCHS": _secret(world)}},
    )


def state(*, broken: bool = False, causes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the function has in place of a database; a ``broken`` one answers nothing."""
    return {"broken": broken, "causes": list(causes)}


def put(world: World, **changed: Any) -> None:
    """Change that."""
    new = json.dumps(state(**changed))
    world.client("secretsmanager", RECOVERY).put_secret_value(SecretId=_secret(world), SecretString=new)


def causes(world: World) -> list[str]:
    """The causes of the epochs that have begun."""
    value = world.client("secretsmanager", RECOVERY).get_secret_value(SecretId=_secret(world))["SecretString"]
    return list(json.loads(value)["causes"])


def _secret(world: World) -> str:
    return world.names.secret("epochs")
