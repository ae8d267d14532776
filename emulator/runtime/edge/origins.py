"""Origins of a distribution: servers behind names of DNS, and buckets of S3; and origin groups, which fail over.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistS3AndCustomOrigins.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/high_availability_origin_failover.html
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.message import Message

from emulator.address import HOST
from emulator.runtime import dns, internet, load_balancers, network_paths
from emulator.runtime.authority import authority
from emulator.runtime.edge import bucket_origins
from emulator.runtime.edge.distribution import Behavior, Config, Distribution, items
from emulator.runtime.edge.selection import for_origin
from emulator.runtime.forwarding import HOP_BY_HOP, Answer, Request
from emulator.turns import turn

FAILING_OVER = {"GET", "HEAD", "OPTIONS"}
NOT_CONNECTED = {502, 503}
"""Of an origin group, the statuses that stand for a connection that could not be made."""
TLS_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
}


class OriginError(Exception):
    """An origin gave no response; ``status`` is the one that CloudFront responds with."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An origin's response, or CloudFront's error where ``error`` says why, and the way to it for the record."""

    answer: Answer
    way: str
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Sending:
    """A request on its way to an origin: the viewer's, by which behavior of which distribution."""

    distribution: Distribution
    behavior: Behavior
    request: Request
    is_https: bool
    request_id: str


def fetch(sending: Sending) -> Fetched:
    """The response of the behavior's origin, or of its origin group.

    Raises:
        NotImplementedError: the origin has something that is not emulated.
    """
    target = str(sending.behavior.config["TargetOriginId"])
    group = sending.distribution.group(target)
    if group is None:
        return _from(sending, target)
    first, second = (str(one["OriginId"]) for one in items(group, "Members"))
    found = _from(sending, first)
    statuses = {int(one) for one in items(group["FailoverCriteria"], "StatusCodes")}
    fails = {found.answer.status} | (NOT_CONNECTED if found.error and found.answer.status in NOT_CONNECTED else set())
    if sending.request.method not in FAILING_OVER or not fails & statuses:
        return found
    other = _from(sending, second)
    return replace(other, way=f"{found.way} answers {found.answer.status}, then {other.way}")


def _from(sending: Sending, origin_id: str) -> Fetched:
    origin = sending.distribution.origin(origin_id)
    if (origin.get("OriginShield") or {}).get("Enabled") or origin.get("VpcOriginConfig"):
        raise NotImplementedError("an origin shield or VPC origin of a distribution")
    request = _request(sending, origin)
    try:
        if origin.get("CustomOriginConfig"):
            way, answer = _from_server(sending, origin, request)
        else:
            way, answer = _from_bucket(sending, origin, request)
    except OriginError as failure:
        return Fetched(answer=Answer(status=failure.status), way=f"origin {origin_id}", error=str(failure))
    return Fetched(answer=answer, way=f"origin {origin_id}, {way}")


def _request(sending: Sending, origin: Config) -> Request:
    """The request for an origin, with its path and its own headers, which replace a viewer's."""
    request = for_origin(
        sending.behavior,
        sending.request,
        host=str(origin["DomainName"]),
        via=sending.distribution.domain_name,
        request_id=sending.request_id,
    )
    headers = Message()
    own = {str(one["HeaderName"]).lower(): str(one["HeaderValue"]) for one in items(origin, "CustomHeaders")}
    for name, value in [*((n, v) for n, v in request.headers.items() if n.lower() not in own), *own.items()]:
        headers[name] = value
    return replace(request, target=str(origin.get("OriginPath") or "") + request.target, headers=headers)


def _from_bucket(sending: Sending, origin: Config, request: Request) -> tuple[str, Answer]:
    with turn():
        found = bucket_origins.answer(sending.distribution, origin, request)
    if found is None:
        raise OriginError(502, f"no bucket has the domain name {origin['DomainName']}, or its region does not answer")
    return str(origin["DomainName"]), found


def _from_server(sending: Sending, origin: Config, request: Request) -> tuple[str, Answer]:
    config, name = origin["CustomOriginConfig"], str(origin["DomainName"])
    policy = config["OriginProtocolPolicy"]
    is_https = sending.is_https if policy == "match-viewer" else policy == "https-only"
    port = int(config["HTTPSPort" if is_https else "HTTPPort"])
    way, local_port = _find(sending.distribution.account_id, name, port)
    seconds = float(config.get("OriginReadTimeout") or 30)
    connect = _connecting(local_port, float(origin.get("ConnectionTimeout") or 10), seconds)
    server = http.client.HTTPConnection(HOST, local_port)
    try:
        plain = _attempted(connect, int(origin.get("ConnectionAttempts") or 3))
        server.sock = _encrypted(plain, str(request.headers["Host"]), config) if is_https else plain
        return way, _exchanged(server, request)
    except ssl.SSLError as failure:
        raise OriginError(502, f"{name}: {failure.reason or failure}") from None
    except TimeoutError:
        raise OriginError(504, f"{name} did not respond within {seconds:g} s") from None
    except (OSError, http.client.HTTPException) as failure:
        raise OriginError(502, f"{name}: {failure}") from None
    finally:
        server.close()


def _find(account_id: str, name: str, port: int) -> tuple[str, int]:
    """How a name is resolved, and the port of this machine that stands for its port."""
    with turn():
        resolved = dns.resolve(account_id, name)
        if resolved and resolved.load_balancer:
            return resolved.way, _port_of(account_id, resolved, port)
    address = internet.names().get(name)
    if address and port == internet.HTTPS_PORT:
        return name, internet.ports()[address]
    raise OriginError(502, f"CloudFront wasn't able to resolve the origin domain name {name}")


def _port_of(account_id: str, resolved: dns.Resolved, port: int) -> int:
    """The port of this machine of a load balancer's listener; without a way there, packets are lost: a timeout."""
    balancer, region = resolved.load_balancer, resolved.region
    verdict = network_paths.from_cloudfront(account_id, region, balancer, port)
    if not verdict.is_allowed:
        raise OriginError(504, str(verdict))
    for listener in balancer.listeners.values():
        if int(listener.port) == port:
            return load_balancers.port_of(account_id, region, listener)
    raise OriginError(502, f"{balancer.name} does not listen on port {port}")


def _connecting(port: int, connection_seconds: float, seconds: float) -> Callable[[], socket.socket]:
    def connect() -> socket.socket:
        plain = socket.create_connection((HOST, port), timeout=connection_seconds)
        plain.settimeout(seconds)
        return plain

    return connect


def _attempted(connect: Callable[[], socket.socket], attempts: int) -> socket.socket:
    for _ in range(attempts - 1):
        try:
            return connect()
        except OSError:
            continue
    return connect()


def _encrypted(plain: socket.socket, host: str, config: Config) -> ssl.SSLSocket:
    """By TLS; the certificate must be valid, and for the name in the header Host.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-https-cloudfront-to-custom-origin.html
    """
    context = ssl.create_default_context(cadata=authority().pem.decode())
    context.minimum_version = min(TLS_VERSIONS[one] for one in items(config, "OriginSslProtocols"))
    return context.wrap_socket(plain, server_hostname=host)


def _exchanged(server: http.client.HTTPConnection, request: Request) -> Answer:
    server.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.items():
        if name.lower() not in HOP_BY_HOP and name.lower() != "content-length":
            server.putheader(name, value)
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        server.putheader("Content-Length", str(len(request.body)))
    server.endheaders(request.body or None)
    response = server.getresponse()
    body = response.read()
    kept = tuple((name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP)
    return Answer(status=response.status, headers=kept, body=body)
