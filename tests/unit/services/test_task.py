"""Tasks (W1.5): confined containers, roles and groups of their own."""

from __future__ import annotations

import pytest

from tests.synthesized import Block, Synthesized, decoded, path_of
from tests.unit.services.support import CRITICAL, REGIONS, with_service


def container(platform: Synthesized, region: str, name: str) -> Block:
    (found,) = decoded(definition(platform, region, name)["container_definitions"])
    return dict(found)


def definition(platform: Synthesized, region: str, name: str) -> Block:
    return platform.resource("aws_ecs_task_definition", f"{region}/services/{name}-task/definition")


@pytest.mark.requirement("W1.5")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", [*CRITICAL, "reports"])
def test_container_is_confined(platform: Synthesized, region: str, name: str) -> None:
    own = container(platform, region, name)
    assert "@sha256:" in own["image"]
    assert own["readonlyRootFilesystem"] is True
    assert own["privileged"] is False
    assert int(own["user"]) > 0
    assert own["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    assert own["logConfiguration"]["options"]["mode"] == "non-blocking"
    assert own["logConfiguration"]["options"]["awslogs-group"] == f"/payments/local/{name}"
    assert own["stopTimeout"] == 120
    assert not [variable for variable in own["environment"] if "PASSWORD" in variable["name"].upper()]


@pytest.mark.requirement("W1.5")
def test_container_health_check_is_the_command_of_the_settings(platform: Synthesized) -> None:
    assert "healthCheck" not in container(platform, "primary", "web")
    command = ("python", "-m", "payments", "healthy")
    asked = container(with_service("payments", container_check=command), "primary", "payments")
    assert asked["healthCheck"]["command"] == ["CMD", *command]
    assert asked["healthCheck"]["timeout"] < asked["healthCheck"]["interval"]


@pytest.mark.requirement("W1.5")
def test_every_service_has_roles_and_a_security_group_of_its_own(platform: Synthesized) -> None:
    definitions = platform.resources("aws_ecs_task_definition").values()
    roles = [path_of(platform.by_id(d[kind])) for d in definitions for kind in ("task_role_arn", "execution_role_arn")]
    assert len(set(roles)) == 2 * len(definitions)
    for one in platform.resources("aws_ecs_service").values():
        groups = [path_of(platform.by_id(g)) for g in one["network_configuration"]["security_groups"]]
        own = [group for group in groups if "-task/group" in group]
        assert len(own) == 1
        assert path_of(one).split("/")[3] in own[0]
        assert one["network_configuration"]["assign_public_ip"] is False
