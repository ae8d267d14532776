"""The edge's servers: one for HTTPS and one for HTTP, on ports of 127.0.0.1, for all distributions.

A name is answered where a record of Route 53, or CloudFront's own name, leads to a distribution that has it as
alternative domain name. A connection for any other name is refused while it is made, as there it would not come here.
"""

from __future__ import annotations

import logging
import os
import ssl
import tempfile
import threading
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID

from emulator.address import HOST
from emulator.passages import passing
from emulator.runtime import dns
from emulator.runtime.authority import authority
from emulator.runtime.edge import answering
from emulator.runtime.edge.distribution import Distribution
from emulator.runtime.forwarding import Answer, Front, Request
from emulator.runtime.load_balancers import certificate_context
from emulator.turns import turn

_log = logging.getLogger(__name__)
CERTIFICATE_REGION = "us-east-1"
NOT_ASSOCIATED = "The request's name is not one of the connection's distribution."
# The oldest version of TLS of a security policy.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/secure-connections-supported-viewer-protocols-ciphers.html
_OLDEST = {"TLSv1.3": ssl.TLSVersion.TLSv1_3, "TLSv1.2": ssl.TLSVersion.TLSv1_2}


class UnknownNameError(Exception):
    """No distribution answers for a name; the message is one line for the user."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The ports of 127.0.0.1 that stand for a distribution's 443 and 80."""

    https: int
    http: int


class Edge:
    """The edge of one local AWS."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Start without servers: in a fork they belong to the original process."""
        self._lock = threading.Lock()
        self._servers: tuple[_Server, _Server] | None = None

    def ports(self) -> Ports:
        """The ports; the servers are started if they do not run."""
        with self._lock:
            if self._servers is None:
                self._servers = (_Server(is_https=True), _Server(is_https=False))
            https, http = self._servers
            return Ports(https=int(https.server_port), http=int(http.server_port))


EDGE = Edge()
"""The one of this process."""


def distribution_of(name: str) -> Distribution:
    """The distribution that answers for a name. The caller holds the turn.

    Raises:
        UnknownNameError: there is none.
        NotImplementedError: it has something that is not emulated.
    """
    with passing("DNS", "Route 53", f"A {name}") as passage:
        resolved = dns.resolve(DEFAULT_ACCOUNT_ID, name)
        if resolved is None or resolved.distribution is None:
            raise UnknownNameError(f"no record of Route 53 leads from {name} to a distribution")
        passage.way, passage.outcome = resolved.way, HOST
    found = answering.find(DEFAULT_ACCOUNT_ID, resolved.distribution)
    if name not in {*found.aliases, found.domain_name.lower()}:
        raise UnknownNameError(f"{name} is no alternative domain name of the distribution {found.id}")
    if not found.config["Enabled"]:
        raise UnknownNameError(f"the distribution {found.id} is disabled")
    return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, is_https: bool) -> None:
        super().__init__((HOST, 0), _Handler)
        self.is_https = is_https
        if is_https:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.sni_callback = _choose_certificate
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_arguments: object) -> None:
        """Ignore errors of a connection: a client that disconnects, or gets no certificate, is no fault here."""
        _log.debug("a connection ended", exc_info=True)


def _choose_certificate(connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
    """Give the connection its distribution's certificate, by the name of the client's hello."""
    asked = (name or "").lower()
    try:
        with turn():
            connection.asked_name = asked
            connection.context = _context_of(distribution_of(asked), asked)
    except (UnknownNameError, NotImplementedError) as refused:
        _log.warning("a connection to the edge for %s is refused: %s", name, refused)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    return None


def _context_of(distribution: Distribution, name: str) -> ssl.SSLContext:
    """With the distribution's certificate; its own name at CloudFront has CloudFront's."""
    certificate = distribution.config.get("ViewerCertificate") or {}
    arn = certificate.get("ACMCertificateArn")
    if arn and name != distribution.domain_name.lower():
        context = certificate_context(DEFAULT_ACCOUNT_ID, CERTIFICATE_REGION, str(arn))
    elif certificate.get("IAMCertificateId"):
        raise NotImplementedError("a certificate in IAM of a distribution")
    else:
        context = _own_context(distribution.domain_name)
    oldest = str(certificate.get("MinimumProtocolVersion") or "TLSv1.2").partition("_")[0]
    context.minimum_version = _OLDEST.get(oldest, ssl.TLSVersion.TLSv1_2)
    return context


def _own_context(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        path = Path(folder) / "certificate.pem"
        path.write_bytes(authority().issue([name]))
        context.load_cert_chain(path)
    return context


class _Handler(Front):
    server: _Server

    def reply(self, request: Request) -> Answer | None:
        """That of the distribution that has the name."""
        try:
            with turn():
                distribution = distribution_of(request.host)
            is_https = self.server.is_https
            return self._misdirected(distribution) or answering.answer(distribution, request, is_https=is_https)
        except UnknownNameError as unknown:
            _log.warning("a request to the edge is refused: %s", unknown)
            return None

    def _misdirected(self, distribution: Distribution) -> Answer | None:
        """Refuse a name of another distribution than the connection's (RFC 9110, 15.5.20)."""
        asked = getattr(self.connection, "asked_name", None)
        if asked is None or asked in {*distribution.aliases, distribution.domain_name.lower()}:
            return None
        return Answer(status=421, body=answering.page(421, NOT_ASSOCIATED))
