"""Each alarm is fired by a fault, and by none of a quiet day; each incident pages (W8.5, W5.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from alarms.composites import rule
from alarms.definitions import MetricAlarm, Missing, State
from alarms.documented import DOCUMENTED, flaws
from alarms.evaluation import EXTRA_PERIODS, step
from alarms.metrics import MINUTE
from alarms.sources import published
from emulator.runtime.monitoring.unpublished import UNPUBLISHED
from modules.monitoring.alarms import Incident
from operations.project_root import PROJECT
from settings import load
from shared import payment_metrics
from tests.alarms.faults import KINDS, OF_ONE, fault_of
from tests.alarms.world import DAY_OF_MINUTES, Course, Publish, Region, Resource, regions
from tests.synthesized import synthesize

pytestmark = [pytest.mark.requirement("W8.5"), pytest.mark.requirement("W5.2")]

A_WHILE = 20
"""Minutes before a fault."""
LATE = 2 * MINUTE
"""By how much what a namespace publishes may be late, in seconds."""
DAYS_BEFORE, MINUTES_LATE = 5, 10
HOUR, HOURS_OF_A_DAY = 60, 4
"""Minutes, and how many hours are played of a day, in which each is like the other."""
WITHOUT_ALARM = {"AWS/ECS"}
"""Namespaces that only scaling policies look at."""
Figures = Callable[[str, str, str, int | None], None]


@pytest.fixture(scope="module")
def figures() -> Iterator[Figures]:
    """Takes how many seconds of a fault fire an alarm, and prints all at the end (``make test-alarms``)."""
    rows: list[str] = []

    def add(region: str, alarm: str, fault: str, seconds: int | None) -> None:
        rows.append(f"{region:9} {alarm:38} {'never' if seconds is None else f'{seconds // MINUTE:5} min'}  {fault}")

    yield add
    print("", f"{'region':9} {'alarm':38} fires after", *rows, sep="\n")


@pytest.fixture(scope="module")
def production() -> list[Region]:
    return regions(synthesize(load("production")))


def each(platform: list[Region]) -> Iterator[tuple[Region, MetricAlarm]]:
    found = [(region, alarm) for region in platform for alarm in region.alarms]
    assert found
    yield from found


def short(alarm: MetricAlarm) -> bool:
    """Whether an alarm's periods are short enough to be gone through minute by minute."""
    return alarm.period * alarm.periods < DAY_OF_MINUTES * MINUTE


def test_every_alarm_looks_at_metrics_that_a_service_publishes(production: list[Region]) -> None:
    wrong = {alarm.name: list(flaws(metric)) for _, alarm in each(production) for metric in alarm.metrics}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_every_metric_of_an_alarm_is_published_in_the_local_aws_or_listed_as_not(production: list[Region]) -> None:
    looked_at = {(metric.namespace, metric.name) for _, alarm in each(production) for metric in alarm.metrics}
    of_aws = {one for one in looked_at if one[0] in DOCUMENTED}
    assert of_aws - set(published()) == UNPUBLISHED.keys()
    text = (PROJECT / "docs" / "local-aws.md").read_text(encoding="utf-8")
    assert [name for _, name in UNPUBLISHED if f"`{name}`" not in text] == []


def test_every_kind_of_alarm_has_a_fault_and_every_fault_an_alarm(production: list[Region]) -> None:
    names = {alarm.name.rpartition("/")[2] for _, alarm in each(production)}
    assert names >= OF_ONE.keys()
    assert {region.sections[alarm.name] for region, alarm in each(production)} == KINDS.keys()


def alone(region: Region, alarm: MetricAlarm, fault: Mapping[Resource, Publish]) -> Course:
    """A course of one alarm and the resource of its fault, after a while in which nothing happens."""
    quiet = {resource: region.quiet[resource] for resource in fault}
    course = Region(name=region.name, alarms=[alarm], composites=[], filters=region.filters, quiet=quiet).begin()
    course.go_through_days(alarm.periods + EXTRA_PERIODS)
    course.go(A_WHILE)
    return course


def seconds_until_alarm(course: Course, alarm: MetricAlarm, fault: Mapping[Resource, Publish]) -> int | None:
    """How long a fault lasts until the alarm fires; None where it does not within its evaluation range."""
    begun = course.now
    for _ in range((alarm.periods + EXTRA_PERIODS) * alarm.period // step(alarm) + 1):
        course.go(step(alarm) // MINUTE - 1, fault, look=False)
        course.go(1, fault)
        if course.states[alarm.name] is State.ALARM:
            return (course.now - begun) * MINUTE
    return None


def test_each_alarm_is_fired_by_its_fault_and_ends_after_it(production: list[Region], figures: Figures) -> None:
    silent, slow, stuck = {}, {}, []
    for region, alarm in each(production):
        meaning, fault = fault_of(region, alarm)
        course = alone(region, alarm, fault)
        assert not [one for one in course.changes if one.after is State.ALARM], alarm.name
        seconds = seconds_until_alarm(course, alarm, fault)
        figures(region.name, alarm.name.rpartition("/")[2], meaning, seconds)
        if seconds is None:
            silent[f"{region.name} {alarm.name}"] = meaning
        elif seconds > alarm.datapoints * alarm.period + step(alarm):
            slow[f"{region.name} {alarm.name}"] = seconds // MINUTE
        elif short(alarm):
            course.go((alarm.periods + EXTRA_PERIODS) * alarm.period // MINUTE + 1)
            stuck += [alarm.name] if course.states[alarm.name] is State.ALARM else []
    assert silent == {}
    assert slow == {}, "more minutes than its breaching periods last"
    assert stuck == []


def test_a_quiet_day_fires_no_alarm_and_pages_nobody(production: list[Region]) -> None:
    for region in production:
        course = region.begin()
        course.go_through_days(DAYS_BEFORE)
        course.go(HOUR)  # each minute of one hour, and one of each other
        for _ in range(HOURS_OF_A_DAY - 1):
            course.go(HOUR - 1, look=False)
            course.go(1)
        assert course.rings == [], region.name
        assert course.changes == [], "each alarm is OK, and has the data for it"


SILENT = ("reconciler-silent", "publisher-silent")


@pytest.mark.parametrize("name", SILENT)
def test_a_heartbeat_is_missed_after_the_first_one_and_until_the_next(production: list[Region], name: str) -> None:
    """A new environment is quiet until it runs; what has fallen silent is, however long it stays so."""
    for region in production:
        alarm = region.alarm(name) if region.name != "global" else None
        if alarm is None:
            continue
        (resource,) = fault_of(region, alarm)[1]
        silence = {resource: lambda _now: ()}
        course = Region(
            name="", alarms=[alarm], composites=[], filters=[], quiet={resource: region.quiet[resource]}
        ).begin()
        course.states[alarm.name] = State.INSUFFICIENT_DATA  # as it is made
        course.go(HOUR, silence)
        assert course.changes == [], "on the first day there is nothing to miss"
        course.go(MINUTES_LATE)
        assert course.states[alarm.name] is State.OK
        course.go(HOUR, silence)
        assert course.states[alarm.name] is State.ALARM
        course.go(DAY_OF_MINUTES, silence)
        assert course.states[alarm.name] is State.ALARM, "it does not end by itself"
        course.go(A_WHILE)
        assert course.states[alarm.name] is State.OK


def test_a_heartbeat_is_watched_wherever_an_alarm_takes_missing_metrics_of_payments_for_nothing(
    production: list[Region],
) -> None:
    for region in production:
        of_payments = [one for one in region.alarms if one.metrics[0].namespace == payment_metrics.NAMESPACE]
        lenient = [one.name for one in of_payments if one.missing is not Missing.BREACHING]
        watched = {metric.name for one in of_payments for metric in one.metrics}
        assert not lenient or {metric.name for metric in payment_metrics.HEARTBEATS} <= watched, region.name


@pytest.mark.parametrize("late", [*DOCUMENTED, payment_metrics.NAMESPACE])
def test_a_quiet_day_is_quiet_whichever_metrics_are_late(production: list[Region], late: str) -> None:
    watching = 0
    for region in production:
        course = region.begin()
        course.region = replace(
            region, alarms=[one for one in region.alarms if late in {metric.namespace for metric in one.metrics}]
        )
        course.metrics.late[late] = LATE
        course.go_through_days(DAYS_BEFORE)
        course.go(MINUTES_LATE)
        watching += len(course.region.alarms)
        assert course.changes == [], region.name
    assert watching or late in WITHOUT_ALARM


def test_each_incident_pages_by_each_of_its_symptoms(production: list[Region], figures: Figures) -> None:
    composites = [(region, composite) for region in production for composite in region.composites]
    assert {composite.name.rpartition("/")[2] for _, composite in composites} == set(Incident)
    for region, composite in composites:
        symptoms = [one for one in region.alarms if one.name in rule(composite.rule).children]
        assert len(symptoms) == len(set(rule(composite.rule).children)) > 0
        for alarm in symptoms:
            course = alone(region, alarm, fault_of(region, alarm)[1])
            course.region.composites = [composite]
            course.states[composite.name] = State.OK
            seconds = seconds_until_alarm(course, alarm, fault_of(region, alarm)[1])
            assert course.states[composite.name] is State.ALARM, alarm.name
            wait = composite.suppressor.wait if composite.suppressor else 0
            course.go(wait // MINUTE + 1, fault_of(region, alarm)[1])
            pages = [one for one in course.rings if one.alarm is composite and one.state is State.ALARM]
            assert [one.actions for one in pages] == [composite.actions.alarm], alarm.name
            figures(region.name, composite.name.rpartition("/")[2], f"by {alarm.name.rpartition('/')[2]}", seconds)


def test_the_page_of_a_consequence_is_suppressed_while_its_cause_pages(production: list[Region]) -> None:
    (region,) = [one for one in production if one.name == "primary"]
    cause, consequence = region.alarm("payments-down"), region.alarm("process-payment-failing")
    faults = {**fault_of(region, consequence)[1], **fault_of(region, cause)[1]}
    watched = Region(name="", alarms=[cause, consequence], composites=region.composites, filters=[])
    course = watched.begin()
    course.go(30, faults)
    assert [one.alarm.name.rpartition("/")[2] for one in course.rings if one.alarm in region.composites] == [
        Incident.CUSTOMERS_NOT_SERVED
    ]
    assert course.state(Incident.PAYMENTS_NOT_PROCESSED) is State.ALARM
