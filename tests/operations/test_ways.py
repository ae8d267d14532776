"""Each rule, entry, route and endpoint of the network is needed by a connection, or has a reason (W8.4, W5.4, W6.2)."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from operations.outcome import Failed
from operations.reasons import read_reasons
from operations.ways.command import judge
from operations.ways.flows import Service, flows
from operations.ways.table import REASONS, idle, rows, unexplained, without_way
from reachability.synthesized import ENDPOINT, KINDS, Place, SynthesizedNetwork
from settings import Settings
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W8.4")


@pytest.fixture(scope="module")
def found(platform: Synthesized, local_settings: Settings) -> list[Any]:
    return flows(platform.configuration, local_settings)


@pytest.mark.requirement("W5.4")
def test_every_connection_of_the_platform_has_a_way(platform: Synthesized, found: list[Any]) -> None:
    assert without_way(found, SynthesizedNetwork(platform.configuration)) == []


@pytest.mark.requirement("W5.4")
@pytest.mark.requirement("W6.2")
def test_every_part_of_the_network_is_needed_or_has_a_reason(platform: Synthesized, local_settings: Settings) -> None:
    said = io.StringIO()
    judge(platform.configuration, local_settings, None, 0, Console(file=said, width=200))
    assert all(f"{kind}  " in said.getvalue() for kind in KINDS)


def test_every_function_in_a_vpc_and_every_service_connects_by_the_network(
    platform: Synthesized, found: list[Any]
) -> None:
    """None is left out of the connections, through which it would be let unseen."""
    sources = {(flow.region, flow.source.groups) for flow in found if isinstance(flow.source, Place)}

    def stands(address: str, groups: list[str]) -> bool:
        return (address.split("_", maxsplit=1)[0], tuple(one[2:-4] for one in groups)) in sources

    functions = platform.resources("aws_lambda_function")
    within = {id_: one["vpc_config"]["security_group_ids"] for id_, one in functions.items() if "vpc_config" in one}
    services = {
        id_: one["network_configuration"]["security_groups"]
        for id_, one in platform.resources("aws_ecs_service").items()
    }
    assert len(within) > len(services) > 0
    assert [id_ for id_, groups in {**within, **services}.items() if not stands(id_, groups)] == []


def test_rule_that_is_missing_and_one_too_many_are_told(platform: Synthesized, local_settings: Settings) -> None:
    configuration = copy.deepcopy(platform.configuration)
    rules = configuration["resource"]["aws_vpc_security_group_egress_rule"]
    missing = next(id_ for id_ in rules if "process-payment-to-database" in id_ or "payments-process-payment" in id_)
    rules["one_too_many"] = {**rules.pop(missing), "from_port": 9, "to_port": 9}
    with pytest.raises(Failed) as failed:
        judge(configuration, local_settings, None, 0, Console(file=io.StringIO()))
    said = str(failed.value)
    assert "no way: payments-process-payment-local in" in said
    assert "no egress rule admits tcp" in said
    assert "no flow needs, and no reason covers:" in said
    assert "tcp 9 " in said


def test_sample_is_chosen_by_its_seed_and_shown_part_by_part(platform: Synthesized, local_settings: Settings) -> None:
    def sampled(seed: int) -> list[str]:
        said = io.StringIO()
        judge(platform.configuration, local_settings, 0.1, seed, Console(file=said, width=400))
        return [line for line in said.getvalue().splitlines() if line.startswith("without ")]

    first = sampled(7)
    assert len(first) == round(len(SynthesizedNetwork(platform.configuration).parts()) * 0.1)
    assert sampled(7) == first != sampled(8)
    assert any(" is refused by " in line for line in first)


def test_reason_that_covers_nothing_is_told_and_each_says_why(platform: Synthesized, found: list[Any]) -> None:
    reasons = read_reasons(REASONS)
    assert all(len(one.reason) > 20 for one in reasons)
    parts = [one for one in SynthesizedNetwork(platform.configuration).parts() if one.kind == ENDPOINT]
    table = rows(platform.configuration, found, parts, [])
    assert unexplained(table) == []
    assert idle(table, reasons) == [f"covers nothing unneeded: {one}" for one in reasons]


@pytest.mark.requirement("W6.2")
def test_services_are_those_that_roles_allow_and_none_that_another_service_asks_for(found: list[Any]) -> None:
    called: dict[str, set[str]] = {}
    for flow in found:
        if isinstance(flow.destination, Service):
            called.setdefault(flow.source.name, set()).add(flow.destination.name.split(".", 3)[3])
    assert called["payments-prepare-database-local"] == {"secretsmanager"}  # which decrypts for it
    assert called["payments-smoke-test-local"] == {"codedeploy", "ec2", "secretsmanager"}
    assert called["task payments"] >= {"ecr.api", "ecr.dkr", "s3", "logs", "kms", "ssmmessages", "sqs"}
    assert called["payments-database-operators-local"] == {
        "ecr.api",
        "ecr.dkr",
        "kms",
        "logs",
        "s3",
        "ssmmessages",
    }
