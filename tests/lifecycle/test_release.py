"""Releases of a service of the deployed platform, by the command (W2.4)."""

from __future__ import annotations

import pytest

from tests.lifecycle.clients import NEW
from tests.lifecycle.traffic import Moved

pytestmark = [pytest.mark.lifecycle, pytest.mark.requirement("W1.2", "W2.3", "W2.4", "Q2")]

GREEN = {"production": {"blue": 0, "green": 100}, "test": {"blue": 0, "green": 100}}


def test_a_release_ends_with_the_new_image(moved: Moved) -> None:
    released = moved.releases.released
    assert (released.code, released.image) == (0, NEW), released.output
    assert released.weights == GREEN
    assert moved.releases.asked == ["/"]  # by the smoke test, through the test listener


def test_release_rolled_back_by_an_alarm_keeps_the_image_and_the_weights(moved: Moved) -> None:
    rolled_back = moved.releases.rolled_back
    assert (rolled_back.code, rolled_back.image) == (3, NEW), rolled_back.output
    assert "web-blue-slow" in rolled_back.output
    assert rolled_back.weights == GREEN


def test_plan_is_empty_after_releases(moved: Moved) -> None:
    """After one that was taken back stands all that the one before it has left: its image, its colour, its weights."""
    assert moved.releases.plan == []
