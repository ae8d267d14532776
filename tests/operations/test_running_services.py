"""A deployment leaves running blue/green services in service (W7.1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.deployment.running_services import REPLACING, refuse_interruptions
from operations.outcome import Refused
from settings import Settings, load
from tests.synthesized import Synthesized, synthesize

pytestmark = pytest.mark.requirement("W7.1")
TYPES = ("aws_ecs_service", "aws_lb_target_group", "aws_lb_listener_rule")


def changed(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "changed.toml"
    file.write_text(f'extends = "local"\n{text}')
    return load(str(file))


def plan_between(before: Synthesized, after: Synthesized) -> Iterator[dict[str, Any]]:
    """What Terraform plans for what is in both configurations: a replacement where AWS changes nothing in place."""
    for type_ in TYPES:
        wanted = after.resources(type_)
        for id_, block in before.resources(type_).items():
            ignored = block.get("lifecycle", {}).get("ignore_changes", [])
            new = {**wanted.get(id_, {}), **{name: block[name] for name in ignored if name in block}}
            differ = {name for name in block if block[name] != new.get(name)}
            replaced = type_ != "aws_ecs_service" and differ & set(REPLACING)
            actions = ["delete", "create"] if replaced else ["update"] if differ else ["no-op"]
            yield {
                "address": f"{type_}.{id_}",
                "type": type_,
                "change": {
                    "actions": actions,
                    "before": as_read(block),
                    "after": as_read(new),
                    "after_unknown": {},
                },
            }


def as_read(block: dict[str, Any]) -> dict[str, Any]:
    """A block as the provider reads it: nested blocks are lists."""
    controller = block.get("deployment_controller")
    return {**block, "deployment_controller": [controller]} if isinstance(controller, dict) else block


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("services.web.port = 9443\n", {"port"}),
        ('primary.zones = ["us-east-2a", "us-east-2b", "us-east-2d"]\n', {"network_configuration"}),
        ('services.web.path_patterns = ["/*", "/v2/*"]\nservices.web.health_check.path = "/x"\n', set()),
        ("services.web.cpu_units = 1024\nservices.web.memory_mib = 2048\nservices.web.max_tasks = 9\n", set()),
    ],
)
def test_a_change_of_settings_that_would_interrupt_a_running_service_is_refused_with_what_changes(
    platform: Synthesized, tmp_path: Path, text: str, refused: set[str]
) -> None:
    changes = list(plan_between(platform, synthesize(changed(tmp_path, text))))
    assert {one["type"] for one in changes} == set(TYPES)
    plan = json.dumps({"resource_changes": changes})
    if not refused:
        refuse_interruptions(plan)
        return
    with pytest.raises(Refused) as found:
        refuse_interruptions(plan)
    lines = str(found.value).splitlines()
    assert {
        name for line in lines for name in re.findall(r"(?:, as|does not change) (\w+) (?:changes|of)", line)
    } == refused
    assert all("docs/runbooks/release.md" in line for line in lines)


def test_what_is_known_after_apply_alone_counts_as_changed_and_new_or_removed_services_do_not() -> None:
    before = {"name": "web", "deployment_controller": [{"type": "CODE_DEPLOY"}], "network_configuration": [{"a": 1}]}
    unknown = {"network_configuration": [{"subnets": True}]}
    service = {"address": "aws_ecs_service.web", "type": "aws_ecs_service"}

    def plan(**change: Any) -> str:
        return json.dumps({"resource_changes": [{**service, "change": change}]})

    with pytest.raises(Refused, match="ECS does not change network_configuration"):
        refuse_interruptions(plan(actions=["update"], before=before, after=before, after_unknown=unknown))
    with pytest.raises(Refused, match="would be replaced"):
        refuse_interruptions(plan(actions=["delete", "create"], before=before, after=before, after_unknown={}))
    refuse_interruptions(plan(actions=["create"], before=None, after=before, after_unknown=unknown))
    refuse_interruptions(plan(actions=["delete"], before=before, after=None, after_unknown={}))
    worker = {**before, "deployment_controller": [{"type": "ECS"}]}
    refuse_interruptions(plan(actions=["update"], before=worker, after=worker, after_unknown=unknown))
