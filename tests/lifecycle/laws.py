"""What holds for every change of the settings of a running platform, whichever plan it is in."""

from __future__ import annotations

from collections.abc import Iterable

DATABASE_TYPES = ("aws_rds_cluster.", "aws_rds_cluster_instance.", "aws_secretsmanager_secret")
# What stands by for the database goes when snapshots are restored instead, with the ways to it.
STANDING_BY = {
    "aws_appautoscaling_policy",
    "aws_backup_plan",
    "aws_backup_selection",
    "aws_cloudwatch_composite_alarm",  # whose only sign in that region it was that this database is behind
    "aws_cloudwatch_metric_alarm",
    "aws_iam_role_policy",
    "aws_rds_cluster",
    "aws_rds_cluster_instance",
    "aws_rds_global_cluster",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "terraform_data",  # the rule of that composite alarm
}
# A revision of a task definition, a canary and a secret's version cannot be changed: a new one is made in its place.
# A composite alarm is replaced when its rule names other alarms, as CloudWatch deletes none that is named.
NEW_BY_NATURE = {
    "aws_cloudwatch_composite_alarm",
    "aws_ecs_task_definition",
    "aws_codedeploy_deployment_config",
    "aws_secretsmanager_secret_version",
}
# What makes merchants, what lets operators in, and what misses its heartbeats goes with the service and its schema.
OF_PAYMENTS = (
    "merchant-administration",
    "operator-access",
    "database-operators-to-database",
    "payment-alarms_publisher-silent",
    "payment-alarms_reconciler-silent",
)


def replaces_nothing_in_use(change: str, lines: Iterable[str]) -> None:
    plan = actions(lines)
    assert plan, "the change changes nothing"
    undone = [(action, address) for action, address in plan if action in {"replace", "delete"}]
    if change == "removed-service":
        undone = [one for one in undone if not _goes_with(("payments", *OF_PAYMENTS), one)]
    if change == "database-recovery":  # who works with what stands by goes with it
        names = [f"recovery_{name}" for name in ("payments-processing", *OF_PAYMENTS)]
        undone = [one for one in undone if not _goes_with(names, one)]
    expected = {
        "nat-and-tags": {"aws_nat_gateway", "aws_eip", "aws_route", "aws_route_table"},
        "database-recovery": NEW_BY_NATURE | STANDING_BY,
        # Those of the other name, which the distribution has left by then; and alarms whose rules name others then.
        "routing": {"aws_route53_record", "aws_cloudwatch_composite_alarm"},
    }
    assert [one for one in undone if one[1].split(".")[0] not in expected.get(change, NEW_BY_NATURE)] == []


def _goes_with(names: Iterable[str], one: tuple[str, str]) -> bool:
    action, address = one
    return action == "delete" and any(name in address for name in names)


def changes_the_database_in_place(change: str, lines: Iterable[str]) -> None:
    of_primary = [
        (action, address)
        for action, address in actions(lines)
        if address.startswith(DATABASE_TYPES) and ".primary_" in address and address.split(".")[0] not in NEW_BY_NATURE
    ]
    assert {action for action, _ in of_primary} <= {"create" if change == "database-readers" else "update"}
    assert bool(of_primary) == (change != "database-recovery")


def actions(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Action and address of each line of a plan."""
    return [(action, address) for action, _, address in (line.partition(" ") for line in lines)]
