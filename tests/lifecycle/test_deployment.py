"""The whole platform deployed to a local AWS, and planned again (W8.2)."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.lifecycle import base, parts
from tests.lifecycle.base import Deployed
from tests.synthesized import Synthesized

pytestmark = pytest.mark.lifecycle


@pytest.mark.requirement("W8.2")
@pytest.mark.requirement("W0.1")
def test_everything_synthesized_is_deployed_and_the_second_plan_is_empty(
    deployed: Deployed, platform: Synthesized
) -> None:
    types = platform.configuration["resource"]
    total = sum(len(blocks) for blocks in types.values())
    output = parts.screen(base.NAME)
    assert f"{total} resources of {len(types)} types" in output
    assert "second plan: empty" in output


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W2.1")
def test_origin_secret_exists_and_is_not_in_the_state(deployed: Deployed) -> None:
    assert len(deployed.origin_secret) >= 64
    assert '"type": "aws_lambda_invocation"' in deployed.state  # which made what sends and what accepts it
    assert "rule_group_arn" in deployed.state
    assert deployed.origin_secret not in deployed.state


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("region", ["primary", "recovery"])
@pytest.mark.parametrize("service", ["web", "payments"])
def test_service_is_destroyed_before_its_listener_rules_and_target_groups(
    deployed: Deployed, region: str, service: str
) -> None:
    """Terraform destroys first what depends on other things: no more releases, then no tasks, no rules, no targets."""
    needs = {
        f"{one['type']}.{one['name']}": set(one["instances"][0].get("dependencies", []))
        for one in json.loads(deployed.state)["resources"]
        if one["mode"] == "managed"
    }

    def of(type_: str, part: str) -> set[str]:
        return {address for address in needs if address.startswith(f"{type_}.{region}_services_{service}{part}")}

    order = [
        of("aws_codedeploy_deployment_group", "-release_group"),
        of("aws_ecs_service", "_service"),
        of("aws_lb_listener_rule", "_"),
        of("aws_lb_target_group", "_"),
    ]
    assert [len(one) for one in order] == [1, 1, 2, 2]
    for first, then in itertools.pairwise(order):
        assert all(needs[one] & then for one in first)
    (running,) = order[1]
    assert order[2] <= needs[running]
