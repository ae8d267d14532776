"""Notifications of the acquirer as the service takes them; how they are applied: tests/processing."""

from __future__ import annotations

import json
import time
from uuid import UUID, uuid4

import pytest

from payments.acquirer.notifications import signature
from tests.payments.conftest import Platform, Start, client
from tests.payments.support import Running

pytestmark = [pytest.mark.requirement("Q7")]

SECRET, OTHER = b"k" * 32, b"o" * 32


def signed(body: bytes, key: bytes) -> dict[str, str]:
    now = int(time.time())
    return {"acquirer-signature": f"t={now},v1={signature(key, now, body)}"}


def test_service_takes_what_is_signed_and_has_it_processed(
    start: Start, service_platform: Platform, aws: dict[str, str]
) -> None:
    secret = client("secretsmanager", aws).create_secret(
        Name=f"notifications-{uuid4()}", SecretString=json.dumps({"notification_keys": [SECRET.decode()]})
    )["ARN"]
    running = start(service_platform, ACQUIRER_NOTIFICATION_SECRET_ARN=secret, PUBLISHES="false")
    payment = UUID(running.create().json()["id"])
    with service_platform.database.connect() as connection:
        connection.execute("DELETE FROM payments.outbox")
        row = connection.execute("SELECT acquirer_key FROM payments.operations WHERE id = %s", (payment,)).fetchone()
        assert row
        operation = {
            "key": str(row[0]),
            "kind": "sale",
            "amount": 1000,
            "currency": "USD",
            "status": "approved",
            "reference": "ref-1",
        }
        body = json.dumps({"id": "evt_1", "operation": operation}).encode()

        assert post(running, body, {}) == 403
        assert post(running, body, signed(body, OTHER)) == 403
        assert connection.execute("SELECT count(*) FROM payments.outbox").fetchone() == (0,)
        for _ in range(2):
            assert post(running, body, signed(body, SECRET)) == 204
        assert connection.execute("SELECT operation_id FROM payments.outbox").fetchall() == [(payment,)]


def post(running: Running, body: bytes, headers: dict[str, str]) -> int:
    headers = {**headers, "Content-Type": "application/json"}
    return running.client.post("/api/v1/acquirer/notifications", content=body, headers=headers).status_code


def test_service_without_a_key_takes_no_notification(service: Running) -> None:
    assert post(service, b"{}", signed(b"{}", SECRET)) == 404
