"""The bucket that the acquirer's settlement files are put into, and their lines, read from anywhere in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import boto3
from botocore.config import Config

from payments.settlement.formats import MAX_LINE_BYTES

CHUNK_BYTES = 256 * 1024
CONNECT_SECONDS = 3
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class File:
    """A version of a file: one that is written again has another version."""

    name: str
    version: str


@dataclass(frozen=True)
class Line:
    """A line of a file."""

    text: bytes
    """Without its end, and cut short after :data:`payments.settlement.formats.MAX_LINE_BYTES`."""
    ends: int
    """The offset of the next line, in bytes."""
    whole: bool
    """Whether it was not cut short, and has an end: the last one of a file that is cut short has none."""


class Files(Protocol):
    """Where the settlement files are."""

    def list(self) -> list[File]:
        """All files, in the order of their names."""

    def lines(self, file: File, offset: int) -> Iterator[Line]:
        """The lines of a file from an offset on, which is where a line begins."""


class Bucket:
    """Files in an S3 bucket. Its calls block: they are for threads."""

    def __init__(self, name: str, *, prefix: str, region: str) -> None:
        """``prefix`` is what the keys of all settlement files begin with."""
        make: Any = boto3.client
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"total_max_attempts": 3, "mode": "standard"},
        )
        self._client = make("s3", region_name=region, config=config)
        self._name, self._prefix = name, prefix

    def list(self) -> list[File]:
        """See :class:`Files`.

        Raises:
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the bucket could not be read.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._prefix)
        found = [one for page in pages for one in page.get("Contents", [])]
        return [File(one["Key"], one["ETag"].strip('"')) for one in found if one["Size"]]

    def lines(self, file: File, offset: int) -> Iterator[Line]:
        """See :class:`Files`.

        Raises:
            botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: the file could not be read, or is of
                another version by now.
        """
        this = {"Bucket": self._name, "Key": file.name, "IfMatch": f'"{file.version}"'}
        if offset >= self._client.head_object(**this)["ContentLength"]:
            return
        body = self._client.get_object(**this, Range=f"bytes={offset}-")["Body"]
        try:
            yield from split(iter(lambda: body.read(CHUNK_BYTES), b""), offset)
        finally:
            body.close()


def split(chunks: Iterator[bytes], offset: int) -> Iterator[Line]:
    """The lines of what is read in chunks, from an offset on. No more of a line is kept than a line may have."""
    kept, ends = bytearray(), offset
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            kept += part[: MAX_LINE_BYTES + 1]
            ends += len(part) + 1
            yield Line(bytes(kept[:MAX_LINE_BYTES]), ends, whole=len(kept) <= MAX_LINE_BYTES)
            kept.clear()
        kept += rest[: MAX_LINE_BYTES + 1]
        del kept[MAX_LINE_BYTES + 1 :]
        ends += len(rest)
    if kept:
        yield Line(bytes(kept[:MAX_LINE_BYTES]), ends, whole=False)
