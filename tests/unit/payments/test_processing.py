"""What becomes of accepted payments: the queue, the functions behind it, and who may do what (P3.2, Q1)."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from payments.acquirer.settings import AcquirerSettings
from payments.processing.composition import EnvironmentSettings
from payments.processing.settings import ProcessingSettings
from payments.settings import DatabaseLogin, DatabaseSettings, Misconfigured, ServiceSettings
from payments.settlement.reader import SettlementSettings
from settings import Settings, load
from settings.services import VariableName
from tests.payments.defaults import unsaid
from tests.synthesized import Block, Synthesized, decoded, path_of, synthesize
from tests.unit.payments.support import REGIONS, understood

CAPABILITIES = ("look_up", "key_retention_seconds", "decides_within_seconds")
"""What acquirers differ in: the platform says each, as the service's own default may be another acquirer's."""

pytestmark = pytest.mark.requirement("P3.2", "Q2")


FUNCTIONS = ("process-payment", "reconcile-payments")


def changed(**processing: Any) -> Synthesized:
    values = load("local").model_dump()
    values["processing"] |= processing
    return synthesize(Settings.model_validate(values))


def function(platform: Synthesized, region: str, name: str) -> Block:
    return platform.resource("aws_lambda_function", f"{region}/payments-processing/{name}/function")


def statements(platform: Synthesized, region: str, name: str) -> dict[str, Block]:
    policy = platform.resource("aws_iam_role_policy", f"{region}/payments-processing/{name}/policy")
    return platform.statements(policy["policy"])


def queue(platform: Synthesized, region: str, name: str = "queue") -> Block:
    return platform.resource("aws_sqs_queue", f"{region}/payments-processing/queue/{name}")


def task(platform: Synthesized, region: str, name: str) -> dict[str, str]:
    block = platform.resource("aws_ecs_task_definition", f"{region}/services/{name}-task/definition")
    (container,) = decoded(block["container_definitions"])
    return {one["name"]: one["value"] for one in container["environment"]}


def test_message_outlasts_an_outage_and_the_function_gives_up_what_fails_alone(
    platform: Synthesized, region: str
) -> None:
    own, dead = queue(platform, region), queue(platform, region, "dead-letters")
    policy = json.loads(own["redrive_policy"])
    assert policy["deadLetterTargetArn"].endswith(f":{dead['name']}")
    variables = function(platform, region, "process-payment")["environment"]["variables"]
    assert policy["maxReceiveCount"] == 1000
    assert variables["PROCESSING_TRIES"] == "12"
    assert platform.by_id(variables["DEAD_LETTER_QUEUE_URL"]) == dead
    allowed = statements(platform, region, "process-payment")
    assert allowed["GiveUp"]["actions"] == ["sqs:SendMessage"]
    assert [platform.by_id(one) for one in allowed["GiveUp"]["resources"]] == [dead]
    assert "kms:GenerateDataKey" in allowed["EncryptDeadLetters"]["actions"]
    assert "GiveUp" not in statements(platform, region, "reconcile-payments")
    for one in (own, dead):
        assert path_of(platform.by_id(one["kms_master_key_id"])).endswith(f"{region}/keys/objects")
    alarm = platform.resource("aws_cloudwatch_metric_alarm", f"{region}/payments-processing/queue/dead-letters-alarm")
    assert platform.by_id(alarm["dimensions"]["QueueName"]) == dead


def test_the_queue_calls_the_function_with_batches_of_which_single_messages_stay(
    platform: Synthesized, region: str
) -> None:
    mapping = platform.resource("aws_lambda_event_source_mapping", f"{region}/payments-processing/messages")
    process = function(platform, region, "process-payment")
    assert platform.by_id(mapping["event_source_arn"]) == queue(platform, region)
    assert platform.by_id(mapping["function_name"]) == process
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert mapping["batch_size"] == 10
    assert mapping["scaling_config"]["maximum_concurrency"] == process["reserved_concurrent_executions"] == 10
    assert queue(platform, region)["visibility_timeout_seconds"] >= 6 * process["timeout"]


def test_sizes_are_settings() -> None:
    platform = changed(batch_size=3, concurrency=4, reserve_concurrency=False, tries=7, timeout_seconds=60)
    mapping = platform.resource("aws_lambda_event_source_mapping", "primary/payments-processing/messages")
    assert (mapping["batch_size"], mapping["scaling_config"]["maximum_concurrency"]) == (3, 4)
    assert "reserved_concurrent_executions" not in function(platform, "primary", "process-payment")
    assert function(platform, "primary", "process-payment")["environment"]["variables"]["PROCESSING_TRIES"] == "7"
    assert queue(platform, "primary")["visibility_timeout_seconds"] == 360


@pytest.mark.requirement("W3.3")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_understand_their_environment(
    platform: Synthesized, region: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = function(platform, region, name)["environment"]["variables"]
    database = understood(DatabaseSettings, variables, monkeypatch)
    assert database.login is DatabaseLogin.SECRET
    assert database.secret_arn.startswith(f"arn:aws:secretsmanager:{REGIONS[region]}:")
    assert str(database.ca_file) == "/var/task/shared/rds-ca-bundle.pem"
    assert understood(AcquirerSettings, variables, monkeypatch).base_url == "https://acquirer.example.com"
    declared = {name for name in variables if name.startswith("ACQUIRER_")}
    assert {f"ACQUIRER_{one.upper()}" for one in CAPABILITIES} <= declared
    assert {one.removeprefix("ACQUIRER_").lower() for one in declared} <= {*AcquirerSettings.model_fields, "secret_arn"}
    assert understood(ProcessingSettings, variables, monkeypatch).tries == 12
    # Lambda itself says which region it is.
    where = understood(EnvironmentSettings, {**variables, "AWS_REGION": REGIONS[region]}, monkeypatch)
    assert where.environment_suffix == "local"
    assert where.acquirer_secret_arn == (
        f"arn:aws:secretsmanager:{REGIONS[region]}:123456789012:secret:payments/local/acquirer"
    )
    assert platform.by_id(variables["QUEUE_URL"]) == queue(platform, region)


@pytest.mark.requirement("Q1")
def test_the_service_understands_its_environment_and_may_send(
    platform: Synthesized, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = task(platform, region, "payments")
    service = understood(ServiceSettings, variables, monkeypatch)
    assert (service.aws_region, service.environment_suffix) == (REGIONS[region], "local")
    assert understood(DatabaseSettings, variables, monkeypatch).connections == 10
    assert platform.by_id(variables["QUEUE_URL"]) == queue(platform, region)
    policy = platform.resource("aws_iam_role_policy", f"{region}/services/payments-task/payments-queue-policy")
    send = platform.statements(policy["policy"])["SendToTheQueue"]
    assert send["actions"] == ["sqs:GetQueueAttributes", "sqs:SendMessage"]
    assert [platform.by_id(one) for one in send["resources"]] == [queue(platform, region)]


@pytest.mark.requirement("Q1", "Q3")
def test_each_setting_of_the_service_is_said_or_its_default_has_a_reason(platform: Synthesized, region: str) -> None:
    # Requests wait as the service's own default says; who reaches a task has passed the edge, without certificates.
    by_default = {"waiting_requests", "client_certificates"}
    assert not unsaid(set(task(platform, region, "payments")), by_default=by_default)


@pytest.mark.requirement("Q3")
def test_tasks_of_both_regions_keep_audit_events_as_long_as_settings_say_wherever_the_writer_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = changed(audit_months=25)
    for region in REGIONS:
        variables = task(platform, region, "payments")
        service = understood(ServiceSettings, variables, monkeypatch)
        assert (service.publishes, service.lifetimes.audit_months) == (True, 25)
        assert variables["DATABASE_HOST"].count(",") == 1, "the publisher follows the writer into either cluster"
        assert understood(DatabaseSettings, variables, monkeypatch).of_publisher().secret_arn


@pytest.mark.requirement("Q3")
@pytest.mark.parametrize("months", [11, 121])
def test_no_months_are_set_that_the_service_would_refuse(months: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="audit_months"):
        changed(audit_months=months)
    required = ("AWS_REGION", "ENVIRONMENT_SUFFIX", "QUEUE_URL", "API_KEY_PEPPERS_SECRET_ARN")
    variables = dict.fromkeys(required, "any")
    with pytest.raises(Misconfigured, match="AUDIT_MONTHS"):
        understood(ServiceSettings, variables | {"AUDIT_MONTHS": str(months)}, monkeypatch)


@pytest.mark.requirement("W0.4")
def test_what_the_platform_says_itself_is_refused_among_the_variables_of_a_service(
    platform: Synthesized, region: str
) -> None:
    """It would be overwritten without a word."""
    own = set(task(platform, region, "payments")) - set(load("local").services["payments"].variables)
    names = TypeAdapter(VariableName)
    taken = set()
    for name in own:
        with suppress(ValidationError):
            taken.add(names.validate_python(name))
    assert not taken


def test_no_other_service_knows_of_the_queue_and_a_worker_knows_its_own(platform: Synthesized, region: str) -> None:
    assert "QUEUE_URL" not in task(platform, region, "web")
    assert path_of(platform.by_id(task(platform, region, "reports")["QUEUE_URL"])).endswith("reports-queue/queue")
    of_others = [
        path_of(block)
        for block in platform.resources("aws_iam_role_policy").values()
        if "payments-queue" in path_of(block) and "payments-task" not in path_of(block)
    ]
    assert of_others == []


@pytest.mark.requirement("Q1", "W2.2")
def test_the_path_of_the_health_check_leads_to_the_service(platform: Synthesized, local_settings: Settings) -> None:
    service = local_settings.services["payments"]
    assert service.health_check.path == "/api/health"
    assert service.path_patterns == ("/api/*",)
    group = platform.resource("aws_lb_target_group", "primary/services/payments/blue")
    assert group["health_check"]["path"] == "/api/health"


def test_process_payment_consumes_the_queue_and_reconcile_payments_sends_to_it(
    platform: Synthesized, region: str
) -> None:
    takes, fills = (statements(platform, region, name) for name in FUNCTIONS)
    assert "sqs:ReceiveMessage" in takes["WorkOffTheQueue"]["actions"]
    assert "sqs:SendMessage" in fills["SendToTheQueue"]["actions"]
    assert "SendToTheQueue" not in takes
    assert "WorkOffTheQueue" not in fills
    for one in (takes["WorkOffTheQueue"], fills["SendToTheQueue"]):
        assert [platform.by_id(resource) for resource in one["resources"]] == [queue(platform, region)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reads_the_secret_for_processing_and_the_acquirers_and_no_other(
    platform: Synthesized, region: str, name: str
) -> None:
    read_ = [
        resource
        for one in statements(platform, region, name).values()
        if "secretsmanager:GetSecretValue" in one["actions"]
        for resource in one["resources"]
    ]
    prefix = f"arn:aws:secretsmanager:{REGIONS[region]}:123456789012:secret:payments/local"
    assert read_ == [f"{prefix}/database/processing-??????", f"{prefix}/acquirer-??????"]


@pytest.mark.requirement("Q6")
def test_the_reconciler_reads_settlement_files_and_nothing_else_of_the_bucket(
    platform: Synthesized, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = function(platform, region, "reconcile-payments")["environment"]["variables"]
    bucket = platform.resource("aws_s3_bucket", f"{region}/buckets/backups/bucket")
    settings = understood(SettlementSettings, variables, monkeypatch)
    assert platform.by_id(variables["SETTLEMENT_BUCKET"]) == bucket
    allowed = statements(platform, region, "reconcile-payments")
    finds, reads = allowed["FindSettlementFiles"], allowed["ReadSettlementFiles"]
    assert (finds["actions"], reads["actions"]) == (["s3:ListBucket"], ["s3:GetObject"])
    assert [one["values"] for one in finds["condition"]] == [[settings.prefix]]
    ((objects,), (whole,)) = reads["resources"], finds["resources"]
    assert objects == f"{whole}/{settings.prefix}*"
    assert platform.by_id(whole) == bucket
    decrypts = allowed["DecryptSettlementFiles"]
    assert [path_of(platform.by_id(key)) for key in decrypts["resources"]] == [
        path_of(platform.resource("aws_kms_key", f"{region}/keys/objects"))
    ]
    assert [one["values"] for one in decrypts["condition"]] == [[f"s3.{REGIONS[region]}.amazonaws.com"]]
    others = statements(platform, region, "process-payment").values()
    assert not [action for one in others for action in one["actions"] if action.startswith("s3:")]


@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_reaches_the_acquirer_on_443_and_nothing_else_outside(
    platform: Synthesized, region: str, name: str
) -> None:
    database = {"primary": "10.11.128.0/18", "recovery": "10.10.128.0/18"}[region]
    far = [(database, 5432, 5432)]  # while the writer is in the other region
    assert outside(platform, region, name) == sorted([("0.0.0.0/0", 443, 443), *far])
    blocks = ("203.0.113.0/28", "198.51.100.7/32")
    narrowed = changed(acquirer={"url": "https://acquirer.example.com", "networks": blocks})
    assert outside(narrowed, region, name) == sorted([*((block, 443, 443) for block in blocks), *far])


def outside(platform: Synthesized, region: str, name: str) -> list[tuple[str, int, int]]:
    own = f"{region}/payments-processing/{name}/group"
    rules = [
        rule
        for rule in platform.resources("aws_vpc_security_group_egress_rule").values()
        if own in path_of(platform.by_id(rule["security_group_id"])) and "cidr_ipv4" in rule
    ]
    return sorted((rule["cidr_ipv4"], rule["from_port"], rule["to_port"]) for rule in rules)


def test_the_reconciler_runs_on_a_schedule_of_the_settings(platform: Synthesized, region: str) -> None:
    rule = platform.resource("aws_cloudwatch_event_rule", f"{region}/payments-processing/schedule")
    target = platform.resource("aws_cloudwatch_event_target", f"{region}/payments-processing/schedule-target")
    permission = platform.resource("aws_lambda_permission", f"{region}/payments-processing/schedule-permission")
    reconcile = function(platform, region, "reconcile-payments")
    assert rule["schedule_expression"] == "rate(5 minutes)"
    assert platform.by_id(target["arn"]) == reconcile
    assert platform.by_id(target["rule"]) == platform.by_id(permission["source_arn"]) == rule
    assert platform.by_id(permission["function_name"]) == reconcile
    every_minute = changed(reconcile_minutes=1)
    rule = every_minute.resource("aws_cloudwatch_event_rule", f"{region}/payments-processing/schedule")
    assert rule["schedule_expression"] == "rate(1 minute)"


@pytest.mark.requirement("W5.3")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_log_is_encrypted_and_kept_for_thirty_days(platform: Synthesized, region: str, name: str) -> None:
    group = platform.resource("aws_cloudwatch_log_group", f"{region}/payments-processing/{name}/log-group")
    assert (group["name"], group["retention_in_days"]) == (f"/payments/local/{name}", 30)
    assert path_of(platform.by_id(group["kms_key_id"])).endswith(f"{region}/keys/logs")


@pytest.mark.requirement("W5.2")
def test_waiting_payments_and_failing_functions_raise_an_alarm(platform: Synthesized, region: str) -> None:
    path = f"{region}/payments-processing"
    waiting = platform.resource("aws_cloudwatch_metric_alarm", f"{path}/queue/age-alarm")
    assert waiting["alarm_name"] == "payments/local/process-payment-queue-age"
    failing = platform.resource("aws_cloudwatch_metric_alarm", f"{path}/process-payment/alarm")
    assert failing["alarm_name"] == "payments/local/process-payment-failing"


@pytest.mark.requirement("W3.5")
def test_standby_region_is_the_same(platform: Synthesized) -> None:
    def kinds(region: str) -> list[str]:
        return sorted(
            f"{type_} {path_of(block).split('/payments-processing/')[1]}"
            for _, type_, block in platform.blocks
            if f"/{region}/payments-processing/" in path_of(block)
        )

    assert kinds("primary")
    assert kinds("primary") == kinds("recovery")


def test_without_processing_there_is_nothing_of_it(local_settings: Settings) -> None:
    platform = synthesize(local_settings.model_copy(update={"processing": None}))
    of_it = ("payments-processing", "payments-schema", "payments-acquirer", "payments-queue")
    assert not [path for _, _, block in platform.blocks if any(one in (path := path_of(block)) for one in of_it)]
    assert "QUEUE_URL" not in task(platform, "primary", "payments")
