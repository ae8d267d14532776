"""docs/settings.md says what the models say."""

from __future__ import annotations

import pytest

from settings import Settings
from settings.base import SettingsModel
from settings.reference import REFERENCE, groups, meanings, reference

pytestmark = pytest.mark.requirement("W0.4")


MODELS: list[type[SettingsModel]] = [Settings, *groups(Settings)]


def test_committed_reference_equals_the_models() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(), "run `python -m settings.reference`"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_has_a_meaning(model: type[SettingsModel]) -> None:
    said = meanings(model)
    without = [name for name in model.model_fields if not said.get(name)]
    assert not without, "a string below the field says what it means"


def test_every_model_has_a_section() -> None:
    # A model that no field of Settings names would be in nobody's file, and in no section. One that another extends
    # may be named by that other alone, or by both.
    defined = {model for model in below(SettingsModel) if model.__module__.startswith("settings.")}
    assert {model for model in defined if defined.isdisjoint(model.__subclasses__())} <= set(MODELS) <= defined


def below(model: type[SettingsModel]) -> set[type[SettingsModel]]:
    """The models that extend a model, however deep."""
    return {found for one in model.__subclasses__() for found in (one, *below(one))}


@pytest.mark.parametrize(
    "row",
    [
        '| `nat_gateways` | `"none"`, `"one"`, `"one_per_zone"` | `"none"` |',
        "| `deletion_window_days` | 7 to 30 | `7` |",
        "| `account_id` | an AWS account id of 12 digits, in quotes | required |",
        "| `zones` | a list of exactly 3: a string | required |",
        "| `protected` | `true` or `false` | required |",
        "| `alarm_email_addresses` | a list: an e-mail address, such as on-call@example.com | none |",
    ],
)
def test_allowed_values_are_described_in_words(row: str) -> None:
    assert row in reference()
