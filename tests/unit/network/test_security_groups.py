"""Security groups (W5.4): a flow is declared once and becomes two rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cdktf import TerraformStack, Testing
from cdktf_cdktf_provider_aws.provider import AwsProvider

from modules.network.security_groups import Addresses, Flow, Group, PrefixList
from modules.network.vpc import Network
from modules.region import LandsInItsRegion, Region
from settings import Settings
from tests.synthesized import Synthesized, path_of
from tests.unit.network.support import ANYWHERE, REGIONS


@pytest.mark.requirement("W5.4")
def test_no_security_group_has_inline_rules_or_unlisted_internet_egress(
    platform: Synthesized, local_settings: Settings
) -> None:
    groups = platform.resources("aws_security_group")
    assert groups
    for group in groups.values():
        assert "ingress" not in group
        assert "egress" not in group
    ways_out: list[tuple[str, int, str]] = []
    for direction in ("ingress", "egress"):
        for rule in platform.resources(f"aws_vpc_security_group_{direction}_rule").values():
            if {rule.get("cidr_ipv4"), rule.get("cidr_ipv6")} & ANYWHERE:
                ways_out.append((direction, rule["from_port"], path_of(rule).split("/")[3]))
            assert rule["from_port"] == rule["to_port"]
            assert rule["description"]
    listed = [name for name, service in local_settings.services.items() if service.reaches_internet]
    tasks = [f"{name}-task" for name in listed]
    processing = local_settings.processing
    functions = ["process-payment", "reconcile-payments"] if processing and not processing.acquirer.networks else []
    assert sorted(ways_out) == sorted(("egress", 443, who) for who in tasks + functions for _ in REGIONS)


class Ends:
    """A stack with a group in each region and a second one in the first."""

    def __init__(self, settings: Settings) -> None:
        self.stack = TerraformStack(Testing.app(), "stack")
        LandsInItsRegion.apply_to(self.stack)
        self._settings = settings
        here = self._region("here", None)
        there = self._region("there", "there")
        self.tasks = self._group(here, "tasks")
        self.database = self._group(here, "database")
        self.far = self._group(there, "far")

    def _region(self, id_: str, alias: str | None) -> tuple[Region, Network]:
        provider = AwsProvider(self.stack, f"aws-{id_}", region="us-east-2", alias=alias)
        region = Region(self.stack, id_, name="us-east-2", provider=provider)
        place = self._settings.primary if alias is None else self._settings.recovery
        network = self._settings.network.nat_gateways
        return region, Network(region, "network", names=self._settings.names, settings=place, nat_gateways=network)

    def _group(self, place: tuple[Region, Network], purpose: str) -> Group:
        region, network = place
        tier = network.database if purpose == "database" else network.private
        return Group(
            region,
            purpose,
            names=self._settings.names,
            purpose=purpose,
            network=network,
            tier=tier,
            description=purpose,
        )

    def rules(self, direction: str) -> list[dict[str, Any]]:
        found = json.loads(Testing.synth(self.stack, run_validations=True))["resource"].get(
            f"aws_vpc_security_group_{direction}_rule", {}
        )
        return [{key: value for key, value in rule.items() if key != "//"} for rule in found.values()]


@pytest.fixture
def ends(local_settings: Settings) -> Ends:
    return Ends(local_settings)


@pytest.mark.requirement("W5.4")
def test_one_flow_is_an_egress_rule_here_and_an_ingress_rule_there(ends: Ends) -> None:
    Flow(ends.stack, "f", source=ends.tasks, destination=ends.database, port=5432, reason="Tasks query the database")
    (egress,), (ingress,) = ends.rules("egress"), ends.rules("ingress")
    same = {"ip_protocol": "tcp", "from_port": 5432, "to_port": 5432, "description": "Tasks query the database"}
    assert same.items() <= egress.items()
    assert same.items() <= ingress.items()
    assert "tasks" in egress["security_group_id"]
    assert "database" in egress["referenced_security_group_id"]
    assert "database" in ingress["security_group_id"]
    assert "tasks" in ingress["referenced_security_group_id"]


@pytest.mark.requirement("W5.4")
def test_groups_of_different_regions_are_named_by_the_addresses_of_their_tiers(ends: Ends) -> None:
    Flow(ends.stack, "f", source=ends.tasks, destination=ends.far, port=443, reason="Across the peering")
    (egress,), (ingress,) = ends.rules("egress"), ends.rules("ingress")
    assert (egress["provider"], egress["cidr_ipv4"]) == ("aws", ends.far.addresses)
    assert (ingress["provider"], ingress["cidr_ipv4"]) == ("aws.there", ends.tasks.addresses)
    assert "referenced_security_group_id" not in {**egress, **ingress}


@pytest.mark.requirement("W5.4")
def test_a_flow_to_a_prefix_list_is_one_egress_rule(ends: Ends) -> None:
    Flow(ends.stack, "f", source=ends.tasks, destination=PrefixList("pl-1"), port=443, reason="S3")
    (egress,) = ends.rules("egress")
    assert egress["prefix_list_id"] == "pl-1"
    assert ends.rules("ingress") == []


@pytest.mark.requirement("W5.4")
def test_a_flow_from_addresses_is_one_ingress_rule(ends: Ends) -> None:
    Flow(ends.stack, "f", source=Addresses("10.9.0.0/16"), destination=ends.tasks, port=443, reason="Office")
    (ingress,) = ends.rules("ingress")
    assert ingress["cidr_ipv4"] == "10.9.0.0/16"
    assert ends.rules("egress") == []


@pytest.mark.requirement("W5.4")
def test_everywhere_is_no_end_of_a_flow(ends: Ends) -> None:
    with pytest.raises(ValueError, match=r"0\.0\.0\.0/0 is not allowed"):
        Flow(ends.stack, "f", source=ends.tasks, destination=Addresses("0.0.0.0/0"), port=443, reason="x")


@pytest.mark.requirement("W5.4")
def test_a_flow_needs_a_group(ends: Ends) -> None:
    with pytest.raises(ValueError, match="one end must be a group"):
        Flow(ends.stack, "f", source=Addresses("10.9.0.0/16"), destination=PrefixList("pl-1"), port=443, reason="x")


@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("reason", ["", "it's", "x" * 256])
def test_a_reason_that_aws_would_refuse_is_refused_here(ends: Ends, reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        Flow(ends.stack, "f", source=ends.tasks, destination=ends.database, port=5432, reason=reason)
