"""Patience with what AWS has created a moment ago: KMS and S3 refuse calls on it for some seconds.

KMS is eventually consistent, and S3 aborts an operation that conflicts with one under way on the same bucket. No retry
of botocore repeats either.
https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from typing import Any

# By botocore's event of an operation: the error that is a matter of time. Elsewhere a missing key is one.
AWAITED = {
    "kms.CreateAlias": "NotFoundException",
    "kms.EnableKeyRotation": "NotFoundException",
    "kms.GetKeyRotationStatus": "NotFoundException",
    "kms.ScheduleKeyDeletion": "NotFoundException",
    "s3": "OperationAborted",
}
MOST_ATTEMPTS = 15
SECONDS_BETWEEN_ATTEMPTS = 2.0


def be_patient(client: Any) -> None:
    """Have a client repeat such calls, for half a minute at most."""
    service = client.meta.service_model.service_name
    for event, code in AWAITED.items():
        if event.partition(".")[0] == service:
            name = f"needs-retry.{event}"
            client.meta.events.register(name, _repeating(code), unique_id=f"patience with {event}")


def _repeating(code: str) -> Any:
    def seconds_to_wait(response: Any, attempts: int, **_: object) -> float | None:
        answer = response[1] if response else {}
        again = answer.get("Error", {}).get("Code") == code and attempts < MOST_ATTEMPTS
        return SECONDS_BETWEEN_ATTEMPTS if again else None

    return seconds_to_wait
