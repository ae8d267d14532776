"""The record of a rehearsal: every call that reached the local AWS, one JSON object a line.

Five files in the directory of the server: ``calls.jsonl`` (all calls), ``passages.jsonl`` (what passed load balancers
and functions), ``violations.jsonl`` (requests that AWS's published models do not allow), ``refusals.jsonl`` (requests
that no policy allowed, or one denied) and ``uses.jsonl`` (statements that allowed something). They may be read while
the server runs. None holds a request's body, a secret or a password: of a request's parameters only those that name a
resource are kept, and never one that the model marks as sensitive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shared import json_lines

CALLS_FILE = "calls.jsonl"
VIOLATIONS_FILE = "violations.jsonl"
REFUSALS_FILE = "refusals.jsonl"
PASSAGES_FILE = "passages.jsonl"
USES_FILE = "uses.jsonl"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request and its response.

    ``time`` is UTC in ISO 8601. ``service`` is the name of the service's model ("elbv2"), ``operation`` the model's
    operation, ``action`` the IAM action of that name ("elasticloadbalancing:CreateRule"); both are empty when no
    operation of AWS matches. ``resource`` maps a parameter to its name, id or ARN. ``caller`` is the access key
    id, ``assumed_role`` the role's session ARN when the key belongs to one. ``allowed_by``
    are the statements that allowed it, "action: kind document: statement Sid allows"; none for the administrator.
    ``through`` is the name of the endpoint service that the caller's VPC has a way to, empty for one outside any.
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
    through: str = ""
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
class RecordedUse:
    """A statement of a policy that allowed an action, for the first time in a step.

    ``step`` is what the rehearsal calls what it does, empty until it says so. ``kind``, ``document`` and ``statement``
    are of :class:`iam.authorization.Said`, ``principal`` the role's ARN, or the name of a service. ``needed``: without
    the statement the request would have been refused.
    """

    time: str
    step: str
    kind: str
    document: str
    statement: str
    principal: str
    action: str
    resource: str
    needed: bool


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
        # All files exist from the start, so that "no violation" is an empty file and not a missing one.
        self._calls, self._violations, self._refusals, self._passages, self._uses = (
            os.open(directory / name, json_lines.APPENDING, 0o666)
            for name in (CALLS_FILE, VIOLATIONS_FILE, REFUSALS_FILE, PASSAGES_FILE, USES_FILE)
        )

    def call(self, call: Call) -> None:
        """Append one call."""
        json_lines.append(self._calls, [asdict(call)])

    def violation(self, violation: RecordedViolation) -> None:
        """Append one violation."""
        json_lines.append(self._violations, [asdict(violation)])

    def refusal(self, refusal: RecordedRefusal) -> None:
        """Append one refusal."""
        json_lines.append(self._refusals, [asdict(refusal)])

    def use(self, use: RecordedUse) -> None:
        """Append one use of a statement."""
        json_lines.append(self._uses, [asdict(use)])

    def passage(self, passage: RecordedPassage) -> None:
        """Append one passage."""
        json_lines.append(self._passages, [asdict(passage)])


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


def read_uses(directory: Path | str) -> list[RecordedUse]:
    """The uses of statements recorded in ``directory``, oldest first; empty when there is no record.

    Raises:
        ValueError: a line is not a use; the message names the file and the line.
    """
    return [RecordedUse(**entry) for entry in _read(Path(directory) / USES_FILE, RecordedUse)]  # type: ignore[arg-type]


Entry = RecordedPassage | RecordedUse | Call | RecordedViolation | RecordedRefusal


def _read(path: Path, kind: type[Entry]) -> Iterator[dict[str, object]]:
    for number, entry in enumerate(json_lines.read(path), start=1):
        if not entry.keys() <= kind.__dataclass_fields__.keys():
            raise ValueError(f"{path}, line {number}: not a {kind.__name__}")
        yield entry
