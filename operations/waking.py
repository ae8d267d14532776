"""Functions that nobody invoked for weeks, woken before somebody depends on them.

Lambda reclaims the network interfaces of such a function, which is inactive then. The next invocation fails and makes
it pending; only once it is active again do invocations succeed.
https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

from __future__ import annotations

import contextlib
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from operations.outcome import Refused

INACTIVE, PENDING = "Inactive", "Pending"
# Network interfaces are there again within minutes.
SECONDS_BETWEEN_LOOKS, LOOKS = 5, 60


def wake(functions: Any, name: str, *, seconds_between_looks: int = SECONDS_BETWEEN_LOOKS) -> None:
    """Wait until a function can be invoked. One that does not exist is left to who invokes it.

    Args:
        functions: a client of Lambda in the function's region.
        name: the function's name or ARN.
        seconds_between_looks: how long to wait before looking again.

    Raises:
        Refused: it is still not active after five minutes.
    """
    try:
        state = functions.get_function_configuration(FunctionName=name)["State"]
    except functions.exceptions.ResourceNotFoundException:
        return
    if state not in (INACTIVE, PENDING):
        return
    if state == INACTIVE:
        with contextlib.suppress(ClientError):  # as documented: it wakes the function, and runs nothing
            functions.invoke(FunctionName=name, Payload=b"{}")
    waiting = {"Delay": seconds_between_looks, "MaxAttempts": LOOKS}
    try:
        functions.get_waiter("function_active").wait(FunctionName=name, WaiterConfig=waiting)
    except WaiterError as error:
        raise Refused(f"{name}: the function was idle for weeks and does not become active; try again later") from error
