"""Blue/green services (W1.2): what CodeDeploy owns, listeners and target groups."""

from __future__ import annotations

import pytest

from tests.synthesized import Block, Synthesized, path_of
from tests.unit.services.support import CRITICAL, REGIONS, service


@pytest.mark.requirement("W1.2")
@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", CRITICAL)
def test_attributes_owned_by_codedeploy_are_ignored(platform: Synthesized, region: str, name: str) -> None:
    own = service(platform, region, name)
    assert own["deployment_controller"] == {"type": "CODE_DEPLOY"}
    assert set(own["lifecycle"]["ignore_changes"]) == {"task_definition", "load_balancer", "desired_count"}
    assert len(own["load_balancer"]) == 1
    for rule in ("rule", "test-rule"):
        block = platform.resource("aws_lb_listener_rule", f"{region}/services/{name}/{rule}")
        assert block["lifecycle"]["ignore_changes"] == ["action"]
        assert any(block_is(platform, dependency, block) for dependency in own["depends_on"])


def block_is(platform: Synthesized, address: str, block: Block) -> bool:
    return platform.by_id("${" + address + ".id}") == block


@pytest.mark.requirement("W1.2")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", CRITICAL)
def test_a_deployment_group_knows_both_listeners_and_both_target_groups(
    platform: Synthesized, region: str, name: str
) -> None:
    group = platform.resource("aws_codedeploy_deployment_group", f"{region}/services/{name}-release/group")
    pair = group["load_balancer_info"]["target_group_pair_info"]
    (production,), (test,) = pair["prod_traffic_route"]["listener_arns"], pair["test_traffic_route"]["listener_arns"]
    assert path_of(platform.by_id(production)).endswith(f"{region}/load-balancer/listener")
    assert path_of(platform.by_id(test)).endswith(f"{region}/load-balancer/test-listener")
    colours = [path_of(platform.by_id(one["name"])) for one in pair["target_group"]]
    assert [path.rsplit("/", 2)[1:] for path in colours] == [[name, "blue"], [name, "green"]]
    assert group["deployment_style"] == {"deployment_option": "WITH_TRAFFIC_CONTROL", "deployment_type": "BLUE_GREEN"}
