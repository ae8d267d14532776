"""What was called and said in the whole life of the platform, in all its parts (W0.5, W8.1, W8.2)."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from policy.delivery import Record, roles
from settings import Settings
from tests.lifecycle import parts
from tests.lifecycle.base import Deployed
from tests.lifecycle.clients import passwords_of
from tests.lifecycle.life import Life
from tests.secret_search import found_below, found_in
from tests.synthesized import Synthesized

pytestmark = pytest.mark.lifecycle

PARTS = ["changes", "deployed", "end", "export", "traffic"]
SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r'"(?:master_)?password"\s*:\s*"[^"]+"'),
    re.compile(r'"secret_string"\s*:\s*"[^"]+"'),
)


def test_every_part_of_the_rehearsal_was_run(life: Life) -> None:
    assert parts.played_parts() == PARTS
    assert all(life.screens[name] for name in PARTS if name != "export")


@pytest.mark.requirement("W8.2")
def test_longest_chain_of_waits_is_reported_with_the_duration(life: Life) -> None:
    for phase, part in (("terraform apply", "deployed"), ("terraform destroy", "end")):
        (line,) = set(re.findall(rf"^ *{phase} +(\S+) s +(\d+) s: (.+?) *$", life.screens[part], re.MULTILINE))
        wall_time, chain_time, chain = line
        assert 0 < float(chain_time) <= float(wall_time) + 1  # Terraform counts a resource's time in whole seconds
        assert " > " in chain


@pytest.mark.requirement("W8.2")
def test_no_request_breaks_the_published_contract(life: Life) -> None:
    assert life.violations == []
    assert len(life.calls) > 1000  # there was something to look at


@pytest.mark.requirement("W0.3")
def test_state_is_encrypted_in_its_bucket_and_locked(life: Life, deployed: Deployed) -> None:
    assert deployed.state_encryption == "aws:kms"
    locks = [call for call in life.calls if "terraform.tfstate.tflock" in str(call.resource)]
    assert {call.action for call in locks} >= {"s3:PutObject", "s3:DeleteObject"}


@pytest.mark.requirement("W0.5")
def test_no_secret_is_in_state_or_output(life: Life, deployed: Deployed) -> None:
    assert '"type": "aws_kms_key"' in deployed.state  # it is the state
    for pattern in SECRETS:
        assert not pattern.search(deployed.state), pattern.pattern
    on_screen = "\n".join(life.screens.values()).replace("AKIAIOSFODNN7EXAMPLE", "")  # the local AWS's own, to be used
    assert not any(pattern.search(on_screen) for pattern in SECRETS)


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W3.3")
def test_generated_passwords_are_in_their_secrets_only(life: Life, deployed: Deployed) -> None:
    passwords = passwords_of(deployed.server)
    shown = {"state": deployed.state, **life.screens}
    # A rotation has made the application's user or its clone the current one (`lambda/rotate_database_secret`).
    assert [user.removesuffix("_clone") for user in passwords] == ["administrator", "payments"]
    nowhere: dict[str, list[str]] = {user: [] for user in passwords}
    assert {user: found_in(shown, [one]) for user, one in passwords.items()} == nowhere
    assert found_below(parts.place(), passwords) == nowhere


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W2.1")
def test_origin_secret_is_in_no_output_and_no_plan(
    life: Life, deployed: Deployed, changed: dict[str, list[str]]
) -> None:
    assert not any(deployed.origin_secret in screen for screen in life.screens.values())
    assert not any(deployed.origin_secret in line for plan in changed.values() for line in plan)


@pytest.mark.requirement("W0.2")
def test_each_region_received_the_calls_for_its_own_resources(life: Life, platform: Synthesized) -> None:
    made = Counter(call.region for call in life.calls if call.action == "ec2:CreateSubnet" and call.status == 200)
    stood = Counter({"aws": "us-east-2", "aws.recovery": "us-west-2"}[s["provider"]] for s in _subnets(platform))
    assert made == stood


def _subnets(platform: Synthesized) -> list[dict[str, Any]]:
    return list(platform.resources("aws_subnet").values())


@pytest.mark.requirement("W8.1")
def test_delivery_roles_allow_the_recorded_calls_and_nothing_else_without_a_reason(
    life: Life, platform: Synthesized, local_settings: Settings
) -> None:
    found = roles(platform.configuration, account_id=local_settings.account_id)
    held = Record(life.calls, found, local_settings).held()
    assert held.refused == ()
    assert held.escapes == ()
    assert held.idle == ()
    assert held.administrators  # the roles were made, and not by themselves


@pytest.mark.requirement("W8.1")
def test_a_reviewer_reads_the_state_and_no_secret(life: Life) -> None:
    by_plan_role = [call for call in life.calls if "/payments-delivery-plan-local/" in call.assumed_role]
    assert {call.action for call in by_plan_role} >= {"s3:GetObject", "cloudfront:ListCachePolicies"}
    assert not [call for call in by_plan_role if call.operation in {"GetSecretValue", "PutObject"}]
