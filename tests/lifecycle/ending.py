"""The end of a platform that has lived: settings that take parts of it away, and its destruction."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from emulator.process import Server
from operations.deployment.local import LocalDeployment
from settings import load
from tests.lifecycle.base import Deployed
from tests.lifecycle.changes import APPLIED, by_change, changed
from tests.lifecycle.clients import client, passwords_of
from tests.lifecycle.exporting import export
from tests.lifecycle.parts import forked
from tests.lifecycle.traffic import fail_over, release_twice
from tests.secret_search import found_below

# What is listed after the destruction, region by region: service, call, and where the answer has what there is.
# Beside the inventory that the destruction itself looks through, so that one mistake cannot hide in both.
LISTINGS: list[tuple[str, str, dict[str, Any], Callable[[dict[str, Any]], list[Any]]]] = [
    ("ec2", "describe_vpcs", {}, lambda answer: [vpc for vpc in answer["Vpcs"] if not vpc["IsDefault"]]),
    ("ec2", "describe_nat_gateways", {}, lambda a: [n for n in a["NatGateways"] if n["State"] != "deleted"]),
    ("ec2", "describe_addresses", {}, lambda answer: answer["Addresses"]),
    ("ec2", "describe_vpc_endpoints", {}, lambda a: [e for e in a["VpcEndpoints"] if e["State"] != "deleted"]),
    ("ec2", "describe_flow_logs", {}, lambda answer: answer["FlowLogs"]),
    (
        "ec2",
        "describe_vpc_peering_connections",
        {},
        lambda a: [p for p in a["VpcPeeringConnections"] if p["Status"]["Code"] != "deleted"],
    ),
    ("logs", "describe_log_groups", {}, lambda answer: answer["logGroups"]),
    ("rds", "describe_db_clusters", {}, lambda answer: answer["DBClusters"]),
    ("rds", "describe_db_instances", {}, lambda answer: answer["DBInstances"]),
    ("rds", "describe_db_cluster_snapshots", {}, lambda answer: answer["DBClusterSnapshots"]),
    ("rds", "describe_global_clusters", {}, lambda answer: answer["GlobalClusters"]),
    ("secretsmanager", "list_secrets", {}, lambda answer: answer["SecretList"]),
    ("logs", "describe_deliveries", {}, lambda answer: answer["deliveries"]),
    ("wafv2", "list_web_acls", {"Scope": "REGIONAL"}, lambda answer: answer["WebACLs"]),
    ("wafv2", "list_rule_groups", {"Scope": "REGIONAL"}, lambda answer: answer["RuleGroups"]),
    ("cloudfront", "list_distributions", {}, lambda answer: answer["DistributionList"].get("Items", [])),
    ("cloudfront", "list_functions", {}, lambda answer: answer["FunctionList"].get("Items", [])),
    ("route53", "list_health_checks", {}, lambda answer: answer["HealthChecks"]),
    ("sns", "list_topics", {}, lambda answer: answer["Topics"]),
    ("cloudwatch", "describe_alarms", {}, lambda answer: answer["MetricAlarms"]),
    ("cloudwatch", "describe_alarms", {"AlarmTypes": ["CompositeAlarm"]}, lambda answer: answer["CompositeAlarms"]),
    ("cloudwatch", "list_dashboards", {}, lambda answer: answer["DashboardEntries"]),
    ("iam", "list_roles", {}, lambda answer: [role for role in answer["Roles"] if not _stays(role)]),
]


def _stays(role: dict[str, Any]) -> bool:
    """A service's own role, and the one by which S3 replicates the state: both are made before the platform."""
    return bool(role["Path"].startswith("/aws-service-role/") or role["RoleName"] == load("local").state.replica)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What came of changed settings: what a plan would change then, what is left, and who has another password.

    ``reviewed`` is what a plan from the state had said before, as a workflow makes it for a reviewer, ``by_change`` its
    lines by change, ``done`` what the apply, which asks AWS first, then did.
    """

    reviewed: list[str]
    by_change: dict[str, list[str]]
    done: list[str]
    plan: list[str]
    recovery_clusters: list[str]
    new_passwords: list[str]
    found: list[str]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came before the destruction, and what was left after it."""

    exit_codes: list[int]
    exported: str
    applied: Applied
    left: dict[str, list[Any]]
    buckets_left: list[str]


def play_end(deployed: Deployed, directory: Path, console: Console) -> Ended:
    """Let the platform live (exports, failovers and releases leave something each), change it, and destroy it."""
    settings = load("local")
    with forked(deployed.server, directory, console) as (deployment, server):
        exported = export(server)
        failed_over = fail_over(deployment, server)
        released, rolled_back, _ = release_twice(deployment, server)
        applied = _apply(deployed, deployment, server, directory / "applied")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LocalDeployment, "abandon", lambda _: None)  # to look around before it is gone
            deployment.destroy()
        return Ended(
            exit_codes=[*(one.code for one in failed_over), released.code, rolled_back.code],
            exported=exported.status,
            applied=applied,
            left=_listed(server, (settings.primary.name, settings.recovery.name, "us-east-1")),
            buckets_left=[bucket["Name"] for bucket in client(server, "s3").list_buckets()["Buckets"]],
        )


def _apply(deployed: Deployed, deployment: LocalDeployment, server: Server, directory: Path) -> Applied:
    """Take the recovery region's database away and make the master's password anew."""
    directory.mkdir()
    passwords = passwords_of(server)
    terraform = changed(APPLIED, deployed, server, directory / "stack", deployment.console)
    reviewer = replace(terraform, environment={**terraform.environment, **deployment.as_role("plan")})
    reviewed = reviewer.plan(refresh=False, lock=False)
    done = terraform.apply().changes
    now = passwords_of(server)
    return Applied(
        reviewed=reviewed,
        by_change=by_change(APPLIED, reviewed, directory),
        done=done,
        plan=terraform.plan(),
        recovery_clusters=_recovery_clusters(server),
        new_passwords=[user for user in now if now[user] != passwords[user]],
        found=sorted(itertools.chain(*found_below(directory.parent, now).values())),
    )


def _recovery_clusters(server: Server) -> list[str]:
    """The clusters that the recovery region has, and the global ones."""
    rds = client(server, "rds", "us-west-2")
    clusters = [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]]
    return clusters + [one["GlobalClusterIdentifier"] for one in rds.describe_global_clusters()["GlobalClusters"]]


def _listed(server: Server, regions: tuple[str, ...]) -> dict[str, list[Any]]:
    """What a listing of each service finds, where it finds anything."""
    found: dict[str, list[Any]] = {}
    for region in regions:
        for service, call, parameters, select in LISTINGS:
            answer = getattr(client(server, service, region), call)(**parameters)
            if selected := select(answer):
                found[f"{region} {service} {call}"] = selected
    return found
