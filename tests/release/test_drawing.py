"""What a person sees of a release, and what it says of the time to come."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from operations.release.drawing import drawn, picture
from operations.release.progress import Alarm, Event, Look, Plan
from operations.release.service import Place, _shift_minutes
from operations.watching import clock

pytestmark = [pytest.mark.requirement("W2.4")]
BEGAN = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
PLACE = Place(service="web", name="payments-web-prod", cluster="c", region="us-east-2", hook_arn="h")
PLAN = Plan(shift=timedelta(minutes=5), bake=timedelta(minutes=10), alarms=("slow",), rolls_back=True)
ALARMS = (Alarm("payments/prod/web-slow", "OK"), Alarm("payments/prod/web-errors", "ALARM", "12 % of 300"))


def minute(number: float) -> datetime:
    return BEGAN + timedelta(minutes=number)


def event(
    name: str, status: str = "Succeeded", began: float = 0, ended: float | None = None, message: str = ""
) -> Event:
    return Event(
        name=name,
        status=status,
        began=minute(began),
        ended=None if ended is None else minute(ended),
        message=message,
    )


def look(*events: Event, **changes: Any) -> Look:
    values: dict[str, Any] = {"deployment_id": "d-1", "status": "InProgress", "began": BEGAN, "events": events}
    return Look(**{**values, **changes})


INSTALLED = event("Install", began=0, ended=2)
SHIFTING = event("AllowTraffic", "InProgress", began=3)
SHIFTED = event("AllowTraffic", began=3, ended=8)
BAKING = event("AfterAllowTraffic", began=8, ended=9)


@pytest.mark.parametrize(
    ("seen", "now", "remaining"),
    [
        (look(), 1, 15),
        (look(INSTALLED), 2.5, 15),
        (look(INSTALLED, SHIFTING), 3, 15),
        (look(INSTALLED, SHIFTING), 5, 13),
        (look(INSTALLED, SHIFTING), 30, 10),  # never less than what is still to come after it
        (look(INSTALLED, SHIFTED), 8, 10),
        (look(INSTALLED, SHIFTED, BAKING), 10, 9),
        (look(INSTALLED, SHIFTED, BAKING), 40, 0),
        (look(INSTALLED, SHIFTED, BAKING, status="Succeeded"), 10, 0),
        (look(INSTALLED, status="Failed"), 3, 0),
    ],
)
def test_the_time_to_come_is_that_of_the_canary_and_of_the_baking(seen: Look, now: float, remaining: float) -> None:
    assert seen.remaining(PLAN, minute(now)) == timedelta(minutes=remaining)


def test_elapsed_time_ends_with_the_deployment() -> None:
    assert look().elapsed(minute(4)) == timedelta(minutes=4)
    assert look(status="Succeeded", ended=minute(9)).elapsed(minute(60)) == timedelta(minutes=9)
    assert look().elapsed(minute(-1)) == timedelta()  # a clock that is behind AWS's


@pytest.mark.parametrize(
    ("seen", "stage"),
    [
        (look(status="Created"), "Created"),
        (look(INSTALLED, SHIFTING), "AllowTraffic"),
        (look(INSTALLED, SHIFTED, BAKING), "baking"),
        (look(status="Succeeded"), "Succeeded"),
        (look(status="Failed", rollback_id="d-2", rollback_status="InProgress"), "rolling back"),
        (look(status="Failed", rollback_id="d-2", rollback_status="Succeeded"), "Failed"),
    ],
)
def test_stage_is_the_current_lifecycle_event(seen: Look, stage: str) -> None:
    assert seen.stage == stage


FAILED_HOOK = event("AfterAllowTestTraffic", "Failed", message="status 503")
CUT_SHORT = event("AllowTraffic", "Failed")


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (look(FAILED_HOOK, status="Failed", error_code="HOOK_EXECUTION_FAILURE", error_message="it failed"),
         "the smoke test, AfterAllowTestTraffic, failed: status 503"),
        (look(event("BeforeAllowTraffic", "Failed"), status="Failed", error_message="it failed"),
         "BeforeAllowTraffic, failed: it failed"),
        (look(CUT_SHORT, status="Stopped", error_code="ALARM_ACTIVE", alarms=ALARMS),
         "alarm payments/prod/web-errors (12 % of 300)"),
        (look(CUT_SHORT, status="Stopped", error_code="ALARM_ACTIVE", error_message="alarms: <x>"), "alarms: <x>"),
        (look(CUT_SHORT, status="Stopped", error_code="MANUAL_STOP", error_message="by a user"),
         "it was stopped: by a user"),
        (look(status="Stopped"), "it was stopped"),
        (look(status="Failed", error_code="IAM_ROLE_PERMISSIONS", error_message="no"), "IAM_ROLE_PERMISSIONS: no"),
    ],
)  # fmt: skip
def test_the_cause_is_named(seen: Look, cause: str) -> None:
    assert seen.cause({}) == cause


def test_an_alarm_that_is_off_again_is_the_cause_all_the_same() -> None:
    seen = look(CUT_SHORT, status="Stopped", error_code="ALARM_ACTIVE", error_message="an alarm was on")

    assert seen.cause({"errors": ALARMS[1]}) == "alarm payments/prod/web-errors (12 % of 300)"


def test_an_alarm_that_was_on_before_is_no_cause_of_another_failure() -> None:
    seen = look(FAILED_HOOK, status="Failed", error_code="HOOK_EXECUTION_FAILURE", alarms=ALARMS)

    assert "alarm" not in seen.cause({one.name: one for one in ALARMS})


def drawing(seen: Look, *, terminal: bool, now: float = 5, width: int = 100) -> str:
    said = io.StringIO()
    colours = "truecolor" if terminal else "auto"  # what a terminal can is not for the test run's own to say
    console = Console(file=said, force_terminal=terminal, width=width, highlight=False, color_system=colours)  # type: ignore[arg-type]
    console.print(picture(PLACE, PLAN, seen, minute(now)))
    return said.getvalue()


def test_display_has_share_times_events_alarms_and_service_messages() -> None:
    seen = look(
        INSTALLED,
        SHIFTING,
        green_percent=10.0,
        alarms=ALARMS,
        service_events=("12:04:01 (service web) has reached a steady state.",),
    )

    lines = [line.rstrip() for line in drawing(seen, terminal=False).splitlines()]

    assert lines[0] == "web in us-east-2  d-1  AllowTraffic"
    assert lines[1].endswith("green 10 %  blue 90 %")
    assert lines[2] == "5:00 elapsed, at least 13:00 to go"
    assert [line.split() for line in lines if line.startswith(("  Install", "  AllowTraffic"))] == [
        ["Install", "Succeeded"],
        ["AllowTraffic", "InProgress"],
    ]
    assert any(line.split()[:2] == ["payments/prod/web-slow", "OK"] for line in lines if line)
    assert any("web-errors" in line and "ALARM" in line and "12 % of 300" in line for line in lines)
    assert lines[-1] == "  12:04:01 (service web) has reached a steady state."


@pytest.mark.parametrize(("percent", "full"), [(None, 0), (0.0, 0), (10.0, 3), (50.0, 15), (100.0, 30)])
def test_the_bar_is_to_scale(percent: float | None, full: int) -> None:
    line = drawing(look(green_percent=percent), terminal=False).splitlines()[1]

    assert line.startswith("█" * full + "░" * (30 - full) + "  ")


def test_colour_is_for_terminals_only() -> None:
    seen = look(INSTALLED, green_percent=10.0, alarms=ALARMS)

    assert "\x1b[" in drawing(seen, terminal=True)
    assert "\x1b[" not in drawing(seen, terminal=False)


def test_text_of_others_is_no_markup() -> None:
    seen = look(event("Install", message="[bold]x[/bold]"), service_events=("[red]y",), alarms=(Alarm("[a]", "ALARM"),))

    for terminal in (True, False):
        text = drawing(seen, terminal=terminal)
        assert all(part in text for part in ("[bold]x[/bold]", "[red]y", "[a]"))


def test_a_narrow_terminal_gets_a_picture_as_well() -> None:
    seen = look(INSTALLED, alarms=ALARMS, service_events=("12:04:01 " + "long " * 50,))

    assert all(len(line) <= 40 for line in drawing(seen, terminal=False, width=40).splitlines())


def said_in_lines(*looks: Look) -> list[str]:
    said = io.StringIO()
    with drawn(Console(file=said, width=200, soft_wrap=True), PLACE, PLAN) as show:
        for one in looks:
            show(one)
    return said.getvalue().splitlines()


def test_where_there_is_no_terminal_a_change_is_a_line_and_nothing_else_is() -> None:
    first, second = look(INSTALLED), look(INSTALLED, SHIFTING, green_percent=10.0, alarms=ALARMS)

    lines = said_in_lines(first, first, second, second, second)

    assert len(lines) == 2
    assert lines[0].startswith("web d-1: InProgress; green has no traffic yet; ")
    assert lines[1].startswith("web d-1: AllowTraffic; green 10 %; in alarm: payments/prod/web-errors; ")


def test_where_there_is_no_terminal_a_long_silence_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.release.drawing.SECONDS_BETWEEN_LINES", 0.0)

    assert len(said_in_lines(look(), look(), look())) == 3


def test_on_a_terminal_the_last_picture_stays() -> None:
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, width=100, height=50)
    with drawn(console, PLACE, PLAN) as show:
        show(look(status="Created"))
        show(look(INSTALLED, status="Succeeded", green_percent=100.0))

    assert "green 100 %" in said.getvalue().rpartition("Created")[2]
    assert said.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in said.getvalue()  # the cursor is back


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (9.4, "0:09"), (249, "4:09"), (3600, "60:00")])
def test_times_are_minutes_and_seconds(seconds: float, text: str) -> None:
    assert clock(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("routing", "minutes"),
    [
        ({"type": "AllAtOnce"}, 0),
        ({"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}}, 5),
        ({"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 3}}, 27),
        ({"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 30, "linearInterval": 1}}, 3),
    ],
)
def test_remaining_time_is_that_of_the_deployment_configuration(routing: dict[str, Any], minutes: float) -> None:
    assert _shift_minutes(routing) == minutes
