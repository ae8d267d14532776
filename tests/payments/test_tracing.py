"""Spans are exported to the endpoint of the environment, named by route template, and signed for X-Ray alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from mypy_boto3_sqs import SQSClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from payments import tracing
from payments.messages import ProcessOperation
from tests.payments.conftest import Platform, Start
from tests.payments.support import keyed

pytestmark = [pytest.mark.requirement("Q1")]

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector's address, and what it was sent."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", received
    server.shutdown()
    server.server_close()


def test_request_and_queue_message_continue_the_callers_trace(
    service_platform: Platform,
    start: Start,
    sqs: SQSClient,
    collector: tuple[str, list[ExportTraceServiceRequest]],
) -> None:
    url, received = collector
    # The local AWS is no proxy for this.
    running = start(service_platform, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=url, HTTP_PROXY="", http_proxy="")
    body = {"amount": 1, "currency": "USD", "token": "tok_visa_1"}
    payment = running.client.post("/api/v1/payments", json=body, headers={**keyed(), "traceparent": CALLER}).json()[
        "id"
    ]
    running.client.get(f"/api/v1/payments/{payment}", headers={"traceparent": CALLER})
    running.stop()

    spans = [
        span
        for request in received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        if span.trace_id.hex() == TRACE
    ]
    assert {span.name for span in spans} == {"POST /api/v1/payments", "GET /api/v1/payments/{payment_id}"}
    (message,) = sqs.receive_message(QueueUrl=service_platform.queue_url)["Messages"]
    trace = ProcessOperation.from_json(message["Body"]).trace
    created = next(span for span in spans if span.name.startswith("POST"))
    assert trace == f"00-{TRACE}-{created.span_id.hex()}-01"


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://xray.us-east-2.amazonaws.com/v1/traces", True),
        ("http://localhost:4318/v1/traces", False),
        ("https://xray.us-east-2.amazonaws.com.example.com/v1/traces", False),
    ],
)
def test_only_requests_to_xray_are_signed(aws: dict[str, str], url: str, signed: bool) -> None:
    session = tracing.signing_session()
    prepared = session.prepare_request(requests.Request("POST", url, data=b"spans"))
    assert ("/us-east-2/xray/aws4_request" in prepared.headers.get("Authorization", "")) is signed
