"""How additions to moto are made: an override of what moto has, or what it lacks; all of them are installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from emulator.moto import SERVICES, install
from emulator.moto.extend import add, override, override_property

pytestmark = pytest.mark.requirement("W8.2")


class Original:
    value = property(lambda _self: "original")

    def greet(self, name: str) -> str:
        return f"hello {name}"


def test_an_override_may_call_the_original_and_must_have_one() -> None:
    @override(Original)
    def greet(original: Callable[..., str], self: Any, name: str) -> str:
        return original(self, name.upper())

    @override_property(Original)
    def value(_self: Any) -> str:
        return "replaced"

    assert Original().greet("b") == "hello B"
    assert Original().value == "replaced"
    with pytest.raises(AttributeError, match="wave"):

        @override(Original)
        def wave(_original: Callable[..., str], _self: Any) -> None: ...

    with pytest.raises(AttributeError, match="greet is no property"):
        override_property(Original)(greet)


def test_an_addition_that_moto_has_by_now_is_noticed() -> None:
    @add(Original)
    def wave(_self: Any) -> str:
        return "waved"

    assert Original().wave() == "waved"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="already has wave"):
        add(Original)(wave)


def test_every_module_of_additions_is_installed() -> None:
    from importlib.resources import files

    modules = {entry.name.removesuffix(".py") for entry in files("emulator.moto").iterdir() if entry.is_file()}
    assert modules - {"__init__", "cloudfront_stored", "ecs_deployments", "extend"} == set(SERVICES)
    install()
    install()
    assert json.dumps(sorted(SERVICES)) == json.dumps(list(SERVICES))
