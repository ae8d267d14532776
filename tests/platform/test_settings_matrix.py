"""Each closed choice of the settings with each other: what is not refused can serve and recover in both regions (W0.4).

Each pair of values is in a combination that settings accept, or is refused with a line. A few of these combinations,
which have every value, are synthesized and held against AWS's order and the needs of both regions.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError

from policy.order import RULES, Graph, out_of_order
from settings import Settings, load
from settings.errors import describe
from tests.synthesized import Synthesized, decoded, region_of, synthesize

pytestmark = pytest.mark.requirement("W0.4", "W3.3", "W7.2")
PROCESSING = load("local").model_dump()["processing"]
OWN_IMAGE = f"123456789012.dkr.ecr.us-east-2.amazonaws.com/payments/local/web@sha256:{'0' * 64}"
SNAPSHOT = "arn:aws:rds:us-west-2:123456789012:cluster-snapshot:awsbackup:copyjob-1"
# By setting: its values, each as the settings that say so.
CHOICES: dict[str, dict[str, dict[str, Any]]] = {
    "nat": {
        "none": {"network.nat_gateways": "none", "reaches_internet": False},
        "one": {"network.nat_gateways": "one"},
        "one_per_zone": {"network.nat_gateways": "one_per_zone"},
    },
    "endpoints": {str(n): {"network.interface_endpoint_zones": n} for n in (1, 3)},
    "routing": {one: {"edge.origin_routing": one} for one in ("failover", "latency")},
    "recovery": {
        "snapshots": {"database.recovery": "snapshots", "database.recovery_instances": 0},
        "restored": {
            "database.recovery": "snapshots",
            "database.recovery_instances": 0,
            "database.recovery_snapshot": SNAPSHOT,
        },
        "global-0": {"database.recovery": "global", "database.recovery_instances": 0},
        "global-1": {"database.recovery": "global", "database.recovery_instances": 1},
    },
    "class": {one: {"database.instance_class": one} for one in ("db.t4g.large", "db.r8g.large")},
    "processing": {
        "on": {"processing": PROCESSING},
        "by hand": {"processing": {**PROCESSING, "migrate_on_deploy": False, "reserve_concurrency": False}},
        "off": {"processing": None},
    },
    "operators": {one: {"database.operator_access": one == "on"} for one in ("off", "on")},
    "protected": {str(one): {"protected": one} for one in (False, True)},
    "zone": {str(one): {"domain.create_zone": one} for one in (False, True)},
    "owner": {"own": {"account_owner": "local"}, "other": {"account_owner": "other"}},
    "delivery": {"on": {"delivery.repository": "example/platform"}, "off": {"delivery.repository": None}},
    "standby": {str(one): {"recovery.standby_percent": one} for one in (1, 100)},
    "image": {"public": {}, "own": {"services.web.image": OWN_IMAGE}},
    "firewall": {one: {"firewall.mode": one} for one in ("block", "count")},
    "restore tests": {str(one): {"backups.restore_tests": one} for one in (False, True)},
}
# What settings refuse, and the field of the line.
REFUSED = {
    (("nat", "none"), ("processing", "on")): "processing.acquirer.url",
    (("nat", "none"), ("processing", "by hand")): "processing.acquirer.url",
    (("processing", "off"), ("operators", "on")): "database.operator_access",
    # Operators need what is processed, and that needs a way to the acquirer.
    (("nat", "none"), ("operators", "on")): "database.operator_access",
    (("routing", "latency"), ("recovery", "snapshots")): "edge.origin_routing",
    (("routing", "latency"), ("recovery", "restored")): "edge.origin_routing",
    # Latency needs a global database, and that a larger class.
    (("routing", "latency"), ("class", "db.t4g.large")): "database.instance_class",
    (("recovery", "global-0"), ("class", "db.t4g.large")): "database.instance_class",
    (("recovery", "global-1"), ("class", "db.t4g.large")): "database.instance_class",
}
BASE = {name: next(iter(values)) for name, values in CHOICES.items()} | {"nat": "one", "class": "db.r8g.large"}
Value = tuple[str, str]
Pair = tuple[Value, Value]


def pairs() -> Iterator[Pair]:
    for (one, values), (other, others) in itertools.combinations(CHOICES.items(), 2):
        for value, another in itertools.product(values, others):
            yield (one, value), (other, another)


@cache
def local() -> dict[str, Any]:
    return load("local").model_dump()


def settings_of(row: Mapping[str, str]) -> Settings:
    """Raises ValidationError with what is refused."""
    values = copy.deepcopy(local())
    for name, value in row.items():
        for path, wanted in CHOICES[name][value].items():
            if path == "reaches_internet":
                for service in values["services"].values():
                    service["reaches_internet"] = wanted
                continue
            *tables, field = path.split(".")
            table = values
            for inner in tables:
                table = table[inner]
            table[field] = wanted
    return Settings.model_validate(values)


def lines_of(row: Mapping[str, str]) -> list[str]:
    try:
        settings_of(row)
    except ValidationError as error:
        return [line.partition(": ")[2] for line in describe(error, "row").lines]
    return []


def rows(wanted: Iterable[tuple[Value, ...]]) -> Iterator[dict[str, str]]:
    """Combinations without a refused pair, which together have all these values or pairs of values."""
    left = list(wanted)
    while left:
        row = dict(left[0])
        for name, values in CHOICES.items():
            if name not in row:
                fitting = [one for one in values if not any(_clash((name, one), other) for other in row.items())]
                had = [(sum(set(one) <= {**row, name: value}.items() for one in left), value) for value in fitting]
                row[name] = max(had)[1]
        left = [one for one in left if not set(one) <= row.items()]
        yield row


def _clash(one: Value, other: Value) -> bool:
    return (one, other) in REFUSED or (other, one) in REFUSED


@pytest.mark.parametrize("pair", REFUSED, ids=str)
def test_pair_of_choices_that_cannot_serve_is_refused_with_a_line_of_its_field(pair: Pair) -> None:
    others = {name: BASE[name] for name in BASE}
    for value in dict(pair).items():
        assert lines_of({**compatible_with(value, others), **dict([value])}) == [], value
    (line,) = lines_of({**compatible_with(pair[0], others), **dict(pair)})
    assert line.startswith(f"{REFUSED[pair]}: ")


def compatible_with(value: Value, base: Mapping[str, str]) -> dict[str, str]:
    """The base with other values where it clashes with this one."""
    return {
        name: next(one for one in (chosen, *CHOICES[name]) if not _clash((name, one), value))
        for name, chosen in base.items()
    }


def test_every_other_pair_of_choices_is_accepted_in_some_combination() -> None:
    every = list(rows(pair for pair in pairs() if pair not in REFUSED))
    assert len(every) >= 12  # the recovery modes with the ways to process
    assert {str(row): lines for row in every if (lines := lines_of(row))} == {}


SYNTHESIZED = list(rows(((name, value),) for name, values in CHOICES.items() for value in values))


@pytest.mark.parametrize("row", SYNTHESIZED, ids=lambda row: row["recovery"])
def test_combination_that_is_accepted_serves_and_recovers_in_both_regions(row: dict[str, str]) -> None:
    settings = settings_of(row)
    platform = synthesize(settings)
    assert_in_order(platform, row)
    for region in ("primary", "recovery"):
        for name, service in settings.services.items():
            if service.critical:
                assert_serves(platform, settings, region, name)
        functions = [one for one in platform.resources("aws_lambda_function").values() if region_of(one) == region]
        names = {one["function_name"] for one in functions}
        assert (settings.names.of("process-payment") in names) == (settings.processing is not None)
    for secret in platform.resources("aws_secretsmanager_secret").values():
        assert [one["region"] for one in secret["replica"]] == [settings.recovery.name]


def assert_in_order(platform: Synthesized, row: dict[str, str]) -> None:
    graph = Graph(platform.configuration)
    without = {"NAT gateways"} if row["nat"] == "none" else set()
    for rule in RULES:
        if not any(rule.meaning.startswith(one) for one in without):
            assert out_of_order(graph, rule) == [], rule.meaning


def assert_serves(platform: Synthesized, settings: Settings, region: str, name: str) -> None:
    """The service has tasks behind a rule, and they know and reach whichever cluster writes."""
    own = f"{region}/services/{name}"
    platform.resource("aws_ecs_service", f"{own}/service")
    platform.resource("aws_lb_listener_rule", f"{own}/rule")
    definition = platform.resource("aws_ecs_task_definition", f"{own}-task/definition")
    (container,) = decoded(definition["container_definitions"])
    variables = {one["name"]: one["value"] for one in container["environment"]}
    hosts = variables["DATABASE_HOST"].split(",")
    assert len(hosts) == len(platform.resources("aws_rds_cluster")) - (settings.database.recovery_snapshot is not None)
    assert all(platform.by_id(host)["engine"] == "aurora-postgresql" for host in hosts)
    flows = [
        id_ for id_ in platform.resources("aws_vpc_security_group_egress_rule") if f"{region}_services_{name}" in id_
    ]
    assert [id_ for id_ in flows if "to-database" in id_], flows
    assert [id_ for id_ in flows if "to-other-database" in id_], flows
