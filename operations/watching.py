"""Common parts of commands that poll AWS for minutes and display progress."""

from __future__ import annotations

from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

PICTURES_PER_SECOND = 2  # on a terminal: the elapsed time advances between two polls
SECONDS_BETWEEN_LINES = 30.0  # elsewhere, while nothing has changed

RUNNING_DEPLOYMENT = ("Created", "Queued", "InProgress", "Baking", "Ready")
"""Statuses of a CodeDeploy deployment that has not ended:
https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeploymentInfo.html"""

SERVER_ERROR = 500  # the lowest HTTP status that is the server's fault


def clock(span: timedelta) -> str:
    """Minutes and seconds, such as 4:09."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    return f"{minutes}:{seconds:02}"


def is_transient(error: ClientError | BotoCoreError) -> bool:
    """Whether a retry may succeed: AWS was not reached, answered with an error of its own, or throttled the call."""
    if isinstance(error, BotoCoreError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= SERVER_ERROR or "Throttl" in error.response["Error"].get("Code", "")


def is_silence(error: BaseException | None) -> bool:
    """Whether AWS did not answer, or only with a server error, as where a region is lost.

    An answer that refuses (a missing permission, something that does not exist, throttling) is none: the region works.
    """
    if isinstance(error, ClientError):
        return bool(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= SERVER_ERROR)
    return isinstance(error, HTTPClientError)  # also of connections and timeouts
