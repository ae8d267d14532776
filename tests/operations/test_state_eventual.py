"""What KMS and S3 refuse a moment after a creation is asked for again; a key that is missing is not."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

from operations.state import eventual
from tests.operations.state_bucket import World

pytestmark = pytest.mark.requirement("W0.3")

KMS = '{"__type": "NotFoundException", "message": "Key does not exist"}'
S3 = "<Error><Code>OperationAborted</Code><Message>A conflicting conditional operation</Message></Error>"


class Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def refusing(times: int, status: int, text: str) -> tuple[list[str], Callable[..., AWSResponse | None]]:
    asked: list[str] = []

    def send(request: Any, **_: Any) -> AWSResponse | None:
        asked.append(request.url)
        return AWSResponse(request.url, status, HTTPHeaders(), Raw(text.encode())) if len(asked) <= times else None

    return asked, send


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventual, "SECONDS_BETWEEN_ATTEMPTS", 0.001)


@pytest.mark.parametrize(
    ("event", "status", "text"),
    [
        ("kms.EnableKeyRotation", 400, KMS),
        ("kms.CreateAlias", 400, KMS),
        ("s3.PutBucketPolicy", 409, S3),
        ("s3.PutPublicAccessBlock", 409, S3),
    ],
)
def test_a_call_that_aws_refuses_after_a_creation_is_repeated(
    world: World, intercepted: Callable[..., None], event: str, status: int, text: str
) -> None:
    asked, send = refusing(3, status, text)
    intercepted(world.kms if event.startswith("kms") else world.s3, f"before-send.{event}", send)
    assert str(world.bootstrap()["bucket"].outcome) == "created"
    assert len(asked) >= 4


def test_the_patience_ends(world: World, intercepted: Callable[..., None]) -> None:
    asked, send = refusing(1000, 400, KMS)
    intercepted(world.kms, "before-send.kms.EnableKeyRotation", send)
    with pytest.raises(ClientError, match="Key does not exist"):
        world.bootstrap()
    assert len(asked) == eventual.MOST_ATTEMPTS


def test_a_missing_key_is_no_matter_of_time(world: World, intercepted: Callable[..., None]) -> None:
    asked, send = refusing(1, 400, KMS)
    intercepted(world.kms, "before-send.kms.DescribeKey", send)
    world.bootstrap()
    assert len(asked) == 1
