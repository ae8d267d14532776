"""Adyen's API: requests and responses are held against the part of its published description in adyen/ (MIT)."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jsonschema
import pytest

from payments.acquirer.adyen import Adyen, AdyenNotifications, signature
from payments.acquirer.notifications import NotAuthentic, Notification
from payments.acquirer.port import (
    ActionRequired,
    Approved,
    Capabilities,
    Declined,
    LookUp,
    NotPerformed,
    Pending,
    Unknown,
    Unserved,
)
from payments.acquirer.settings import AcquirerSettings
from payments.states import OperationKind
from tests.processing.support import KEY, request

pytestmark = [pytest.mark.requirement("Q7")]

PUBLISHED = json.loads((Path(__file__).parent / "adyen" / "checkout-v71.json").read_text())
ADYEN = Adyen(Capabilities(look_up=LookUp.BY_REPEAT), "ACCOUNT", "https://shop.example.com/return")
PSP = "NC6HT9CRT65ZGN82"
LATER = {
    OperationKind.CAPTURE: "/payments/{paymentPspReference}/captures",
    OperationKind.REFUND: "/payments/{paymentPspReference}/refunds",
    OperationKind.VOID: "/payments/{paymentPspReference}/cancels",
}


def fits(reference: str, value: object) -> bool:
    """Whether a value fits a schema of the description."""
    schema = {"$ref": reference, "components": PUBLISHED["components"]}
    return not list(jsonschema.Draft202012Validator(schema).iter_errors(value))


def made(kind: OperationKind) -> Any:
    if kind in LATER:
        return request(kind=kind, token=None, reference=PSP)
    return request(kind=kind, token="shopper-7--8416038790273850")


@pytest.mark.parametrize("kind", OperationKind)
def test_request_is_as_published(kind: OperationKind) -> None:
    call = ADYEN.perform(made(kind))
    path = LATER.get(kind, "/payments")
    published = PUBLISHED["paths"][path]["post"]
    assert (call.method, call.path) == ("POST", path.format(paymentPspReference=PSP))
    assert call.headers == {"Idempotency-Key": str(KEY)}
    assert {"$ref": "#/components/parameters/Idempotency-Key"} in published["parameters"]
    assert fits(published["requestBody"]["$ref"], call.body)
    assert not fits(published["requestBody"]["$ref"], {**(call.body or {}), "amuont": 1}), "the description is strict"
    assert ("amount" in (call.body or {})) == (kind is not OperationKind.VOID)


def test_card_is_a_stored_one_of_its_shopper_and_captured_by_the_kind() -> None:
    sale, authorization = (
        ADYEN.perform(made(kind)).body or {} for kind in (OperationKind.SALE, OperationKind.AUTHORIZATION)
    )
    assert sale["shopperReference"] == "shopper-7"
    assert sale["paymentMethod"] == {"type": "scheme", "storedPaymentMethodId": "8416038790273850"}
    assert fits("#/components/schemas/CardDetails", sale["paymentMethod"])
    assert sale["captureDelayHours"] == 0
    assert authorization["additionalData"] == {"manualCapture": "true"}
    assert ADYEN.authorization("Bearer key") == {"X-API-Key": "key"}


def understood(kind: OperationKind, status: int, values: object, **headers: str) -> object:
    return ADYEN.interpreted(status, httpx.Headers(headers), json.dumps(values).encode(), made(kind))


SALE = OperationKind.SALE
URL = "https://checkoutshopper-test.adyen.com/3ds"
REDIRECT = {"type": "redirect", "url": URL, "method": "GET", "paymentMethodType": "scheme"}
ANSWERS: list[tuple[dict[str, Any], object]] = [
    ({"resultCode": "Authorised", "pspReference": PSP, "merchantReference": str(KEY)}, Approved(PSP)),
    (
        {"resultCode": "Refused", "pspReference": PSP, "refusalReason": "Not enough balance"},
        Declined("Not enough balance"),
    ),
    ({"resultCode": "Cancelled", "pspReference": PSP}, Declined("Cancelled")),
    ({"resultCode": "Error", "pspReference": PSP, "refusalReason": "Acquirer Error"}, Declined("Acquirer Error")),
    ({"resultCode": "Received", "pspReference": PSP}, Pending(PSP)),
    ({"resultCode": "Pending", "pspReference": PSP}, Pending(PSP)),
    ({"resultCode": "RedirectShopper", "pspReference": PSP, "action": REDIRECT}, ActionRequired(PSP, URL)),
    ({"resultCode": "PartiallyAuthorised", "pspReference": PSP}, Unknown("invalid response")),
    ({"resultCode": "Authorised"}, Unknown("invalid response")),
    (
        {"resultCode": "Authorised", "pspReference": PSP, "amount": {"value": 1, "currency": "EUR"}},
        Unknown("response for another operation"),
    ),
]


@pytest.mark.parametrize(("values", "expected"), ANSWERS, ids=str)
def test_answer_to_a_payment(values: dict[str, Any], expected: object) -> None:
    assert fits(PUBLISHED["paths"]["/payments"]["post"]["responses"]["200"], values), "Adyen could answer so"
    assert understood(SALE, HTTPStatus.OK, values) == expected


@pytest.mark.parametrize(("kind", "path"), LATER.items())
def test_modification_is_received_and_decided_later(kind: OperationKind, path: str) -> None:
    values = {
        "merchantAccount": "ACCOUNT",
        "paymentPspReference": PSP,
        "pspReference": "QFQTPCQ8HXSKGK82",
        "reference": str(KEY),
        "status": "received",
        **({} if kind is OperationKind.VOID else {"amount": {"value": 1250, "currency": "EUR"}}),
    }
    assert fits(PUBLISHED["paths"][path]["post"]["responses"]["201"], values)
    assert understood(kind, HTTPStatus.CREATED, values) == Pending("QFQTPCQ8HXSKGK82")
    other = {**values, "paymentPspReference": "ANOTHER"}
    assert understood(kind, HTTPStatus.CREATED, other) == Unknown("response for another operation")


def test_errors_say_whether_it_may_have_been_performed() -> None:
    def error(status: int, code: str, **headers: str) -> object:
        values = {"status": status, "errorCode": code, "message": "m", "errorType": "validation"}
        assert fits("#/components/schemas/ServiceError", values)
        return understood(SALE, status, values, **headers)

    assert error(422, "704") == Unknown("in progress")
    assert error(422, "101") == NotPerformed("status 422")
    assert error(401, "000") == NotPerformed("status 401", 0.0, Unserved.CREDENTIAL_REJECTED)
    assert error(422, "14_0", **{"transient-error": "true"}) == Unknown("status 422, transient", Unserved.FAILED)
    assert understood(SALE, 502, "<h1>Bad gateway</h1>") != NotPerformed("status 502")


def test_settings_say_what_adyen_is_capable_of() -> None:
    given: dict[str, Any] = {"base_url": PUBLISHED["servers"][0]["url"], "api": "adyen", "merchant_account": "ACCOUNT"}
    returning: dict[str, Any] = {"return_url": "https://shop.example.com/return"}
    assert AcquirerSettings(**given, **returning, look_up=LookUp.BY_REPEAT).capabilities.can_repeat
    wrongs: tuple[dict[str, Any], ...] = ({"look_up": LookUp.BY_REPEAT}, returning)
    for wrong in wrongs:
        with pytest.raises(ValueError, match="api adyen"):
            AcquirerSettings(**given, **wrong)


HMAC_KEY = b"44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"


def test_signature_is_that_of_adyens_own_libraries() -> None:
    item = {
        "pspReference": "7914073381342284",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    assert signature(HMAC_KEY, item) == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="


def notified(**values: Any) -> list[Notification]:
    item: dict[str, Any] = {
        "pspReference": PSP,
        "merchantAccountCode": "ACCOUNT",
        "merchantReference": str(KEY),
        "amount": {"value": 1250, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "eventDate": "2026-11-29T00:00:00+01:00",
        "success": "true",
        **values,
    }
    item["additionalData"] = values.get("additionalData", {"hmacSignature": signature(HMAC_KEY, item)})
    body = json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}).encode()
    return list(AdyenNotifications([b"00" * 32, HMAC_KEY], "ACCOUNT").read({}, body, 0))


def test_notification_is_verified_and_read() -> None:
    (found,) = notified()
    assert found == Notification(
        event_id=f"AUTHORISATION:{PSP}:true", key=KEY, decision=Approved(PSP), amount=1250, currency="EUR"
    )
    (found,) = notified(success="false", reason="Refused")
    assert found.decision == Declined("Refused")
    (found,) = notified(eventCode="CAPTURE_FAILED", reason="")
    assert found.decision == Declined("capture_failed")
    assert not notified(eventCode="REPORT_AVAILABLE")
    assert not notified(merchantReference="an order of another system")
    assert isinstance(found.key, UUID)


@pytest.mark.parametrize(
    "values", [{"additionalData": {}}, {"additionalData": {"hmacSignature": "é"}}, {"merchantAccountCode": "OTHER"}]
)
def test_notification_of_somebody_else_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(NotAuthentic):
        notified(**values)
