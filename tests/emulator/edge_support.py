"""A distribution in a local AWS with origins of the test's own, and a viewer that connects as a browser does."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from emulator import running
from emulator.process import Server
from tests.emulator.release_support import Make

ZONE, HOST = "example.com", "pay.example.com"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
NOTHING: dict[str, Any] = {
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}
ALL_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]


def listed(*values: Any) -> dict[str, Any]:
    """A list in CloudFront's form."""
    return {"Quantity": len(values), "Items": list(values)}


@dataclass(frozen=True)
class Response:
    """What a viewer received; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def echoed(self) -> dict[str, Any]:
        """The request as the origin received it."""
        received: dict[str, Any] = json.loads(self.body)
        return received


class Origin(ThreadingHTTPServer):
    """An origin that answers with the request that it received; ``status`` and ``headers`` may change."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.status, self.headers, self.requests = 200, dict[str, str](), list[str]()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_port}"


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def _serve(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.requests.append(f"{self.command} {self.path}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        number = len(self.server.requests)
        said = json.dumps({"path": self.path, "headers": headers, "body": sent, "number": number}).encode()
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (the server's names)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def origin(server: Server, name: str) -> Iterator[Origin]:
    """An origin behind a name of the internet."""
    made = Origin()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    running.stand_on_the_internet(server, name, made.url)
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


@dataclass
class Edge:
    """A distribution for :data:`HOST` and its DNS; ``change`` changes members of its configuration."""

    server: Server
    client: Make
    id: str = ""
    changed: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, server: Server, client: Make, **members: Any) -> Edge:
        certificate = client("acm", region="us-east-1").request_certificate(DomainName=HOST)["CertificateArn"]
        config = {
            "CallerReference": str(uuid.uuid4()),
            "Comment": "",
            "Enabled": True,
            "Aliases": listed(HOST),
            "ViewerCertificate": {
                "ACMCertificateArn": certificate,
                "SSLSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1.2_2021",
            },
            **members,
        }
        made = client("cloudfront").create_distribution(DistributionConfig=config)["Distribution"]
        route53 = client("route53")
        zone = route53.create_hosted_zone(Name=ZONE, CallerReference=str(uuid.uuid4()))["HostedZone"]["Id"]
        alias = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": made["DomainName"], "EvaluateTargetHealth": False}
        record = {"Name": HOST, "Type": "A", "AliasTarget": alias}
        route53.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )
        return cls(server, client, made["Id"])

    def change(self, **members: Any) -> None:
        cloudfront = self.client("cloudfront")
        found = cloudfront.get_distribution_config(Id=self.id)
        config = found["DistributionConfig"]
        for name in members:
            self.changed.setdefault(name, config.get(name))
        self._put(cloudfront, config | members, found["ETag"])

    def restore(self) -> None:
        """Undo the changes, and forget what is cached."""
        cloudfront = self.client("cloudfront")
        if self.changed:
            found = cloudfront.get_distribution_config(Id=self.id)
            self._put(cloudfront, found["DistributionConfig"] | self.changed, found["ETag"])
            self.changed.clear()
        batch = {"Paths": listed("/*"), "CallerReference": str(uuid.uuid4())}
        cloudfront.create_invalidation(DistributionId=self.id, InvalidationBatch=batch)

    def _put(self, cloudfront: Any, config: dict[str, Any], etag: str) -> None:
        sent = {name: value for name, value in config.items() if value is not None}
        cloudfront.update_distribution(Id=self.id, IfMatch=etag, DistributionConfig=sent)

    def ask(self, path: str, method: str = "GET", **asked: Any) -> Response:
        return ask(running.edge(self.server, HOST), path, method, **asked)


def ask(
    edge: running.Edge,
    path: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: str | None = None,
    name: str = HOST,
    scheme: str = "https",
    address: str = "127.0.0.1",
) -> Response:
    """Send a request to the edge as a viewer with an address: its certificate is verified, for the name."""
    port = edge.https if scheme == "https" else edge.http
    connection: http.client.HTTPConnection = http.client.HTTPConnection(name)
    plain = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))
    connection.sock = _encrypted(plain, name, edge.authority) if scheme == "https" else plain
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=dict(headers or {}))
        found = connection.getresponse()
        kept = {header.lower(): value for header, value in found.getheaders()}
        return Response(found.status, kept, found.read().decode())


def _encrypted(plain: socket.socket, name: str, authority: str) -> ssl.SSLSocket:
    return ssl.create_default_context(cadata=authority).wrap_socket(plain, server_hostname=name)


def behavior(target: str, *, methods: list[str] | None = None, **members: Any) -> dict[str, Any]:
    """A cache behavior that caches nothing, unless ``members`` say otherwise."""
    allowed = listed(*(methods or ["GET", "HEAD"])) | {"CachedMethods": listed("GET", "HEAD")}
    return {
        "TargetOriginId": target,
        "ViewerProtocolPolicy": "redirect-to-https",
        "AllowedMethods": allowed,
        "Compress": False,
        "CachePolicyId": CACHING_DISABLED,
        **members,
    }


def custom_origin(origin_id: str, domain_name: str, **members: Any) -> dict[str, Any]:
    """An origin that is a server, by HTTPS."""
    return {
        "Id": origin_id,
        "DomainName": domain_name,
        "CustomOriginConfig": {
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "https-only",
            "OriginSslProtocols": listed("TLSv1.2"),
            "OriginReadTimeout": 5,
        },
        **members,
    }
