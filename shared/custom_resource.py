"""Responses of functions to CloudFormation: without one, it would wait for an hour.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

RESPONSE_TIMEOUT_SECONDS = 10


def respond(event: Mapping[str, Any], log_stream: str, *, id_: str, failed: str = "") -> None:
    """Send CloudFormation the result of an event.

    Args:
        event: of CloudFormation.
        log_stream: where the reason of a failure is found.
        id_: the physical id of a resource that has none yet. An id that changed would be a replacement.
        failed: what went wrong, without anything secret, as it is in the stack's events; empty for success.
    """
    body = {
        "Status": "FAILED" if failed else "SUCCESS",
        "Reason": f"{failed or 'done'}; see the log stream {log_stream}",
        "PhysicalResourceId": event.get("PhysicalResourceId") or id_,
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310  # a presigned URL of CloudFormation's, by HTTPS
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=RESPONSE_TIMEOUT_SECONDS):  # noqa: S310
        pass
