"""Log lines have nothing that a client sent, and what is needed to find and count its requests."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from shared import json_lines
from shared import payment_metrics as metrics
from tests.payments.conftest import Platform, Start
from tests.payments.load import until
from tests.payments.support import KEY_VARIABLE, Running, keyed

MARK = "5ECRET"
LETTERS = "MaRkEdVaLuE"
MARKED = f"{LETTERS}-{MARK}-4711"
VALID = {"amount": 1000, "currency": "USD", "token": f"tok_{MARKED}"}
HEADERS = {
    "Cookie": f"session={MARKED}",
    "User-Agent": MARKED,
    "Referer": f"https://example.com/{MARKED}",
    "X-Forwarded-For": MARKED,
    "X-Correlation-Id": MARKED,
    "X-Amzn-Trace-Id": MARKED,
    "X-Api-Key": MARKED,
    "X-Origin-Verify": MARKED,
    "traceparent": MARKED,
    "tracestate": f"a={MARKED}",
    "baggage": f"a={MARKED}",
    "Accept-Language": MARKED,
    f"X-{MARKED}": MARKED,
}


def send_marked_values_everywhere(running: Running) -> list[str]:
    """Through every member, header, parameter and path; well and wrong. Returns the bodies of errors."""
    post, get = running.client.post, running.client.get
    path = "/api/v1/payments"
    payment = post(path, json={**VALID, "reference": MARKED}, headers={**HEADERS, **keyed(MARKED)}).json()["id"]
    answers = [
        *(post(path, json={**VALID, name: MARKED}, headers=keyed()) for name in ("amount", "currency", "capture")),
        post(path, json={**VALID, "token": f"tok {MARKED}"}, headers=keyed()),
        post(path, json={**VALID, "reference": f"a {MARKED}"}, headers=keyed()),
        post(path, json={**VALID, MARKED: 1}, headers=keyed()),
        post(path, json={**VALID, "token": f"4111111111111111/{MARKED}"}, headers=keyed()),
        post(path, json=VALID, headers=keyed(f"a {MARKED}")),
        post(path, json=VALID, headers=keyed(MARKED)),
        post(path, content=f'{{"{MARKED}', headers={**keyed(), "Content-Type": "application/json"}),
        post(path, content=MARKED, headers={**keyed(), "Content-Type": f"text/{MARKED}"}),
        post(f"{path}?{MARKED}={MARKED}", json={"token": MARKED}, headers=keyed()),
        *(
            post(f"{path}/{payment}/{what}", json={"amount": MARKED}, headers=keyed())
            for what in ("captures", "refunds")
        ),
        post(f"{path}/{payment}/voids", json={MARKED: MARKED}, headers=keyed()),
        post(f"{path}/{payment}/refunds", json={"amount": 1}, headers=keyed(f"{MARKED}-2")),
        *(get(path, params={name: MARKED}) for name in ("limit", "cursor", "status")),
        get(f"{path}/{MARKED}"),
        get(f"/{MARKED}"),
        get(path, headers={"Authorization": f"Bearer {MARKED}"}),
        get(path, headers={"Authorization": f"{MARKED} {running.key}"}),
        get(path, headers={"Authorization": f"Bearer {running.key}{MARKED}"}),
        running.client.request(LETTERS, path),
        running.client.request("DELETE", path, params={"a": MARKED}),
    ]
    assert {answer.status_code // 100 for answer in answers} == {4}
    return [answer.text for answer in answers]


@pytest.mark.requirement("W5.2", "P5.1")
def test_no_value_sent_by_a_client_is_logged(service_platform: Platform, start: Start) -> None:
    running = start(service_platform)
    errors = send_marked_values_everywhere(running)
    with service_platform.database.connect() as connection:
        # Also when the database fails with a message of its own that quotes a row, and when our own code does.
        connection.execute("ALTER TABLE payments.payments ADD CONSTRAINT other CHECK (currency <> 'CHF')")
        failed = running.create(currency="CHF", token=f"tok_{MARKED}", reference=MARKED)
        assert failed.status_code == 500
        connection.execute("ALTER TABLE payments.idempotency_keys RENAME TO elsewhere")
        assert running.create(f"key-{MARKED}", token=f"tok_{MARKED}").status_code == 500
    running.stop()

    written = running.log.read_text()
    for text in [written, failed.text, *errors]:
        assert MARK.lower() not in text.lower()
        assert LETTERS.lower() not in text.lower()
    password, secret = "Correct-Horse", service_platform.environment["AWS_SECRET_ACCESS_KEY"]
    assert password not in written
    assert secret not in written
    assert service_platform.environment[KEY_VARIABLE].rpartition("_")[2] not in written
    errors_logged = [line for line in json_lines.read(running.log) if line["level"] == "ERROR"]
    assert {line["error"] for line in errors_logged} == {"CheckViolation", "UndefinedTable"}
    assert all(line["raised_at"] and line["correlation_id"] for line in errors_logged)


@pytest.mark.requirement("W5.2", "P5.1")
def test_request_line_has_correlation_id_route_and_status(service: Running) -> None:
    correlation_id = str(uuid4())
    payment = service.client.post(
        "/api/v1/payments", json=VALID, headers={**keyed(), "X-Correlation-Id": correlation_id}
    ).json()["id"]

    service.client.get(f"/api/v1/payments/{payment}", headers={"X-Correlation-Id": correlation_id})

    def found() -> list[dict[str, Any]]:
        return [line for line in json_lines.read(service.log) if line.get("correlation_id") == correlation_id]

    until(lambda: len(found()) == 2, "lines of two requests")
    created, read = found()
    assert (created["method"], created["route"], created["status"]) == ("POST", "/api/v1/payments", 202)
    assert (read["method"], read["route"], read["status"]) == ("GET", "/api/v1/payments/{payment_id}", 200)
    assert created["milliseconds"] > 0


@pytest.mark.requirement("W5.2", "P5.1")
def test_repeated_request_is_counted_once_in_embedded_metric_format(service_platform: Platform, start: Start) -> None:
    running = start(service_platform)
    for _ in range(2):
        running.create("counted-1")
    running.stop()

    counted = [line for line in json_lines.read(running.log) if metrics.STARTED.name in line]
    (line,) = counted
    assert line[metrics.STARTED.name] == 1
    assert (line["Environment"], line["Service"]) == ("test", "payments")
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "Payments",
        "Dimensions": [["Environment", "Service"], ["Environment"]],
        "Metrics": [{"Name": "PaymentsStarted", "Unit": "Count"}],
    }
    (sent,) = (line for line in json_lines.read(running.log) if metrics.OUTBOX_AGE.name in line)
    assert len(sent[metrics.OUTBOX_AGE.name]) == 1


def test_successful_probes_are_not_logged(service_platform: Platform, start: Start) -> None:
    running = start(service_platform)
    for path in ("/api/health", "/api/ready") * 3:
        assert running.client.get(path).status_code == 200
    running.stop()
    assert not [line for line in json_lines.read(running.log) if line["message"] == "request handled"]
