"""Queues: each that is consumed has a producer (W1.4, P3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from iam.synthesized import IDENTITY, RESOURCE, Policy, arn_of, policies
from settings import Settings, SettingsError, load
from tests.synthesized import Synthesized, decoded

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def all_policies(platform: Synthesized) -> list[Policy]:
    found = policies(platform.configuration, account_id=ACCOUNT)
    return [one for one in found if one.use in {IDENTITY, RESOURCE} and "_delivery_" not in one.owner]


def allowed(all_policies: list[Policy], action: str) -> set[str]:
    """The queues on which some role, or a service by the queue's own policy, is allowed an action."""
    return {
        resource
        for policy in all_policies
        for statement in policy.statements
        if statement["Effect"] == "Allow" and action in statement["Action"]
        for resource in statement["Resource"]
    }


@pytest.mark.requirement("W1.4")
@pytest.mark.requirement("P3.2")
def test_every_queue_that_is_consumed_can_be_sent_to(platform: Synthesized, all_policies: list[Policy]) -> None:
    queues = {
        arn_of(platform.configuration, f"${{aws_sqs_queue.{id_}.arn}}", account_id=ACCOUNT)
        for id_ in platform.resources("aws_sqs_queue")
    }
    consumed = allowed(all_policies, "sqs:ReceiveMessage") & queues
    assert len(consumed) >= 4
    assert consumed - allowed(all_policies, "sqs:SendMessage") == set()


@pytest.mark.requirement("W1.4")
def test_sender_knows_the_queue_of_the_worker_by_a_variable(platform: Synthesized) -> None:
    definition = platform.resource("aws_ecs_task_definition", "primary/services/web-task/definition")
    (container,) = decoded(definition["container_definitions"])
    (url,) = [one["value"] for one in container["environment"] if one["name"] == "QUEUE_URL_REPORTS"]
    assert platform.by_id(url)["name"] == "payments-reports-local"


@pytest.mark.parametrize("other", ["payments", "web", "nobody"])
def test_sends_to_a_service_that_is_no_worker_is_refused(other: str) -> None:
    values: dict[str, Any] = load("local").model_dump()
    values["services"]["web"]["sends_to"] = (other,)
    with pytest.raises(ValueError, match=r"services.web.sends_to\n.*another service that is a worker is: reports"):
        Settings.model_validate(values)


def test_placeholder_image_returns_and_logs_no_header() -> None:
    """It echoes requests otherwise, and CloudFront's have the origin secret."""
    for environment in ("local", "staging", "production"):
        placeholders = [one for one in load(environment).services.values() if "http-https-echo" in one.image]
        assert placeholders
        for service in placeholders:
            assert service.variables == {"ECHO_BACK_TO_CLIENT": "false", "LOG_IGNORE_PATH": ".*"}


@pytest.mark.parametrize("name", ["AWS_REGION", "DATABASE_HOST", "QUEUE_URL", "HTTPS_PORT", "lower"])
def test_variable_that_the_platform_sets_itself_is_refused(tmp_path: Any, name: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'extends = "staging"\n[services.web.variables]\n{name} = "x"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="but not what the platform sets itself"):
        load(str(file))
