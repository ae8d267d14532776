"""Traces by OpenTelemetry: a span for each request, whose context goes into the queue's message.

Nothing is recorded without OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. Each names a collector,
or AWS X-Ray itself (https://xray.REGION.amazonaws.com/v1/traces): then requests are signed with the task's role.
OTEL_TRACES_SAMPLER sets the sampling rate.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
XRAY = re.compile(r"xray\.([a-z0-9-]+)\.amazonaws\.com")
TRACE_CONTEXT = ("traceparent",)  # tracestate is dropped: a client may write anything into it

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("payments")


def configure(service: str) -> None:
    """Record spans and export them, if the environment names an endpoint."""
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return
    # Imported here: they are slow to load, and the functions that include this package do not have them.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(session=signing_session())))
    trace.set_tracer_provider(provider)


def signing_session() -> Any:
    """A session of requests that signs requests to X-Ray by SigV4, and leaves others as they are."""
    import botocore.session
    import requests
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    credentials = botocore.session.get_session().get_credentials()

    def sign(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        found = XRAY.fullmatch(urlsplit(prepared.url or "").hostname or "")
        if found and credentials:
            signed = AWSRequest(prepared.method, prepared.url, data=prepared.body, headers={})
            SigV4Auth(credentials, "xray", found[1]).add_auth(signed)
            prepared.headers.update(dict(signed.headers))
        return prepared

    session = requests.Session()
    session.auth = sign
    return session


@contextmanager
def request(headers: Mapping[str, str]) -> Iterator[Span]:
    """The span of a request, a child of the caller's span if the request names one."""
    carrier = {name: headers[name] for name in TRACE_CONTEXT if TRACEPARENT.fullmatch(headers.get(name, ""))}
    context = _propagator.extract(carrier) if carrier else None
    with _tracer.start_as_current_span("request", context, SpanKind.SERVER) as span:
        yield span


def record_response(span: Span, method: str, route: str | None, status: int) -> None:
    """Name a request's span after the route's template, and record the response's status."""
    if not span.is_recording():
        return
    span.update_name(f"{method} {route}" if route else method)
    span.set_attributes({"http.request.method": method, "http.response.status_code": status})
    if route:
        span.set_attribute("http.route", route)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_status(Status(StatusCode.ERROR))


def traceparent() -> str | None:
    """The W3C traceparent of the current span, if it is recorded."""
    if not trace.get_current_span().get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")
