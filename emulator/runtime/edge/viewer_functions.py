"""CloudFront functions of viewer requests, in Node's JavaScript engine.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

from emulator.runtime.edge.distribution import Distribution
from emulator.runtime.forwarding import Answer, Request

RUNNER = Path(__file__).parent / "viewer_function_runner.js"
RUNTIMES = {"cloudfront-js-1.0", "cloudfront-js-2.0"}
# Headers that no function reads or adds, and those that it only reads.
_DISALLOWED = re.compile(
    r"connection|expect|keep-alive|proxy-.*|trailer|upgrade|x-accel-.*|x-amz-cf-.*|x-amzn-.*|x-cache|x-edge-.*"
    r"|x-forwarded-proto|x-real-ip"
)
_READ_ONLY = {"content-length", "host", "transfer-encoding", "via"}


class FunctionFailedError(Exception):
    """A function cannot be run, or failed; CloudFront's response has status 503."""


class FunctionInvalidError(Exception):
    """A function returned what CloudFront does not accept; its response has status 502."""


class Engine:
    """The JavaScript engine: a process of Node, from the first function on."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._forget)

    def _begin(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def _forget(self) -> None:
        """Close a fork's ends of the pipes: the engine belongs to the original process, and ends with it."""
        if self._process and self._process.stdin and self._process.stdout:
            with contextlib.suppress(OSError):
                os.close(self._process.stdin.fileno())
                os.close(self._process.stdout.fileno())
            self._inherited = self._process  # not collected: it is no child of this process
        self._begin()

    def run(self, code: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """What a function's handler returns for an event: ``result``, ``error`` or, not emulated, ``lacks``.

        Raises:
            NotImplementedError: this machine has no Node.
        """
        with self._lock:
            process = self._started()
            if process.stdin is None or process.stdout is None:
                raise AssertionError
            process.stdin.write(json.dumps({"code": code, "event": event}) + "\n")
            process.stdin.flush()
            said: dict[str, Any] = json.loads(process.stdout.readline())
            return said

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            node = shutil.which("node")
            if node is None:
                raise NotImplementedError("CloudFront functions where there is no Node")
            self._process = subprocess.Popen(
                [node, str(RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}
            )
        return self._process


ENGINE = Engine()
"""The one of this process."""


def apply(function: Any, distribution: Distribution, request: Request, request_id: str) -> Request | Answer:
    """What a function (one of moto's) makes of a viewer's request: another request, or a response.

    Raises:
        FunctionFailedError: it failed.
        FunctionInvalidError: what it returned is not allowed.
        NotImplementedError: it needs something that is not emulated.
    """
    if function.live_config["Runtime"] not in RUNTIMES:
        raise NotImplementedError(f"the runtime {function.live_config['Runtime']} of CloudFront functions")
    code = function.live_code
    event = _event(distribution, request, request_id)
    said = ENGINE.run(code.decode() if isinstance(code, bytes) else str(code), event)
    if "lacks" in said:
        raise NotImplementedError(said["lacks"])
    if "error" in said:
        raise FunctionFailedError(said["error"])
    result = said["result"]
    if isinstance(result, dict) and "statusCode" in result:
        return _response(result)
    if not isinstance(result, dict) or "uri" not in result:
        raise FunctionInvalidError("neither a request nor a response")
    return _request(request, event["request"], result)


def _event(distribution: Distribution, request: Request, request_id: str) -> dict[str, Any]:
    headers = [(name.lower(), value) for name, value in request.headers.items()]
    cookies = [pair for name, value in headers if name == "cookie" for pair in re.split(r";\s*", value) if pair]
    return {
        "version": "1.0",
        "context": {
            "distributionDomainName": distribution.domain_name,
            "distributionId": distribution.id,
            "eventType": "viewer-request",
            "requestId": request_id,
        },
        "viewer": {"ip": request.address},
        "request": {
            "method": request.method,
            "uri": request.path,
            "querystring": _values(one.partition("=")[::2] for one in request.query_string.split("&") if one),
            "headers": _values(
                (name, value) for name, value in headers if name != "cookie" and not _DISALLOWED.fullmatch(name)
            ),
            "cookies": _values(one.partition("=")[::2] for one in cookies),
        },
    }


def _values(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Names with their values, in the structure of an event; of several values the first, and all of them."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {
        name: {"value": values[0]} | ({"multiValue": [{"value": one} for one in values]} if len(values) > 1 else {})
        for name, values in found.items()
    }


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(one["value"])) for name, value in values.items() for one in value.get("multiValue") or [value]]


def _request(request: Request, before: Mapping[str, Any], after: Mapping[str, Any]) -> Request:
    if after.get("method") != before["method"]:
        raise FunctionInvalidError("the method cannot be changed")
    given, found = before["headers"], after.get("headers") or {}
    for name in {*given, *found}:
        if given.get(name) != found.get(name) and (name in _READ_ONLY or _DISALLOWED.fullmatch(name)):
            raise FunctionInvalidError(f"the header {name} cannot be changed")
    headers = Message()
    for name, value in request.headers.items():
        if _DISALLOWED.fullmatch(name.lower()):
            headers[name] = value
    for name, value in _pairs(found):
        headers[name] = value
    if cookies := _pairs(after.get("cookies") or {}):
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies)
    query = "&".join(f"{name}={value}" if value else name for name, value in _pairs(after.get("querystring") or {}))
    return replace(request, target=str(after["uri"]) + (f"?{query}" if query else ""), headers=headers)


def _response(result: Mapping[str, Any]) -> Answer:
    headers = _pairs(result.get("headers") or {})
    cookies = [("Set-Cookie", f"{name}={value}") for name, value in _pairs(result.get("cookies") or {})]
    body = result.get("body") or ""
    text = body.get("data", "") if isinstance(body, dict) else body
    if isinstance(body, dict) and body.get("encoding", "text") != "text":
        raise NotImplementedError("a body in base64 of a CloudFront function's response")
    return Answer(status=int(result["statusCode"]), headers=(*headers, *cookies), body=str(text).encode())
