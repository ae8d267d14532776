"""The local AWS as a WSGI application: moto behind the checks of the contract and authorization, with a record.

Steps of a request: find its operation, check it against AWS's model of the operation, get moto's response, record it.
A refused request does not reach moto.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.core.request import Request
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from emulator import controls
from emulator.answer import Answer
from emulator.authorization.api import ApiRequest
from emulator.authorization.callers import ANONYMOUS, Caller, UnknownKeyError, caller_of
from emulator.authorization.gate import record_refusals_with, refused, way_to
from emulator.authorization.uses import USES
from emulator.behind import BEHIND
from emulator.contract import (
    Check,
    Constraint,
    ErrorResponse,
    Violation,
    access_denied,
    error_response,
    find_target,
    iam_action,
    refusal,
    unknown_key,
    unknown_operation,
)
from emulator.faults import FAULTS
from emulator.passages import record_with
from emulator.record import Call, RecordedViolation, Recorder
from emulator.regions import REGIONS
from emulator.runtime.tasks import credentials
from emulator.signatures import assumed_role, attempt_of, credential_scope
from emulator.turns import turn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

IDENTITY_PATH = "/_local-aws"
"""Returns the process id and the directory of the server; it is no path of an AWS service."""

FORK_PATH = "/_local-aws/fork"
"""PUT of ``{"directory": "..."}`` forks the server with all of its state. See emulator/forking.py."""

# moto's own interface and the instance metadata: no calls of an AWS API.
_NO_AWS_API = ("/moto-api", "/latest/", "/favicon.ico")

# Long polls that wait in moto: they must not block other requests.
_WAITING_OPERATIONS = frozenset({"ReceiveMessage", "Invoke", "StartSyncExecution", "SubscribeToShard"})

# AWS's SDKs retry after 500, 502, 503 and 504: a request that fails here would fail again.
_NOT_RETRIED = int(HTTPStatus.NOT_IMPLEMENTED)
_UNROUTED = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
_NOT_IMPLEMENTED = "LocalAwsNotImplemented"
_FAILED = "LocalAwsFailure"

_log = logging.getLogger(__name__)


class LocalAws:
    """The WSGI application. The record is in ``directory``; without ``contract`` nothing is checked, to measure it."""

    def __init__(self, directory: Path, *, contract: bool = True) -> None:
        self._directory = directory
        self._contract = contract
        self._recorder = Recorder(directory)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._requests, self._counting = 0, threading.Lock()
        record_refusals_with(self._recorder.refusal)
        USES.record_with(self._recorder.use)
        record_with(self._recorder.passage)

    @property
    def directory(self) -> Path:
        """The directory of the record."""
        return self._directory

    def move_to(self, directory: Path) -> None:
        """Write the record to another directory from now on."""
        self._directory, self._recorder = directory, Recorder(directory)
        record_refusals_with(self._recorder.refusal)
        USES.record_with(self._recorder.use)
        record_with(self._recorder.passage)

    @contextlib.contextmanager
    def no_request_begins(self) -> Iterator[int]:
        """Within the block new requests wait; gives the number of running ones."""
        with self._counting:
            yield self._requests

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request."""
        path = environ.get("PATH_INFO", "")
        if path == IDENTITY_PATH:
            return _identity(self._directory, start_response)
        if path == FORK_PATH:
            return self._fork(environ, start_response)
        if path.startswith(credentials.PATH):
            said = credentials.answer(path)
            return _json("200 OK" if said else "404 Not Found", dict(said or {}), start_response)
        self._count(1)
        try:
            return self._answered(path, environ, start_response)
        finally:
            self._count(-1)

    def _count(self, begun: int) -> None:
        with self._counting:
            self._requests += begun

    def _fork(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        from emulator import forking  # it needs moto as imported by this module

        try:
            said = forking.fork(self, Path(json.loads(_read_body(environ))["directory"]))
        except (ValueError, KeyError, TypeError, forking.CannotForkError) as flaw:
            return _json("409 Conflict", {"error": str(flaw)}, start_response)
        return _json("200 OK", said, start_response)

    def _answered(self, path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if path in controls.CONTROLS:
            return _control(path, environ, start_response)
        try:
            answer = self._beside(environ) if path.startswith(_NO_AWS_API) else self._called(environ)
        except Exception as failure:  # noqa: BLE001 (the client must get an error that it does not retry)
            _log.exception("the local AWS failed at %s %s", environ.get("REQUEST_METHOD"), path)
            answer = Answer.of(_plain_error(_FAILED, repr(failure)))
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return [answer.body]

    def _beside(self, environ: WSGIEnvironment) -> Answer:
        """The answer of what is no AWS API; moto's own interface reads the state of everything."""
        with turn():
            return Answer.from_application(self._moto, environ)

    def _called(self, environ: WSGIEnvironment) -> Answer:
        exchange = _Exchange(environ)
        answer = self._answer(exchange)
        self._recorder.call(exchange.call(answer))
        return answer

    def _answer(self, exchange: _Exchange) -> Answer:
        if REGIONS.is_lost(exchange.region):
            REGIONS.hold(exchange.region)
            return Answer.of(_lost(exchange))
        if self._contract:
            error = self._refuse(exchange)
            if error is not None:
                return Answer.of(error)
        with turn():
            error = _not_allowed(exchange)
            if error is not None:
                return Answer.of(error)
            if exchange.name_of_operation not in _WAITING_OPERATIONS and not BEHIND.serves(exchange.signing_name):
                return self._forward(exchange)
        return self._forward(exchange)

    def _refuse(self, exchange: _Exchange) -> ErrorResponse | None:
        """The error of a request that AWS's model does not allow; None where it is allowed."""
        target = exchange.target
        if target is None:
            requirement = f"no operation of {exchange.signing_name} matches {exchange.request_line}"
            unknown = Violation(exchange.signing_name, "", "", Constraint.UNKNOWN_OPERATION, requirement)
            self._record_violations(exchange, [unknown])
            return unknown_operation(exchange.signing_name, requirement)
        violations = exchange.check.violations if exchange.check else []
        self._record_violations(exchange, violations)
        return refusal(target, violations[0]) if violations else None

    def _record_violations(self, exchange: _Exchange, violations: list[Violation]) -> None:
        for violation in violations:
            self._recorder.violation(
                RecordedViolation(
                    time=exchange.time,
                    service=violation.service,
                    operation=violation.operation,
                    member=violation.member,
                    constraint=violation.constraint,
                    message=violation.message,
                    user_agent=exchange.user_agent,
                )
            )

    def _forward(self, exchange: _Exchange) -> Answer:
        target = exchange.target
        fault = FAULTS.next(target.operation.name) if target else None
        if target and fault:
            error = error_response(
                target.operation, target.protocol, fault, f"A fault that was asked for: {fault}", 400
            )
            return Answer.of(error)
        if own := BEHIND.own(exchange.name):
            return own(exchange.region, exchange.api_request.parameters)
        if BEHIND.serves(exchange.signing_name):
            return BEHIND.answer(exchange.environ, exchange.body)
        return self._of_moto(exchange)

    def _of_moto(self, exchange: _Exchange) -> Answer:
        """The response of moto. A gap or crash in it is an error that no SDK retries, so that a rehearsal ends soon."""
        try:
            answer = Answer.from_application(self._moto, exchange.environ)
        except NotImplementedError as gap:
            return self._failure(exchange, _NOT_IMPLEMENTED, f"the local AWS lacks {exchange.name}: {gap}")
        except Exception as crash:  # noqa: BLE001 (as above)
            _log.exception("moto failed in %s", exchange.name)
            return self._failure(exchange, _FAILED, f"moto failed in {exchange.name}: {crash!r}")
        if answer.is_unrouted:
            return self._failure(
                exchange, _NOT_IMPLEMENTED, f"the local AWS lacks {exchange.name}: moto has no such path"
            )
        return answer

    def _failure(self, exchange: _Exchange, code: str, message: str) -> Answer:
        _log.error(message)
        target = exchange.target
        if target is None:
            return Answer.of(_plain_error(code, message))
        return Answer.of(error_response(target.operation, target.protocol, code, message, _NOT_RETRIED))


class _Exchange:
    """One request, read once, and its entry in the record."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._begin = time.monotonic()
        self.time = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.environ = environ
        # The body is read in full here: moto then reads from memory, and a slow client holds no lock.
        self.body = _read_body(environ)
        self.request = Request({**environ, "wsgi.input": BytesIO(self.body)})
        self.caller, self.region, self.signing_name = credential_scope(self.request)
        self.target = find_target(self.signing_name, self.request)
        self.allowed_by: list[str] = []
        self.through = ""
        environ["wsgi.input"] = BytesIO(self.body)

    @functools.cached_property
    def check(self) -> Check | None:
        """The check of the request against its model, made once; None where no operation matches."""
        if self.target is None:
            return None
        check = Check(self.target)
        check.request(self.request, self.body)
        return check

    @property
    def resource(self) -> dict[str, str | list[str]]:
        """The parameters that identify something, as far as the request was checked against its model."""
        checked: Check | None = self.__dict__.get("check")
        return checked.resource if checked else {}

    @property
    def name_of_operation(self) -> str:
        """The name of the operation; empty where none matches."""
        return str(self.target.operation.name) if self.target else ""

    @property
    def action(self) -> str:
        """The IAM action; of API Gateway, whose actions are HTTP's methods, the method."""
        of_path = self.signing_name == "apigateway"
        return iam_action(self.signing_name, self.request.method if of_path else self.name_of_operation)

    @property
    def api_request(self) -> ApiRequest:
        """The request in the form of authorization."""
        check, service = self.check, str(self.target.service.service_name) if self.target else ""
        return ApiRequest(
            service=service,
            operation=self.name_of_operation,
            action=self.action,
            path=self.request.path,
            region=self.region,
            account=ACCOUNT_ID,
            resource=check.resource if check else {},
            parameters=check.parameters if check else {},
            headers={name.lower(): value for name, value in self.request.headers.items()},
        )

    @property
    def request_line(self) -> str:
        """Method and path, with the form's action or the JSON target where there is one."""
        action = self.request.headers.get("X-Amz-Target") or self.request.values.get("Action", "")
        return f"{self.request.method} {self.request.raw_path} {action}".strip()

    @property
    def name(self) -> str:
        """Service and operation, or the request line where no operation matches."""
        if self.target is None:
            return f"{self.signing_name} {self.request_line}"
        return f"{self.target.service.service_name} {self.target.operation.name}"

    @property
    def user_agent(self) -> str:
        """The program and SDK that sent the request, without the list of features."""
        products = [word for word in self.request.headers.get("User-Agent", "").split() if "/" in word]
        known = [p for p in products if re.match(r"(APN/|Terraform/|terraform-provider-aws/|aws-cli/|Boto|aws-sdk)", p)]
        return " ".join(known or products[:1])

    def call(self, answer: Answer) -> Call:
        """The entry of the record."""
        operation = self.name_of_operation
        return Call(
            time=self.time,
            service=str(self.target.service.service_name) if self.target else self.signing_name,
            operation=operation,
            action=self.action if operation else "",
            region=self.region,
            resource=self.resource,
            caller=self.caller,
            assumed_role=assumed_role(self.caller),
            allowed_by=self.allowed_by,
            through=self.through,
            user_agent=self.user_agent,
            attempt=attempt_of(self.request),
            status=answer.status,
            error=answer.error,
            seconds=round(time.monotonic() - self._begin, 4),
        )


def _not_allowed(exchange: _Exchange) -> ErrorResponse | None:
    """The error of a request that its caller is not authorized to make; None where it is."""
    target = exchange.target
    if target is None or (not exchange.caller and exchange.signing_name == "sts"):
        return None  # a request with a token of another identity provider needs no access key
    try:
        caller = caller_of(exchange.caller) if exchange.caller else Caller(principal=ANONYMOUS)
    except UnknownKeyError:
        return unknown_key(target)
    if caller is None:
        return None
    exchange.through = way_to(caller.network, exchange.signing_name)
    verdict = refused(exchange.api_request, caller, exchange.signing_name, exchange.allowed_by)
    return access_denied(target, verdict.message) if verdict else None


def _lost(exchange: _Exchange) -> ErrorResponse:
    """The response of a lost region; None where the region is available."""
    message, status = f"{exchange.region} is lost", int(HTTPStatus.SERVICE_UNAVAILABLE)
    if exchange.target is None:
        return ErrorResponse(status, {"Content-Type": "text/plain"}, message.encode(), "ServiceUnavailable")
    return error_response(exchange.target.operation, exchange.target.protocol, "ServiceUnavailable", message, status)


def _plain_error(code: str, message: str) -> ErrorResponse:
    return ErrorResponse(_NOT_RETRIED, {"Content-Type": "text/plain"}, message.encode(), code)


def _read_body(environ: WSGIEnvironment) -> bytes:
    length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(environ["wsgi.input"].read(length))


def _identity(directory: Path, start_response: StartResponse) -> Iterable[bytes]:
    return _json("200 OK", {"pid": os.getpid(), "directory": str(directory)}, start_response)


def _control(path: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    try:
        said = controls.CONTROLS[path](json.loads(_read_body(environ)))
    except (ValueError, KeyError, TypeError) as flaw:
        return _json("400 Bad Request", {"error": repr(flaw)}, start_response)
    return _json("200 OK", said, start_response)


def _json(status: str, content: dict[str, object], start_response: StartResponse) -> Iterable[bytes]:
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
