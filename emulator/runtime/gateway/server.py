"""The HTTPS server of custom domains, on a port of 127.0.0.1, with mutual TLS where a domain has it.

A client without a certificate that the trust store verifies is refused in the handshake.
https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from http.server import ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from moto.core import DEFAULT_ACCOUNT_ID

from emulator.address import HOST
from emulator.runtime.forwarding import Answer, Front, Request
from emulator.runtime.gateway import answering, deployed
from emulator.runtime.gateway.answering import Certificate
from emulator.runtime.gateway.deployed import UnknownNameError
from emulator.runtime.load_balancers import certificate_context
from emulator.turns import turn

_log = logging.getLogger(__name__)


class Gateway:
    """The servers of one local AWS: one for each region."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Start without servers: in a fork they belong to the original process."""
        self._lock = threading.Lock()
        self._servers: dict[str, _Server] = {}

    def port(self, region: str) -> int:
        """The port that stands for 443 of a region's custom domains; its server is started if it does not run."""
        with self._lock:
            if region not in self._servers:
                self._servers[region] = _Server(region)
            return int(self._servers[region].server_port)


GATEWAY = Gateway()
"""The one of this process."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, region: str) -> None:
        super().__init__((HOST, 0), _Handler)
        self.region = region
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_OPTIONAL  # the domain's own context decides
        context.sni_callback = self._choose
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        """Give the connection its domain's certificate and trust store, by the name of the client's hello."""
        try:
            domain = deployed.domain(self.region, (name or "").lower())
        except UnknownNameError as unknown:
            _log.warning("a connection to API Gateway for %s is refused: %s", name, unknown)
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        with turn():
            context = certificate_context(DEFAULT_ACCOUNT_ID, self.region, domain.certificate)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if domain.trust_store:
            context.load_verify_locations(cadata=domain.trust_store.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        connection.context = context
        return None

    def handle_error(self, *_arguments: object) -> None:
        """Ignore errors of a connection: a client that disconnects, or shows no certificate, is no fault here."""
        _log.debug("a connection ended", exc_info=True)


class _Handler(Front):
    server: _Server

    def reply(self, request: Request) -> Answer:
        """That of the custom domain."""
        try:
            domain = deployed.domain(self.server.region, request.host)
            certificate = _shown(self.connection)
            if domain.trust_store and certificate is None:
                raise UnknownNameError(f"a connection without a certificate asks for {request.host}")
            return answering.answer(domain, request, certificate)
        except UnknownNameError as unknown:
            _log.warning("a request to API Gateway is refused: %s", unknown)
            return Answer(status=403, body=b'{"message":"Forbidden"}')


def _shown(connection: Any) -> Certificate | None:
    found = connection.getpeercert(binary_form=True)
    if not found:
        return None
    certificate = x509.load_der_x509_certificate(found)
    return Certificate(
        pem=certificate.public_bytes(Encoding.PEM).decode(),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=str(certificate.serial_number),
        not_before=f"{certificate.not_valid_before_utc:%b %d %H:%M:%S %Y GMT}",
        not_after=f"{certificate.not_valid_after_utc:%b %d %H:%M:%S %Y GMT}",
    )
