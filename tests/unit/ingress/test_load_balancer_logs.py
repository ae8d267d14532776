"""The forwarding of load balancer logs: who tells whom of a new file, and who may read it (W5.3)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W5.3")


REGIONS = {"primary": "us-east-2", "recovery": "us-west-2"}


@pytest.fixture(params=REGIONS)
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def folder(region: str) -> str:
    return f"load-balancer/AWSLogs/123456789012/elasticloadbalancing/{REGIONS[region]}/"


def test_s3_notifies_of_log_files_of_this_regions_load_balancer(platform: Synthesized, region: str) -> None:
    """The recovery region's bucket also gets copies of the primary's files, which are forwarded there already."""
    load_balancer = platform.resource("aws_lb", f"{region}/load-balancer/load-balancer")
    assert load_balancer["access_logs"]["prefix"] == load_balancer["connection_logs"]["prefix"] == "load-balancer"
    notification = platform.resource("aws_s3_bucket_notification", f"{region}/load-balancer-logs/new-files")
    (queue,) = notification["queue"]
    assert queue["events"] == ["s3:ObjectCreated:*"]
    assert (queue["filter_prefix"], queue["filter_suffix"]) == (folder(region), ".log.gz")


def test_only_s3_may_send_and_only_for_the_logs_bucket(platform: Synthesized, region: str) -> None:
    policy = platform.resource("aws_sqs_queue_policy", f"{region}/load-balancer-logs/queue/queue-policy")
    statements = platform.statements(policy["policy"])
    allowed = [one for one in statements.values() if one.get("effect", "Allow") == "Allow"]
    assert [one["sid"] for one in allowed] == ["SendByService"]
    (principal,) = allowed[0]["principals"]
    assert principal["identifiers"] == ["s3.amazonaws.com"]
    conditions = {one["variable"]: one["values"] for one in allowed[0]["condition"]}
    bucket = f"arn:aws:s3:::payments-logs-local-123456789012-{REGIONS[region]}"
    assert conditions == {"aws:SourceAccount": ["123456789012"], "aws:SourceArn": [bucket]}


def test_the_function_reads_those_files_alone(platform: Synthesized, region: str) -> None:
    policy = platform.resource("aws_iam_role_policy", f"{region}/load-balancer-logs/function/policy")
    (resource,) = platform.statements(policy["policy"])["ReadFiles"]["resources"]
    assert resource.endswith(f".arn}}/{folder(region)}*")


def test_a_message_stays_hidden_while_its_file_is_forwarded(platform: Synthesized, region: str) -> None:
    function = platform.resource("aws_lambda_function", f"{region}/load-balancer-logs/function/function")
    queue = platform.resource("aws_sqs_queue", f"{region}/load-balancer-logs/queue/queue")
    assert queue["visibility_timeout_seconds"] >= 6 * function["timeout"]
    mapping = platform.resource("aws_lambda_event_source_mapping", f"{region}/load-balancer-logs/messages")
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("kind", ["access", "connections"])
def test_both_kinds_have_a_log_group_kept_for_thirty_days(platform: Synthesized, region: str, kind: str) -> None:
    id_ = {"access": "access-log-group", "connections": "connection-log-group"}[kind]
    group = platform.resource("aws_cloudwatch_log_group", f"{region}/load-balancer-logs/{id_}")
    assert group["name"] == f"/payments/local/load-balancer/{kind}"
    assert group["retention_in_days"] == 30
    assert group["kms_key_id"]
