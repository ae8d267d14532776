"""The record of a rehearsal: every call that reached the local AWS, one JSON object a line.

Four files in the directory of the server: ``calls.jsonl`` (all calls), ``passages.jsonl`` (what passed load balancers
and functions), ``violations.jsonl`` (requests that AWS's
published models do not allow) and ``refusals.jsonl`` (requests that no policy allowed, or one denied). None holds a
request's body, a secret or a password: of a request's parameters only those that name a resource are kept, and never
one that the model marks as sensitive.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

CALLS_FILE = "calls.jsonl"
VIOLATIONS_FILE = "violations.jsonl"
REFUSALS_FILE = "refusals.jsonl"
PASSAGES_FILE = "passages.jsonl"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request and its response.

    ``time`` is UTC in ISO 8601. ``service`` is the name of the service's model ("elbv2"), ``operation`` the model's
    operation, ``action`` the IAM action of that name ("elasticloadbalancing:CreateRule"); both are empty when no
    operation of AWS matches. ``resource`` maps a parameter to its name, id or ARN. ``caller`` is the access key
    id, ``assumed_role`` the role's session ARN when the key belongs to one. ``allowed_by``
    are the statements that allowed it, "action: kind document: statement Sid allows"; none for the administrator.
    ``attempt`` counts from 1: an SDK's retry
    says 2. ``status`` is the HTTP status, ``error`` the error's code or empty, ``seconds`` the time to answer.
    """

    time: str
    service: str
    operation: str
    action: str
    region: str
    resource: dict[str, str | list[str]] = field(default_factory=dict)
    caller: str
    assumed_role: str = ""
    allowed_by: list[str] = field(default_factory=list)
    user_agent: str
    attempt: int = 1
    status: int
    error: str = ""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RecordedViolation:
    """One violation of a service's model by a request.

    ``member`` is the path of the parameter as the model names it (``Tags[0].Key``), ``constraint`` one of
    :class:`emulator.contract.Constraint`, ``message`` has the value and the allowed ones (values of members that
    the model marks as sensitive are left out).
    """

    time: str
    service: str
    operation: str
    member: str
    constraint: str
    message: str
    user_agent: str


@dataclass(frozen=True, kw_only=True)
class RecordedRefusal:
    """A request that no policy allowed, or that one denied.

    ``principal`` is the ARN of the caller or the name of a service, ``refused_by`` the kind of policy, ``message`` the
    refusal in AWS's words, ``missing`` the missing permission, with the condition keys of the request.
    """

    time: str
    principal: str
    action: str
    resource: str
    refused_by: str
    message: str
    missing: str


@dataclass(frozen=True, kw_only=True)
class RecordedPassage:
    """A request that passed something that runs here and is no API of AWS.

    ``kind`` is "DNS", "web ACL", "distribution", "bucket", "load balancer", "connection", "function" or "internet",
    ``who`` its name, ``what`` the request, ``way`` where it was led on to, ``outcome`` the HTTP status or what came of
    it, ``seconds`` the time that it took.
    """

    time: str
    kind: str
    who: str
    what: str
    way: str
    outcome: str
    seconds: float


class Recorder:
    """Appends to the record of one server. Safe for use by many threads."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        # All files exist from the start, so that "no violation" is an empty file and not a missing one.
        self._calls = (directory / CALLS_FILE).open("a", encoding="utf-8")
        self._violations = (directory / VIOLATIONS_FILE).open("a", encoding="utf-8")
        self._refusals = (directory / REFUSALS_FILE).open("a", encoding="utf-8")
        self._passages = (directory / PASSAGES_FILE).open("a", encoding="utf-8")

    def call(self, call: Call) -> None:
        """Append one call."""
        self._append(self._calls, asdict(call))

    def violation(self, violation: RecordedViolation) -> None:
        """Append one violation."""
        self._append(self._violations, asdict(violation))

    def refusal(self, refusal: RecordedRefusal) -> None:
        """Append one refusal."""
        self._append(self._refusals, asdict(refusal))

    def passage(self, passage: RecordedPassage) -> None:
        """Append one passage."""
        self._append(self._passages, asdict(passage))

    def _append(self, file: TextIO, entry: dict[str, object]) -> None:
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"
        with self._lock:
            file.write(line)
            # Line by line: a reader of the file sees every completed call while the server runs.
            file.flush()


def read_calls(directory: Path | str) -> list[Call]:
    """The calls recorded in ``directory``, in the order of their answers; empty when there is no record.

    Raises:
        ValueError: a line is not a call; the message names the file and the line.
    """
    return [Call(**entry) for entry in _read(Path(directory) / CALLS_FILE, Call)]  # type: ignore[arg-type]


def read_violations(directory: Path | str) -> list[RecordedViolation]:
    """The violations recorded in ``directory``, oldest first; empty when there is no record.

    Raises:
        ValueError: a line is not a violation; the message names the file and the line.
    """
    return [RecordedViolation(**entry) for entry in _read(Path(directory) / VIOLATIONS_FILE, RecordedViolation)]  # type: ignore[arg-type]


def read_refusals(directory: Path | str) -> list[RecordedRefusal]:
    """The refusals recorded in ``directory``, oldest first; empty when there is no record.

    Raises:
        ValueError: a line is not a refusal; the message names the file and the line.
    """
    return [RecordedRefusal(**entry) for entry in _read(Path(directory) / REFUSALS_FILE, RecordedRefusal)]  # type: ignore[arg-type]


def read_passages(directory: Path | str) -> list[RecordedPassage]:
    """The passages recorded in ``directory``, in the order of their ends; empty when there is no record.

    Raises:
        ValueError: a line is not a passage; the message names the file and the line.
    """
    return [RecordedPassage(**entry) for entry in _read(Path(directory) / PASSAGES_FILE, RecordedPassage)]  # type: ignore[arg-type]


Entry = RecordedPassage | Call | RecordedViolation | RecordedRefusal


def _read(path: Path, kind: type[Entry]) -> Iterator[dict[str, object]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
            except ValueError:
                raise ValueError(f"{path}, line {number}: not JSON") from None
            if not isinstance(entry, dict) or not entry.keys() <= kind.__dataclass_fields__.keys():
                raise ValueError(f"{path}, line {number}: not a {kind.__name__}")
            yield entry
