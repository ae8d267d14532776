"""Every log group that AWS writes to is one that the stack makes, for 30 days and under a key (W5.3)."""

from __future__ import annotations

from copy import deepcopy

import pytest

from settings import load
from tests.log_groups import WRITERS, problems, unknown
from tests.synthesized import Block, Synthesized, synthesize

ACCOUNT = "123456789012"


# What the stack has, so that none of these is looked at in vain.
WRITING = {
    "aws_cloudfront_distribution",
    "aws_cloudtrail",
    "aws_ecs_cluster",
    "aws_ecs_task_definition",
    "aws_lambda_function",
    "aws_lb",
    "aws_rds_cluster",
    "aws_rds_cluster_instance",
    "aws_sfn_state_machine",
    "aws_vpc",
    "aws_wafv2_web_acl",
}


@pytest.fixture
def configuration(platform: Synthesized) -> Block:
    """A copy to break."""
    return {"resource": deepcopy(platform.configuration["resource"])}


def first(configuration: Block, type_: str, part: str = "") -> Block:
    found: Block = next(block for id_, block in configuration["resource"][type_].items() if part in id_)
    return found


def without_group(configuration: Block, name: str, provider: str = "aws") -> str:
    """Removes a log group under the name that its writer knows it by, and returns that name."""
    groups = configuration["resource"]["aws_cloudwatch_log_group"]
    (id_,) = [id_ for id_, one in groups.items() if (one["name"], one["provider"]) == (name, provider)]
    groups[id_]["name"] += "-renamed"
    return name


@pytest.mark.requirement("W5.3")
def test_every_log_group_of_an_aws_service_is_created_with_30_days_of_retention_and_a_key(
    platform: Synthesized,
) -> None:
    assert problems(platform.configuration, account_id=ACCOUNT) == []
    assert platform.configuration["resource"].keys() >= WRITING
    assert WRITERS.keys() >= WRITING


@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_so_it_is_in_the_other_environments(environment: str) -> None:
    settings = load(environment)
    assert problems(synthesize(settings).configuration, account_id=settings.account_id) == []


@pytest.mark.requirement("W5.3")
def test_environment_that_is_not_the_accounts_owner_leaves_one_log_group_to_the_owner() -> None:
    other = synthesize(load("local").model_copy(update={"environment_suffix": "pr-7"}))
    assert problems(other.configuration, account_id=ACCOUNT, of_others={"RDSOSMetrics"}) == []
    assert {line.rpartition(" ")[2] for line in problems(other.configuration, account_id=ACCOUNT)} == {"RDSOSMetrics"}


@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize(
    "name",
    [
        "RDSOSMetrics",
        "/aws/ecs/containerinsights/payments-cluster-local/performance",
        "/aws/rds/cluster/payments-database-local/postgresql",
    ],
)
def test_a_missing_group_whose_name_the_service_chooses_is_named(configuration: Block, name: str) -> None:
    missing = without_group(configuration, name)
    lines = problems(configuration, account_id=ACCOUNT)
    assert lines
    assert all(line.endswith(f"nobody makes the log group {missing}") for line in lines)


@pytest.mark.requirement("W5.3")
def test_a_function_without_a_group_of_its_own_would_get_one_of_lambdas(configuration: Block) -> None:
    function = first(configuration, "aws_lambda_function")
    del function["logging_config"]
    (line,) = problems(configuration, account_id=ACCOUNT)
    assert line.endswith(f"nobody makes the log group /aws/lambda/{function['function_name']}")


@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize(
    ("type_", "attribute", "value", "said"),
    [
        ("aws_rds_cluster", "enabled_cloudwatch_logs_exports", [], "its log is not exported"),
        ("aws_sfn_state_machine", "logging_configuration", {}, "its executions are not logged"),
        ("aws_ecs_cluster", "configuration", {}, "sessions of ECS Exec are not logged"),
        ("aws_lb", "connection_logs", {"enabled": False}, "connection_logs are not written"),
        ("aws_ecs_task_definition", "container_definitions", '[{"name": "web"}]', "the container web does not write"),
    ],
)
def test_service_without_a_log_is_named(
    configuration: Block, type_: str, attribute: str, value: object, said: str
) -> None:
    first(configuration, type_)[attribute] = value
    (line,) = problems(configuration, account_id=ACCOUNT)
    assert line.startswith(f"{type_}.")
    assert said in line


@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("aws_flow_log", "its flows are not logged"),
        ("aws_wafv2_web_acl_logging_configuration", "its requests are not logged"),
        ("aws_cloudwatch_log_delivery_source", "its requests are not logged"),
    ],
)
def test_service_whose_log_was_removed_is_named(configuration: Block, type_: str, said: str) -> None:
    blocks = configuration["resource"][type_]
    del blocks[next(iter(blocks))]
    assert [line.partition(": ")[2] for line in problems(configuration, account_id=ACCOUNT)] == [said]


@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize(("attribute", "value"), [("retention_in_days", 90), ("kms_key_id", "alias/aws/logs")])
def test_a_group_with_other_retention_or_without_a_key_is_named(
    configuration: Block, attribute: str, value: object
) -> None:
    first(configuration, "aws_cloudwatch_log_group")[attribute] = value
    assert len(problems(configuration, account_id=ACCOUNT)) == 1
    del first(configuration, "aws_cloudwatch_log_group")[attribute]
    assert len(problems(configuration, account_id=ACCOUNT)) == 1


@pytest.mark.requirement("W5.3")
def test_unclassified_service_is_named(configuration: Block) -> None:
    configuration["resource"]["aws_opensearch_domain"] = {"x": {"provider": "aws"}}
    assert unknown(configuration["resource"]) == ["aws_opensearch_domain"]
    (line,) = problems(configuration, account_id=ACCOUNT)
    assert line.startswith("aws_opensearch_domain: say")


@pytest.mark.requirement("W5.3")
def test_every_log_group_is_kept_exactly_thirty_days_and_encrypted(platform: Synthesized) -> None:
    for log_group in platform.resources("aws_cloudwatch_log_group").values():
        assert log_group["retention_in_days"] == 30
        assert "kms_key_id" in log_group
