"""Overload, unreachable dependencies, shutdown and TLS."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest

from tests.payments.conftest import Platform, Start
from tests.payments.load import until
from tests.payments.support import Running

pytestmark = [pytest.mark.requirement("Q1")]

ALONE = {"MERCHANT_SHARE": "1"}
"""Of the service, for the limits of all merchants together."""
LOCK = "LOCK TABLE payments.payments IN ACCESS EXCLUSIVE MODE"


def overloaded(answer: httpx.Response) -> bool:
    problem = answer.json()
    return (
        answer.status_code == 503
        and int(answer.headers["Retry-After"]) >= 1
        and problem["type"] == "urn:payments:problem:overloaded"
    )


def test_requests_above_the_wait_queue_get_503_at_once_and_the_others_succeed(
    service_platform: Platform, start: Start
) -> None:
    running = start(service_platform, DATABASE_CONNECTIONS="3", WAITING_REQUESTS="4", WAITING_SECONDS="20", **ALONE)
    answers: list[httpx.Response] = []
    with ThreadPoolExecutor(30) as clients, service_platform.database.connect() as blocker, blocker.transaction():
        blocker.execute(LOCK)
        for _ in range(30):
            clients.submit(lambda: answers.append(running.create()))
        # Two requests hold connections and four wait; none of them completes before the others got their 503.
        until(lambda: len(answers) == 24, "answers while the database is held")
        assert all(overloaded(answer) for answer in answers)
        assert running.client.get("/api/health").status_code == 200
    assert sorted(answer.status_code for answer in answers) == [202] * 6 + [503] * 24


def test_request_that_waits_too_long_gets_503_and_is_never_started(service_platform: Platform, start: Start) -> None:
    running = start(service_platform, DATABASE_CONNECTIONS="3", WAITING_SECONDS="0.2", **ALONE)
    with ThreadPoolExecutor(2) as clients, service_platform.database.connect() as blocker:
        with blocker.transaction():
            blocker.execute(LOCK)
            held = [clients.submit(running.create) for _ in range(2)]
            until(lambda: waiting_for_locks(service_platform) == 2, "requests that the database holds")
            assert overloaded(running.create(reference="too-late"))
        assert [one.result().status_code for one in held] == [202, 202]
    with service_platform.database.connect() as connection:
        query = "SELECT count(*) FROM payments.payments WHERE reference = 'too-late'"
        assert connection.execute(query).fetchone() == (0,)


def waiting_for_locks(platform: Platform) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
    with platform.database.server.connect() as connection:
        row = connection.execute(query, (platform.database.name,)).fetchone()
    assert row
    return int(row[0])


def test_slow_database_is_503_within_its_timeout(service_platform: Platform, start: Start) -> None:
    running = start(service_platform)
    with service_platform.database.connect() as blocker, blocker.transaction():
        blocker.execute(LOCK)
        assert overloaded(running.create())
    assert running.create().status_code == 202


def test_readiness_follows_the_database(service_platform: Platform, start: Start) -> None:
    with service_platform.database.connect() as connection:
        running = start(service_platform)
        connection.execute("ALTER TABLE payments.transitions RENAME TO elsewhere")
        until(lambda: running.client.get("/api/ready").status_code == 503, "sign that it is not ready")
        assert running.client.get("/api/health").status_code == 200
        connection.execute("ALTER TABLE payments.elsewhere RENAME TO transitions")
        until(lambda: running.client.get("/api/ready").status_code == 200, "sign that it is ready")


def test_draining_service_is_not_ready_and_still_accepts_requests(service_platform: Platform, start: Start) -> None:
    running = start(service_platform, DRAIN_SECONDS="3")
    running.process.terminate()

    def draining() -> bool:
        return running.client.get("/api/ready").status_code == 503

    until(draining, "sign that it stops")
    answer = running.create()
    assert (answer.status_code, answer.headers["Connection"]) == (202, "close")
    assert running.process.wait(30) == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
@pytest.mark.requirement("W5.5")
def test_each_process_has_its_own_tls_key_and_rejects_old_tls(service_platform: Platform, start: Start) -> None:
    first, second = start(service_platform, tls=True), start(service_platform, tls=True)

    assert first.create().status_code == 202
    assert certificate(first) != certificate(second)
    with pytest.raises(httpx.TransportError):
        httpx.get(first.url.replace("https", "http"), trust_env=False)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        certificate(first, ssl.TLSVersion.TLSv1_1)


def certificate(running: Running, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if newest is ssl.TLSVersion.TLSv1_1:
        context.minimum_version = newest
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = newest
    address = urlsplit(running.url)
    with (
        closing(socket.create_connection((address.hostname, address.port), 10)) as plain,
        context.wrap_socket(plain, server_hostname="payments") as encrypted,
    ):
        return encrypted.getpeercert(binary_form=True) or b""
