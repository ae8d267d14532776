"""Each connection that the deployed functions and tasks opened is one that `make test-ways` knows (W8.4).

What is left out of the network there, and missed, is therefore what the rehearsal uses; and nobody in a VPC is let
through without the network's decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from emulator.record import Call, RecordedPassage, read_calls, read_passages
from operations.ways.flows import Service, flows
from settings import Settings
from tests.lifecycle import base, parts
from tests.lifecycle.base import Deployed
from tests.lifecycle.traffic import Moved
from tests.synthesized import Synthesized, decoded

pytestmark = [pytest.mark.lifecycle, pytest.mark.requirement("W8.4")]

PARTS = (base.NAME, "traffic")
CALLER = re.compile(r"arn:aws:sts::\d+:assumed-role/([\w-]+)/")


@pytest.fixture(scope="module")
def declared(platform: Synthesized, local_settings: Settings) -> set[tuple[str, str]]:
    """Source and destination of each connection, by names."""
    return {(one.source.name, one.destination.name) for one in flows(platform.configuration, local_settings)}


@pytest.fixture(scope="module")
def calls(deployed: Deployed, moved: Moved) -> list[Call]:
    """Of the deployment, and of releases and failovers on it."""
    assert deployed.state
    assert moved.releases.released.code == 0
    return [call for part in PARTS for call in read_calls(parts.place() / part)]


@pytest.fixture(scope="module")
def sources(platform: Synthesized) -> dict[str, str]:
    """Of the roles of what stands in a VPC, the name that its connections have."""

    def name(reference: str) -> str:
        return str(platform.by_id(reference)["name"])

    functions = platform.resources("aws_lambda_function").values()
    found = {name(one["role"]): str(one["function_name"]) for one in functions if "vpc_config" in one}
    for definition in platform.resources("aws_ecs_task_definition").values():
        (container, *_others) = decoded(definition["container_definitions"])
        found[name(definition["task_role_arn"])] = f"task {container['name']}"
    return found


def _made(calls: Iterable[Call], sources: dict[str, str]) -> Iterator[tuple[str, Call]]:
    """The calls of those in a VPC, each with who made it."""
    for call in calls:
        match = CALLER.match(call.assumed_role)
        if match and match[1] in sources:
            yield sources[match[1]], call


def test_every_call_from_a_vpc_was_decided_by_its_network_and_has_a_declared_way(
    calls: list[Call], declared: set[tuple[str, str]], sources: dict[str, str]
) -> None:
    made = list(_made(calls, sources))
    assert {"payments-rotate-database-secret-local", "payments-smoke-test-local"} <= {who for who, _ in made}
    assert [(who, call.action) for who, call in made if not call.through] == []
    assert {(who, call.through) for who, call in made} - declared == set()


def test_nobody_outside_a_vpc_is_decided_by_a_network(calls: list[Call], sources: dict[str, str]) -> None:
    within = {id(call) for _, call in _made(calls, sources)}
    assert [call.action for call in calls if call.through and id(call) not in within] == []


def test_every_connection_of_a_function_was_admitted_and_is_declared(
    calls: list[Call], declared: set[tuple[str, str]]
) -> None:
    assert calls
    opened = [one for part in PARTS for one in read_passages(parts.place() / part) if one.kind == "connection"]
    assert [f"{one.who} {one.what}: {one.way}" for one in opened if one.outcome != "admitted"] == []
    assert {_ends(one) for one in opened} - declared == set()
    assert any(destination == "payments-lb-local" for _, destination in map(_ends, opened))
    assert any(destination == "payments-database-local" for _, destination in map(_ends, opened))


def _ends(passage: RecordedPassage) -> tuple[str, str]:
    """Who connected to what: of a database's endpoint, its cluster."""
    destination = passage.what.removeprefix("tcp to ")
    return passage.who, destination.partition(".")[0] if ".rds." in destination else destination


def test_services_are_named_as_those_of_the_record(local_settings: Settings, platform: Synthesized) -> None:
    found: Any = flows(platform.configuration, local_settings)
    services = {one.destination.name for one in found if isinstance(one.destination, Service)}
    assert {"com.amazonaws.us-east-2.secretsmanager", "com.amazonaws.us-west-2.secretsmanager"} <= services
