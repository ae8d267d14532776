"""Paging (W5.2): alarms inform, composite alarms page, and few of them."""

from __future__ import annotations

import re

import pytest

from settings import Settings, load
from tests.platform.support import alarms, composites, named
from tests.synthesized import Block, Synthesized, path_of, region_of, synthesize

pytestmark = pytest.mark.requirement("W5.2")


def test_alarms_inform_and_composites_page_in_their_own_region(platform: Synthesized) -> None:
    for kind, blocks, topic in (
        ("alarms", alarms(platform), "alarms/topic"),
        ("pages", composites(platform), "paging/pages/topic"),
    ):
        for alarm in blocks:
            for actions in (alarm["alarm_actions"], alarm["ok_actions"]):
                (one,) = actions
                assert path_of(platform.by_id(one)) == f"payment-platform/{region_of(alarm)}/{topic}", kind


def children(composite: Block) -> list[str]:
    rule = composite["alarm_rule"]
    names = re.findall(r'ALARM\("([^"]+)"\)', rule)
    assert rule == " OR ".join(f'ALARM("{name}")' for name in names)
    return names


def test_composite_alarm_has_the_symptoms_of_its_region(platform: Synthesized) -> None:
    for composite in composites(platform):
        incident = composite["alarm_name"].rpartition("/")[2]
        signs = [
            alarm["alarm_name"]
            for alarm in alarms(platform)
            if region_of(alarm) == region_of(composite)
            and f"Pages, as a sign of {incident}." in alarm["alarm_description"]
        ]
        assert children(composite) == sorted(signs)
        assert 1 <= len(signs) <= 100  # PutCompositeAlarm, API reference
        assert len(composite["alarm_rule"]) <= 10_240
        # Each is there before the rule names it. Terraform deletes an alarm before it updates what depends on it, which
        # CloudWatch refuses while a rule names it: a composite whose rule changes is replaced, so deleted first.
        dependencies = [platform.by_id(f"${{{one}.id}}") for one in composite["depends_on"]]
        below = [one for one in dependencies if "alarm_rule" not in one]
        assert sorted(one["alarm_name"] for one in below) == children(composite)
        (trigger,) = composite["lifecycle"]["replace_triggered_by"]
        data = platform.resources("terraform_data")[trigger.removeprefix("terraform_data.")]
        assert data["input"] == {"alarm_rule": composite["alarm_rule"]}
        # Created before destroyed would be forced on all that the alarms refer to, most of which have fixed names.
        assert all("lifecycle" not in one for one in below)


def test_every_symptom_of_an_incident_is_in_a_composite_alarm(platform: Synthesized) -> None:
    paging = {(region_of(one), name) for one in composites(platform) for name in children(one)}
    for alarm in alarms(platform):
        is_sign = "Pages" in alarm["alarm_description"]
        assert ((region_of(alarm), alarm["alarm_name"]) in paging) == is_sign, alarm["alarm_name"]


def test_few_alarms_page(platform: Synthesized) -> None:
    found = sorted((region_of(one), one["alarm_name"].rpartition("/")[2]) for one in composites(platform))
    assert found == [
        ("global", "customers-not-served"),
        ("primary", "customers-not-served"),
        ("primary", "data-at-risk"),
        ("primary", "payments-not-processed"),
        ("recovery", "customers-not-served"),
        ("recovery", "data-at-risk"),
        ("recovery", "payments-not-processed"),
    ]


def test_page_of_a_consequence_is_suppressed_while_its_cause_pages(platform: Synthesized) -> None:
    for composite in composites(platform):
        suppressor = composite.get("actions_suppressor")
        if composite["alarm_name"].endswith("payments-not-processed"):
            assert suppressor is not None
            assert suppressor["alarm"] == "payments/local/customers-not-served"
            assert suppressor["wait_period"] < suppressor["extension_period"]
            below = [platform.by_id(f"${{{one}.id}}") for one in composite["depends_on"]]
            (cause,) = [one for one in below if "alarm_rule" in one]
            assert (cause["alarm_name"], region_of(cause)) == (suppressor["alarm"], region_of(composite))
        else:
            assert suppressor is None


def test_standby_region_does_not_page_without_customer_impact(platform: Synthesized) -> None:
    assert "Pages" in named(platform, "web-down")["alarm_description"]
    assert "Informs" in named(platform, "web-down", "recovery")["alarm_description"]
    assert "Pages" in named(platform, "load-balancer-errors", "recovery")["alarm_description"]
    assert "Pages" in named(platform, "primary-unhealthy", "global")["alarm_description"]
    assert "Informs" in named(platform, "recovery-unhealthy", "global")["alarm_description"]
    by_latency = load("local").edge.model_dump() | {"origin_routing": "latency"}
    both = synthesize(Settings.model_validate(load("local").model_dump() | {"edge": by_latency}))
    for name, region in (("web-down", "recovery"), ("recovery-unhealthy", "global")):
        assert "Pages" in named(both, name, region)["alarm_description"]
    assert named(both, "payments-unusual", "recovery")
