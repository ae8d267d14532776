"""The rehearsal of the payment API: its events, what an update may replace, and whose key is on a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from emulator.ministack import existing
from operations.outcome import Failed, Refused, console
from operations.payment_api.local import LocalPaymentApi, changed
from operations.payment_api.pay import DeployedApi
from operations.payment_api.rehearsal import changes
from operations.payment_api.rehearsal.doors import KeyedDoor
from operations.payment_api.rehearsal.events import EVENTS, Operator
from operations.rehearsal.course import chosen
from payment_api.settings import load
from payment_api.settings.data import SecretSettings

DIGEST = "0" * 64


class Door:
    """A front door that notes the headers."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def client(self, headers: dict[str, str]) -> httpx.Client:
        self.headers = headers
        return httpx.Client()


def test_events_happen_in_their_order_and_an_unknown_one_is_refused() -> None:
    assert [one.name for one in chosen(["rollback", "rotation"], EVENTS)] == ["rotation", "rollback"]
    assert chosen([], EVENTS) == list(EVENTS)
    names = {one.name for one in EVENTS}
    assert {
        "rotation",
        "secrets",
        "credential",
        "canary",
        "rollback",
        "update",
        "pull-request",
        "failed-creation",
    } < names
    with pytest.raises(
        Refused, match="--only: 'flood' is not allowed; an event is: quiet, rotation, secrets, credential, canary"
    ):
        chosen(["flood"], EVENTS)


def test_each_request_has_the_key_of_the_plan_and_the_merchants_own() -> None:
    door: Any = Door()
    KeyedDoor(door=door, api_key="of the plan").client({"Authorization": "Bearer own"})
    assert door.headers == {"x-api-key": "of the plan", "Authorization": "Bearer own"}


def test_every_change_is_one_that_the_settings_take(tmp_path: Path) -> None:
    for name, toml in {"all": changes.CHANGES.format(digest=DIGEST), "image": changes.image(DIGEST)}.items():
        path = tmp_path / f"{name}.toml"
        path.write_text(changed('extends = "local"\nenvironment_suffix = "local"', toml), encoding="utf-8")
        assert load(str(path)).service.image.endswith(DIGEST)
        assert load(str(path)).names == load("local").names


class Replacing(LocalPaymentApi):
    """A deployment whose update replaces some resources."""

    after: dict[str, str]

    def update(self, changes: str) -> dict[str, str]:
        assert "[service]" in changes
        return self.after


@pytest.mark.parametrize(
    ("logical", "is_allowed"),
    [("documentsbucket1", False), ("databasecluster1", False), ("gatewayapiDeployment1", True), ("servicetask1", True)],
)
def test_an_update_that_replaces_what_holds_data_is_a_failure(logical: str, is_allowed: bool, tmp_path: Path) -> None:
    local = Replacing(console(), directory=tmp_path)
    local.after = {f"stack/{logical}": "new", "stack/other": "same"}
    api: Any = None
    operator = Operator(local=local, api=api, deployed={f"stack/{logical}": "old", "stack/other": "same"})
    if is_allowed:
        assert operator.update(changes.image(DIGEST)) == {f"stack/{logical}"}
    else:
        with pytest.raises(Failed, match=f"replaced: stack/{logical}"):
            operator.update(changes.image(DIGEST))


def test_rehearsal_reads_a_deployment_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="run make deploy-api-local"):
        DeployedApi.find(tmp_path)


def test_what_must_exist_beside_has_each_secret_that_the_settings_name() -> None:
    """One that was made and not deleted, or not known as what must exist, is left of a pull request's environment."""
    settings = load("local")
    named = {name for name, field in SecretSettings.model_fields.items() if field.annotation is str}
    assert set(existing.SECRETS) == named - {"key_arn"}
    assert len(set(existing.secret_names(settings))) == len(existing.SECRETS) > 0
