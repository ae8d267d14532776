"""The tables of docs/: what they say is in the templates, and there are tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from payment_api.demands import DEMANDS, Demand
from payment_api.faults import FAULTS, REFUSED, Fault
from payment_api.owasp import TOP_10, Risk
from payment_api.pci import CONTROLS, Control
from payment_api.tables import DOCS, PAGES
from tests.payment_api.support import Template
from tests.synthesized import Synthesized

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", PAGES)
def test_committed_table_equals_the_code(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), "run `python -m payment_api.tables`"


@pytest.mark.requirement("P2.1")
@pytest.mark.parametrize("risk", TOP_10, ids=lambda risk: risk.id)
def test_each_risk_of_the_top_10_is_answered_by_rules_that_block_at_both_entries(risk: Risk, api: Template) -> None:
    assert risk.rules
    for acl in api.of("AWS::WAFv2::WebACL").values():
        rules = {rule["Name"]: rule for rule in acl["Rules"]}
        for name in risk.rules:
            assert rules[name].get("OverrideAction", {"None": {}}) == {"None": {}}, "nothing is only counted"
            assert set(rules[name].get("Action", {"Block": {}})) == {"Block"}
    assert all(api.of(type_) for type_ in risk.resources)


def test_the_top_10_has_ten_rows() -> None:
    assert [one.id for one in TOP_10] == [f"A{number:02}:2025" for number in range(1, 11)]


@pytest.mark.requirement("P6.3")
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_each_control_has_its_resources_in_both_systems_and_its_tests(
    control: Control, api: Template, platform: Synthesized
) -> None:
    assert control.api
    assert all(api.of(type_) for type_ in control.api), control.api
    assert all(platform.resources(type_) for type_ in control.platform), control.platform
    for test in control.tests:
        assert "def test_" in (PROJECT / test).read_text(), test


@pytest.mark.parametrize("demand", DEMANDS, ids=lambda demand: demand.asks[:40])
def test_each_demand_has_its_resources_and_its_tests(demand: Demand, api: Template) -> None:
    assert demand.resources
    assert all(api.of(type_) for type_ in demand.resources), demand.resources
    assert demand.tests
    for test in demand.tests:
        assert _exists(test), test


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_each_fault_has_the_tests_of_its_law_or_a_reason(fault: Fault) -> None:
    assert fault.tests or fault.outcome.startswith(f"{REFUSED}: ")
    for test in fault.tests:
        assert _exists(test), test


def _exists(test: str) -> bool:
    """Whether there is a test FILE::NAME below tests/."""
    file, _, name = test.partition("::")
    return f"def {name}(" in (PROJECT / "tests" / file).read_text()


def test_no_table_names_a_rule_twice() -> None:
    assert len({json.dumps(one.rules) + one.id for one in TOP_10}) == len(TOP_10)
