"""Items of a synthesized platform with a fixed monthly price, and resources that are priced by use.

They are read from the synthesized configuration, which has everything that a fixed price depends on, so no account is
needed. Prices by use (requests, bytes, storage) are not estimated but listed, so that nobody mistakes them for zero.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.outcome import Refused

Block = dict[str, Any]
PRICES = Path(__file__).parent / "prices.toml"
REFERENCE = re.compile(r"\$\{(aws_\w+)\.([\w-]+)\.\w+\}")
CPU_UNITS, MIB = 1024, 1024
SERVERLESS = "db.serverless"
MINUTE_SECONDS = 60

BY_USE = {
    "aws_backup_plan": "backup storage and its copies",
    "aws_cloudfront_distribution": "requests and bytes delivered",
    "aws_cloudtrail": "data events, and management events where there is another trail",
    "aws_cloudwatch_log_group": "log bytes taken in and kept, and the metrics that their lines carry",
    "aws_cloudwatch_log_metric_filter": "metrics, in hours in which an event was counted",
    "aws_config_config_rule": "evaluations",
    "aws_config_configuration_recorder": "configuration items",
    "aws_ecr_repository": "image storage, and its replication",
    "aws_ecs_cluster": "metrics of Container Insights",
    "aws_flow_log": "log bytes",
    "aws_guardduty_detector": "events and bytes analysed",
    "aws_kms_key": "requests, and up to two rotations a key at 1 USD a month each",
    "aws_lambda_function": "calls and their seconds",
    "aws_lb": "load balancer capacity units",
    "aws_nat_gateway": "bytes through NAT",
    "aws_rds_cluster": "storage, I/O, backups beyond its size, snapshot exports",
    "aws_rds_global_cluster": "replicated writes",
    "aws_s3_bucket": "storage, requests, replication and its bytes",
    "aws_secretsmanager_secret": "calls",
    "aws_securityhub_account": "checks and findings",
    "aws_sfn_state_machine": "transitions",
    "aws_sns_topic": "notifications",
    "aws_sqs_queue": "requests",
    "aws_vpc_endpoint": "bytes through interface endpoints",
    "aws_vpc_peering_connection": "bytes between zones and regions",
    "aws_wafv2_web_acl": "requests",
}


# Types that are free; a name that ends with an underscore is a prefix.
FREE = (
    "terraform_data",
    "aws_accessanalyzer_",  # analyzers of external access are free; those of unused access are charged by role
    "aws_acm_",
    "aws_appautoscaling_",
    "aws_backup_",
    "aws_budgets_",
    "aws_cloudfront_",
    "aws_cloudwatch_event_",
    "aws_cloudwatch_log_",
    "aws_codedeploy_",
    "aws_config_",
    "aws_db_",
    "aws_default_",
    "aws_ecr_",
    "aws_ecs_",
    "aws_guardduty_",
    "aws_iam_",
    "aws_internet_gateway",
    "aws_kms_",
    "aws_lambda_",
    "aws_lb_",
    "aws_network_acl",
    "aws_rds_",
    "aws_route",
    "aws_s3_",
    "aws_secretsmanager_",
    "aws_security",
    "aws_sfn_",
    "aws_sns_",
    "aws_sqs_",
    "aws_subnet",
    "aws_vpc",
    "aws_wafv2_",
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """An item: its count and the monthly price of one."""

    group: str
    thing: str
    count: float
    usd_per_month: float

    @property
    def total(self) -> float:
        """USD a month."""
        return self.count * self.usd_per_month


class Prices:
    """A table of prices."""

    def __init__(self, path: Path) -> None:
        """Read the table.

        Raises:
            Refused: there is none, or not in the form of prices.toml.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            self.as_of = str(table["as_of"])
            self.regions = frozenset(table["regions"])
            self._hours = float(table["hours_per_month"])
            self._prices: Mapping[str, float] = table["prices"]
            self._instances: Mapping[str, float] = table["aurora_instance_hour"]
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
            raise Refused(
                f"--prices: {path}: {error}; a table like operations/estimate/prices.toml is allowed"
            ) from error

    def of(self, name: str) -> float:
        """USD a month of what the table names; an hour's price is taken for all hours of a month.

        Raises:
            Refused: the table lacks it.
        """
        if name not in self._prices:
            raise Refused(f"--prices: {name} is missing; a table like operations/estimate/prices.toml is allowed")
        return self._prices[name] * (self._hours if name.endswith("_hour") else 1.0)

    def of_instance(self, class_: str) -> float:
        """USD a month of a database instance.

        Raises:
            Refused: the table lacks the class.
        """
        if class_ not in self._instances:
            raise Refused(f"--prices: aurora_instance_hour lacks {class_}; its price an hour is needed")
        return self._instances[class_] * self._hours


@dataclass(frozen=True)
class Configuration:
    """A synthesized configuration with the price table."""

    resources: Mapping[str, Mapping[str, Block]]
    prices: Prices

    def referred(self, reference: str) -> Block:
        """The resource that a reference such as ``${aws_x.y.arn}`` points to."""
        match = REFERENCE.match(reference)
        if not match:
            raise Refused(f"{reference!r} is no reference to a resource of the configuration")
        return self.resources[match[1]][match[2]]


def items(configuration: Block, prices: Prices) -> Iterator[Item]:
    """Items with a fixed monthly price, resource by resource."""
    whole = Configuration(configuration["resource"], prices)
    for type_, price in PRICED.items():
        for block in whole.resources.get(type_, {}).values():
            yield from price(block, whole)


def by_use(configuration: Block) -> list[str]:
    """Resources of this configuration that are excluded because they are priced by use."""
    return [
        f"{type_.removeprefix('aws_')}: {what}" for type_, what in BY_USE.items() if type_ in configuration["resource"]
    ]


def unknown(configuration: Block) -> list[str]:
    """Resource types that are neither priced nor known to be free here."""
    known = {*PRICED, *BY_USE}
    return sorted(type_ for type_ in configuration["resource"] if type_ not in known and not type_.startswith(FREE))


def _ecs_service(block: Block, of: Configuration) -> Iterator[Item]:
    task = of.referred(block["task_definition"])
    architecture = task["runtime_platform"]["cpu_architecture"].lower()
    vcpus, gigabytes = int(task["cpu"]) / CPU_UNITS, int(task["memory"]) / MIB
    usd = vcpus * of.prices.of(f"fargate_{architecture}_vcpu_hour") + gigabytes * of.prices.of(
        f"fargate_{architecture}_gb_hour"
    )
    spot = any("SPOT" in one["capacity_provider"] for one in block.get("capacity_provider_strategy", []))
    thing = f"task of {vcpus:g} vCPU, {gigabytes:g} GB, {architecture}{' (Spot costs less)' if spot else ''}"
    yield Item(group="tasks", thing=thing, count=block["desired_count"], usd_per_month=usd)


def _load_balancer(block: Block, of: Configuration) -> Iterator[Item]:
    yield Item(group="network", thing="load balancer", count=1, usd_per_month=of.prices.of("load_balancer_hour"))
    if not block.get("internal"):
        usd = of.prices.of("public_ipv4_address_hour")
        yield Item(group="network", thing="public address", count=len(block["subnets"]), usd_per_month=usd)


def _endpoint(block: Block, of: Configuration) -> Iterator[Item]:
    if block.get("vpc_endpoint_type") == "Interface":
        usd, zones = of.prices.of("interface_endpoint_zone_hour"), len(block["subnet_ids"])
        yield Item(group="network", thing="interface endpoint in a zone", count=zones, usd_per_month=usd)


def _database_instance(block: Block, of: Configuration) -> Iterator[Item]:
    class_ = block["instance_class"]
    if class_ == SERVERLESS:
        cluster = of.referred(block["cluster_identifier"])
        least = float(cluster["serverlessv2_scaling_configuration"]["min_capacity"])
        usd = of.prices.of("aurora_capacity_unit_hour")
        yield Item(group="database", thing="capacity unit (the least)", count=least, usd_per_month=usd)
    else:
        yield Item(group="database", thing=f"{class_} instance", count=1, usd_per_month=of.prices.of_instance(class_))


def _secret(block: Block, of: Configuration) -> Iterator[Item]:
    count = 1 + len(block.get("replica", []))
    yield Item(group="security", thing="secret or replica", count=count, usd_per_month=of.prices.of("secret_month"))


def _alarm(block: Block, of: Configuration) -> Iterator[Item]:
    """An alarm with a band counts three times: the metric, and both sides of the band."""
    metrics = [one["metric"] for one in block.get("metric_query", []) if "metric" in one]
    count = max(1, len(metrics)) * (3 if "threshold_metric_id" in block else 1)
    quick = min(int(one.get("period", MINUTE_SECONDS)) for one in [block, *metrics]) < MINUTE_SECONDS
    thing = "metric of an alarm within less than a minute" if quick else "metric of an alarm"
    usd = of.prices.of("alarm_quick_metric_month" if quick else "alarm_metric_month")
    yield Item(group="observation", thing=thing, count=count, usd_per_month=usd)


def _web_acl(block: Block, of: Configuration) -> Iterator[Item]:
    rules = len(block.get("rule", []))
    yield Item(group="security", thing="web ACL", count=1, usd_per_month=of.prices.of("web_acl_month"))
    yield Item(
        group="security", thing="rule of a web ACL", count=rules, usd_per_month=of.prices.of("web_acl_rule_month")
    )


def _one(group: str, thing: str, price: str) -> Callable[[Block, Configuration], Iterator[Item]]:
    """A resource with a price that does not depend on its content."""

    def priced(_block: Block, of: Configuration) -> Iterator[Item]:
        yield Item(group=group, thing=thing, count=1, usd_per_month=of.prices.of(price))

    return priced


PRICED: dict[str, Callable[[Block, Configuration], Iterator[Item]]] = {
    "aws_ecs_service": _ecs_service,
    "aws_rds_cluster_instance": _database_instance,
    "aws_lb": _load_balancer,
    "aws_nat_gateway": _one("network", "NAT gateway", "nat_gateway_hour"),
    "aws_eip": _one("network", "public address", "public_ipv4_address_hour"),
    "aws_vpc_endpoint": _endpoint,
    "aws_kms_key": _one("security", "key", "key_month"),
    "aws_secretsmanager_secret": _secret,
    "aws_wafv2_web_acl": _web_acl,
    "aws_route53_zone": _one("network", "hosted zone", "hosted_zone_month"),
    "aws_route53_health_check": _one("network", "health check", "health_check_month"),
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_cloudwatch_composite_alarm": _one("observation", "composite alarm", "composite_alarm_month"),
    "aws_cloudwatch_dashboard": _one("observation", "dashboard", "dashboard_month"),
}
