"""Makes, lists and changes merchants and their credentials (Q3): `make merchant` and its like call it.

It also shows and resolves differences from the acquirer's settlement files (Q6), for `make settlement`, and lists and
begins epochs of the database (Q4), for `make epochs` and a failover that loses data.

The database cannot be reached from outside its network, and no process that serves requests may make a credential. This
function has the administration's login, which may do nothing else, and runs once for each command. Its event holds
``arguments``, those of `python -m payments merchants`, or `settlement` or `epochs` and its own. The response holds
``lines``: what was made or found, a new key among it. A response goes to the caller of a synchronous invocation and to
nobody else: Lambda keeps it in no log. The function's own log has each command with its outcome, and no key.

Environment variables: those of payments.settings for the database (DATABASE_...), API_KEY_PEPPERS_SECRET_ARN,
API_KEY_MODE and AWS_REGION.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from payments import administration, epochs, logs
from payments.administration import Lines
from payments.merchants import Refused
from payments.settlement import command as settlement

logs.configure()


class AdministrationFailed(Exception):
    """The command could not be run. The message is the type of the error, whose own message may quote values."""


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Run a command.

    Returns:
        ``lines``, or ``refused``: why not, in a sentence for the caller.

    Raises:
        AdministrationFailed: it could not be run; nothing was made.
    """
    arguments = [str(one) for one in event.get("arguments", [])]
    command = " ".join(arguments)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            lines = json.loads(json.dumps(_perform(arguments), default=str))
    except (Refused, SystemExit) as refused:
        reason = str(refused) if isinstance(refused, Refused) else said.getvalue().strip().rpartition("error: ")[2]
        logs.info("merchants not administered", command=command, reason=reason)
        return {"refused": reason}
    except Exception as error:  # noqa: BLE001 - whatever it is, Lambda would show its message
        logs.error("merchants not administered", error, command=command)
        raise AdministrationFailed(type(error).__name__) from None
    made = [{name: value for name, value in line.items() if name != "key"} for line in lines]
    logs.info("merchants administered", command=command, found=len(made), made=made[:1])
    return {"lines": lines}


def _perform(arguments: list[str]) -> Lines:
    if arguments[:1] == ["settlement"]:
        return settlement.perform(arguments[1:])
    if arguments[:1] == ["epochs"]:
        return epochs.perform(arguments[1:])
    return administration.perform(arguments)
