"""The log groups that AWS writes to for a synthesized configuration, and what is wrong with them (W5.3).

AWS makes a group that it does not find, without a key and mostly for ever. So of every resource it is asked here which
groups are written to because of it, by name where the service chooses the name, and whether the stack makes them.
A type of which nobody has said whether it logs is an error: a new service cannot be forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from tests.synthesized import Block, decoded

DAYS = 30
GROUP = re.compile(r"\$\{aws_cloudwatch_log_group\.([\w-]+)\.(?:arn|name|id)\}(?::\*)?")
Names = Iterator[str]


@dataclass(frozen=True)
class Configuration:
    """A synthesized configuration, and who asks it."""

    resources: Mapping[str, Mapping[str, Block]]
    account_id: str

    def name(self, value: str) -> str:
        """The name of the log group that a name or a reference stands for."""
        match = GROUP.fullmatch(value)
        return str(self.resources["aws_cloudwatch_log_group"][match[1]]["name"]) if match else value

    def that_refer(self, type_: str, attribute: str, address: str) -> list[Block]:
        """The resources of a type whose attribute refers to the resource at ``address``."""
        blocks = self.resources.get(type_, {}).values()
        return [one for one in blocks if str(one.get(attribute, "")).startswith(f"${{{address}.")]


class UnloggedError(Exception):
    """Something that could log and does not; the message says what."""


def _function(block: Block, of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html."""
    chosen = block.get("logging_config", {}).get("log_group")
    yield of.name(chosen) if chosen else f"/aws/lambda/{block['function_name']}"


def _task(block: Block, of: Configuration, _address: str) -> Names:
    definitions = block["container_definitions"]
    for container in decoded(definitions) if definitions.startswith("${") else json.loads(definitions):
        logging = container.get("logConfiguration", {})
        if logging.get("logDriver") != "awslogs":
            raise UnloggedError(f"the container {container['name']} does not write to CloudWatch Logs")
        yield of.name(logging["options"]["awslogs-group"])


def _cluster(block: Block, of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-performance-logs-ECS.html."""
    if any(one["name"] == "containerInsights" and one["value"] != "disabled" for one in block.get("setting", [])):
        yield f"/aws/ecs/containerinsights/{block['name']}/performance"
    session = block.get("configuration", {}).get("execute_command_configuration", {})
    if session.get("logging") != "OVERRIDE":
        raise UnloggedError("sessions of ECS Exec are not logged in a group of their own")
    yield of.name(session["log_configuration"]["cloud_watch_log_group_name"])


def _database_cluster(block: Block, _of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.CloudWatch.html."""
    if not (exported := block.get("enabled_cloudwatch_logs_exports")):
        raise UnloggedError("its log is not exported")
    yield from (f"/aws/rds/cluster/{block['cluster_identifier']}/{kind}" for kind in exported)


def _database_instance(block: Block, _of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.CloudWatchLogs.html."""
    if block.get("monitoring_interval"):
        yield "RDSOSMetrics"


def _workflow(block: Block, of: Configuration, _address: str) -> Names:
    logging = block.get("logging_configuration", {})
    if logging.get("level", "OFF") == "OFF":
        raise UnloggedError("its executions are not logged")
    yield of.name(logging["log_destination"])


def _web_acl(_block: Block, of: Configuration, address: str) -> Names:
    found = of.that_refer("aws_wafv2_web_acl_logging_configuration", "resource_arn", address)
    if not found:
        raise UnloggedError("its requests are not logged")
    yield from (of.name(group) for one in found for group in one["log_destination_configs"])


def _vpc(_block: Block, of: Configuration, address: str) -> Names:
    found = of.that_refer("aws_flow_log", "vpc_id", address)
    if not found:
        raise UnloggedError("its flows are not logged")
    yield from (of.name(one["log_destination"]) for one in found)


def _distribution(_block: Block, of: Configuration, address: str) -> Names:
    """A source, a destination, and the delivery between them, which names both."""
    if not of.that_refer("aws_cloudwatch_log_delivery_source", "resource_arn", address):
        raise UnloggedError("its requests are not logged")
    for one in of.resources.get("aws_cloudwatch_log_delivery_destination", {}).values():
        (configuration,) = one["delivery_destination_configuration"]
        yield of.name(configuration["destination_resource_arn"])


def _trail(block: Block, of: Configuration, _address: str) -> Names:
    if "cloud_watch_logs_group_arn" not in block:
        raise UnloggedError("it does not write to CloudWatch Logs")
    yield of.name(block["cloud_watch_logs_group_arn"])


def _load_balancer(block: Block, of: Configuration, _address: str) -> Names:
    """AWS delivers both logs to S3 alone; the function that forwards them says where to."""
    variables = [
        one.get("environment", {}).get("variables", {})
        for one in of.resources["aws_lambda_function"].values()
        if one["provider"] == block["provider"]
    ]
    for kind, variable in (("access_logs", "ACCESS_LOG_GROUP"), ("connection_logs", "CONNECTION_LOG_GROUP")):
        if not block.get(kind, {}).get("enabled"):
            raise UnloggedError(f"{kind} are not written")
        groups = [found[variable] for found in variables if variable in found]
        if not groups:
            raise UnloggedError(f"{kind} are not forwarded to CloudWatch Logs")
        yield from (of.name(group) for group in groups)


def _edge_function(block: Block, _of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-functions-logs.html."""
    yield f"/aws/cloudfront/function/{block['name']}"


def _api_stage(block: Block, of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html."""
    yield f"API-Gateway-Execution-Logs_{block['rest_api_id']}/{block['stage_name']}"
    if "access_log_settings" not in block:
        raise UnloggedError("its requests are not logged")
    yield of.name(block["access_log_settings"]["destination_arn"])


def _build(block: Block, of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/codebuild/latest/userguide/change-project.html."""
    chosen = block.get("logs_config", {}).get("cloudwatch_logs", {}).get("group_name")
    yield of.name(chosen) if chosen else f"/aws/codebuild/{block['name']}"


def _topic(block: Block, of: Configuration, _address: str) -> Names:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-topic-attributes.html."""
    if any(attribute.endswith("_feedback_role_arn") for attribute in block):
        yield from (f"sns/*/{of.account_id}/{block['name']}{end}" for end in ("", "/Failure"))


WRITERS: dict[str, Callable[[Block, Configuration, str], Names]] = {
    "aws_api_gateway_stage": _api_stage,
    "aws_cloudfront_distribution": _distribution,
    "aws_cloudfront_function": _edge_function,
    "aws_cloudtrail": _trail,
    "aws_codebuild_project": _build,
    "aws_ecs_cluster": _cluster,
    "aws_ecs_task_definition": _task,
    "aws_lambda_function": _function,
    "aws_lb": _load_balancer,
    "aws_rds_cluster": _database_cluster,
    "aws_rds_cluster_instance": _database_instance,
    "aws_sfn_state_machine": _workflow,
    "aws_sns_topic": _topic,
    "aws_vpc": _vpc,
    "aws_wafv2_web_acl": _web_acl,
}
"""Which groups are written to because of a resource."""

SILENT = (
    "terraform_data",
    "aws_accessanalyzer_",
    "aws_acm_",
    "aws_appautoscaling_",
    "aws_backup_",
    "aws_budgets_",
    "aws_cloudfront_cache_",
    "aws_cloudfront_origin_",
    "aws_cloudfront_response_",
    "aws_cloudwatch_",  # logs are what it is, and rules of events write to their targets
    "aws_codedeploy_",
    "aws_config_",  # to S3
    "aws_db_",
    "aws_default_",
    "aws_ecr_",
    "aws_ecs_cluster_",
    "aws_ecs_service",  # its tasks do
    "aws_eip",
    "aws_flow_log",  # with its VPC
    "aws_guardduty_",  # only its scans for malware, which are off
    "aws_iam_",
    "aws_internet_gateway",
    "aws_kms_",
    "aws_lambda_event_source_mapping",
    "aws_lambda_function_",
    "aws_lambda_invocation",
    "aws_lambda_permission",
    "aws_lb_",
    "aws_nat_gateway",
    "aws_network_acl",
    "aws_rds_cluster_parameter_group",
    "aws_rds_global_cluster",
    "aws_route",  # also of 53: queries of names are not logged
    "aws_s3_",  # to the logs bucket
    "aws_secretsmanager_",
    "aws_security_group",
    "aws_securityhub_",
    "aws_sns_topic_",
    "aws_sqs_",
    "aws_subnet",
    "aws_vpc_",
    "aws_wafv2_ip_set",
    "aws_wafv2_rule_group",
    "aws_wafv2_web_acl_",  # with its web ACL
)
"""What writes to no log group; a name that ends with an underscore stands for all that begin with it."""


def unknown(resources: Mapping[str, object]) -> list[str]:
    """The types of which nobody has said whether they log."""
    return sorted(type_ for type_ in resources if type_ not in WRITERS and not type_.startswith(SILENT))


def problems(configuration: Block, *, account_id: str, of_others: Collection[str] = ()) -> list[str]:
    """What of the configuration logs nowhere, or where the stack does not say how long and under which key.

    Args:
        configuration: the synthesized one.
        account_id: of the environment.
        of_others: names of groups that another environment of the account makes.
    """
    of = Configuration(configuration["resource"], account_id)
    made = {(one["provider"], one["name"]): one for one in of.resources["aws_cloudwatch_log_group"].values()}
    found = [f"{type_}: say in tests/log_groups.py whether it logs" for type_ in unknown(of.resources)]
    for type_, names_of in WRITERS.items():
        for id_, block in of.resources.get(type_, {}).items():
            address = f"{type_}.{id_}"
            try:
                names = [*names_of(block, of, address)]
            except UnloggedError as nothing:
                found.append(f"{address}: {nothing}")
                continue
            missing = [one for one in names if (block["provider"], one) not in made and one not in of_others]
            found += [f"{address}: nobody makes the log group {one}" for one in missing]
    for (_, name), group in made.items():
        if group.get("retention_in_days") != DAYS:
            found.append(f"{name}: kept for {group.get('retention_in_days', 'ever')} days, not {DAYS}")
        if not str(group.get("kms_key_id", "")).startswith("${aws_kms_key."):
            found.append(f"{name}: not encrypted under a key of ours")
    return found
