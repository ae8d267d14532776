"""Emulated application load balancers: each listener serves on a port of 127.0.0.1, by its own rules.

A request is routed as by AWS: the rule of the lowest priority whose conditions all match, its action, a target group by
weight, a target of that group. The target is the address of a task; the stand-in of its image responds
(:mod:`emulator.runtime.images`), or without one the task itself. Responses of the load balancer itself have AWS's
status: 503 where a group has no target, 502 where a target does not respond. The web ACL that is associated with the
load balancer decides first (:mod:`emulator.runtime.firewall`).
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html

Not emulated: health checks, stickiness, authentication, access logs, conditions on the source address.
"""

from __future__ import annotations

import logging
import os
import random
import re
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from email.message import Message
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moto.acm.models import acm_backends
from moto.elbv2.models import elbv2_backends

from alarms.sources import Balanced, of_balanced
from emulator.address import HOST
from emulator.passages import Passage, passing
from emulator.regions import REGIONS
from emulator.runtime import images, network_paths, task_sets
from emulator.runtime.firewall.deployed import decision_at_load_balancer
from emulator.runtime.forwarding import Answer, Front, Request, ask, own
from emulator.runtime.metering import METERING
from emulator.runtime.tasks.keeper import KEEPER
from emulator.turns import turn

_log = logging.getLogger(__name__)
_servers: dict[tuple[str, str | None], _Server] = {}
_servers_lock = threading.Lock()


def _forget_servers() -> None:
    """Forget the servers in a fork: they belong to the original process."""
    global _servers_lock  # noqa: PLW0603
    _servers_lock = threading.Lock()
    _servers.clear()


os.register_at_fork(after_in_child=_forget_servers)


def port_of(account_id: str, region: str, listener: Any) -> int:
    """The port of 127.0.0.1 on which a listener (one of moto's) serves; its server is started if there is none."""
    key = (listener.arn, listener.certificate)
    with _servers_lock:
        if key not in _servers:
            _servers[key] = _Server(account_id, region, listener)
        return int(_servers[key].server_port)


def listeners(account_id: str) -> list[dict[str, str]]:
    """Each listener: region, load balancer's name, port on AWS, and URL here. The caller holds the state lock."""
    return [
        {
            "region": region,
            "load_balancer": load_balancer.name,
            "port": str(listener.port),
            "url": f"{str(listener.protocol).lower()}://{HOST}:{port_of(account_id, region, listener)}",
        }
        for region, backend in list(elbv2_backends[account_id].items())
        for load_balancer in backend.load_balancers.values()
        for listener in load_balancer.listeners.values()
    ]


def answer(account_id: str, region: str, listener: Any, request: Request) -> Answer:
    """The response of a listener.

    Raises:
        NotImplementedError: a rule has a condition or an action that is not emulated.
    """
    name = str(listener.load_balancer_arn).split("/")[-2]
    with passing("load balancer", name, f"{request.method} {request.path}") as passage:
        measured = _Measured(passage)
        said = _answer(account_id, region, listener, request, measured)
        passage.outcome = str(said.status)
    if METERING.is_on:
        METERING.publish(region, of_balanced(measured.balanced(str(listener.load_balancer_arn), said)))
    return said


@dataclass
class _Measured:
    """What is measured of a request: the target group that it was led to, its targets, and the time of the target."""

    passage: Passage
    target_group: str = ""
    targets: int = 0
    asked: float = 0.0
    answered: float = 0.0

    def balanced(self, load_balancer: str, said: Answer) -> Balanced:
        return Balanced(
            load_balancer=load_balancer.partition(":loadbalancer/")[2],
            target_group=self.target_group.rpartition(":")[2],
            status=said.status,
            answered_by_target=bool(self.asked) and not said.failure,
            failure=said.failure,
            seconds=self.answered - self.asked,
            targets=self.targets,
        )


def _answer(account_id: str, region: str, listener: Any, request: Request, measured: _Measured) -> Answer:
    passage = measured.passage
    with turn():
        if refusal := _refused(account_id, region, listener, request, passage):
            return refusal
        rule = next(rule for rule in _in_order(listener) if all(_holds(one, request) for one in rule.conditions))
        action = next(one for one in rule.actions if not one.type.startswith("authenticate-"))
        if action.type == "fixed-response":
            return _fixed(action.data["FixedResponseConfig"])
        if action.type == "redirect":
            return _redirect(action.data["RedirectConfig"], listener, request)
        if action.type != "forward":
            raise NotImplementedError(f"the action {action.type}")
        passage.way = f"rule {rule.priority if not rule.is_default else 'default'}"
        target = _target(account_id, region, listener, action, measured)
    if isinstance(target, Answer):
        return target
    url = (images.url_of(target.image) if target.image else None) or KEEPER.url_of(region, target.address)
    if url is None:
        _log.warning(
            "no server stands for %s, and no task of it runs: see docs/local-aws.md", target.image or "a target"
        )
    usable = url if url and urlsplit(url).scheme == target.protocol else None
    measured.asked = time.monotonic()
    said = ask(usable, _forwarded(request, listener))
    measured.answered = time.monotonic()
    return said


@dataclass(frozen=True, kw_only=True)
class _Target:
    address: str
    protocol: str
    image: str | None


def _target(account_id: str, region: str, listener: Any, action: Any, measured: _Measured) -> _Target | Answer:
    """A target of one of the action's groups; a response of the load balancer itself where none can be reached."""
    backend = elbv2_backends[account_id][region]
    group = backend.target_groups[_by_weight(action)]
    if not group.targets:
        return own(503, "Service Temporarily Unavailable")
    measured.target_group, measured.targets = str(group.arn), len(group.targets)
    target = random.choice(list(group.targets.values()))  # noqa: S311 (no secret)
    address, port = str(target["Id"]), int(target["Port"])
    measured.passage.way += f" -> {group.name} -> {address}"
    balancer = backend.load_balancers[str(listener.load_balancer_arn)]
    verdict = network_paths.to_task(account_id, region, balancer, address, port)
    if verdict is not None and not verdict.is_allowed:
        measured.passage.way += f": {verdict}"
        return replace(own(504, "Gateway Time-out"), failure="connection")
    image = task_sets.image_at(account_id, region, address, port)
    return _Target(address=address, protocol=str(group.protocol).lower(), image=image)


def _refused(account_id: str, region: str, listener: Any, request: Request, passage: Passage) -> Answer | None:
    """The response of the web ACL that is associated with the load balancer; None where it lets the request pass."""
    arn = str(listener.load_balancer_arn)
    decision = decision_at_load_balancer(account_id, region, arn, request, request.address or HOST)
    if decision is None or decision.allows:
        return None
    passage.way = f"web ACL, {decision.rule}"
    return decision.response or own(403, "Forbidden")


def _forwarded(request: Request, listener: Any) -> Request:
    """The request with the headers that tell of the client, as the target receives it.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    """
    headers = Message()
    for name, value in request.headers.items():
        if name.lower() not in _OF_THE_LOAD_BALANCER:
            headers[name] = value
    before = request.headers.get_all("X-Forwarded-For") or []
    headers["X-Forwarded-For"] = ", ".join([*before, request.address or HOST])
    headers["X-Forwarded-Proto"] = str(listener.protocol).lower()
    headers["X-Forwarded-Port"] = str(listener.port)
    return replace(request, headers=headers)


_OF_THE_LOAD_BALANCER = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"}


def _in_order(listener: Any) -> list[Any]:
    rules = list(listener.rules.values())
    return sorted((one for one in rules if not one.is_default), key=lambda one: int(one.priority)) + [
        one for one in rules if one.is_default
    ]


# --- conditions: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html ---


def _holds(condition: Mapping[str, Any], request: Request) -> bool:
    field = condition["Field"]
    if field not in _CONDITIONS:
        raise NotImplementedError(f"the condition {field}")
    return _CONDITIONS[field](condition, request)


def _values(condition: Mapping[str, Any], name: str) -> list[Any]:
    return condition.get(name, {}).get("Values") or condition.get("Values") or []


def _like(text: str, patterns: Iterable[str], flags: int = 0) -> bool:
    """Whether a pattern matches: * stands for any characters, ? for one."""
    expressions = (re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in patterns)
    return any(re.fullmatch(one, text, re.DOTALL | flags) for one in expressions)


def _path(condition: Mapping[str, Any], request: Request) -> bool:
    return _like(request.path, _values(condition, "PathPatternConfig"))


def _host(condition: Mapping[str, Any], request: Request) -> bool:
    name = request.headers.get("Host", "").partition(":")[0]
    return _like(name, _values(condition, "HostHeaderConfig"), re.IGNORECASE)


def _header(condition: Mapping[str, Any], request: Request) -> bool:
    config = condition["HttpHeaderConfig"]
    value = request.headers.get(config["HttpHeaderName"])
    return value is not None and _like(value, config["Values"], re.IGNORECASE)


def _method(condition: Mapping[str, Any], request: Request) -> bool:
    return request.method in _values(condition, "HttpRequestMethodConfig")


def _query(condition: Mapping[str, Any], request: Request) -> bool:
    return any(
        _like(value, [wanted["Value"]], re.IGNORECASE)
        and ("Key" not in wanted or _like(key, [wanted["Key"]], re.IGNORECASE))
        for wanted in _values(condition, "QueryStringConfig")
        for key, value in request.query
    )


_CONDITIONS: dict[str, Callable[[Mapping[str, Any], Request], bool]] = {
    "path-pattern": _path,
    "host-header": _host,
    "http-header": _header,
    "http-request-method": _method,
    "query-string": _query,
}

# --- actions ---


def _by_weight(action: Any) -> str:
    groups = action.data.get("ForwardConfig", {}).get("TargetGroups") or [action.data]
    weights = [int(one.get("Weight", 1)) for one in groups]
    if not any(weights):
        weights = [1] * len(groups)
    (chosen,) = random.choices(groups, weights)  # noqa: S311 (no secret)
    return str(chosen["TargetGroupArn"])


def _fixed(config: Mapping[str, Any]) -> Answer:
    headers = (("Content-Type", config.get("ContentType") or "text/plain"),)
    return Answer(status=int(config["StatusCode"]), headers=headers, body=(config.get("MessageBody") or "").encode())


def _redirect(config: Mapping[str, Any], listener: Any, request: Request) -> Answer:
    was = {
        "protocol": str(listener.protocol).lower(),
        "host": request.headers.get("Host", "").partition(":")[0],
        "port": str(listener.port),
        "path": request.path.lstrip("/"),
        "query": request.query_string,
    }

    def now(name: str, unchanged: str) -> str:
        text = str(config.get(name) or unchanged)
        return re.sub(r"#\{(\w+)\}", lambda match: was[match[1]], text)

    query = now("Query", "#{query}")
    place = f"{now('Protocol', '#{protocol}').lower()}://{now('Host', '#{host}')}:{now('Port', '#{port}')}"
    location = place + now("Path", "/#{path}") + (f"?{query}" if query else "")
    return Answer(status=int(str(config["StatusCode"]).removeprefix("HTTP_")), headers=(("Location", location),))


# --- the servers ---


class _Server(ThreadingHTTPServer):
    """Serves one listener."""

    daemon_threads = True

    def __init__(self, account_id: str, region: str, listener: Any) -> None:
        super().__init__((HOST, 0), _Handler)
        self._place = (account_id, region)
        self._listener = listener
        if listener.protocol == "HTTPS":
            context = certificate_context(account_id, region, listener.certificate)
            # The handshake is left to the connection's thread: a slow client blocks no other.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, request: Request) -> Answer | None:
        """The listener's response; None where its region is lost."""
        return None if REGIONS.is_lost(self._place[1]) else answer(*self._place, self._listener, request)

    def handle_error(self, *_arguments: object) -> None:
        """Ignore errors of a connection: a client that disconnects or rejects the certificate is no fault here."""
        _log.debug("a connection ended", exc_info=True)


class _Handler(Front):
    server: _Server

    def reply(self, request: Request) -> Answer | None:
        """The listener's."""
        return self.server.answer(request)


def certificate_context(account_id: str, region: str, certificate_arn: str) -> ssl.SSLContext:
    """A server's side of TLS with a certificate of ACM."""
    acm: Any = acm_backends[account_id][region]
    found = acm.describe_certificate(certificate_arn)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="listener-") as folder:
        path = Path(folder) / "certificate.pem"
        path.write_bytes(found.key + found.cert + found.chain)
        context.load_cert_chain(path)
    return context
