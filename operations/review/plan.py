"""Reads a plan of Terraform as a reviewer does: what would change, and what that change touches.

The form is that of `terraform show -json`
(https://developer.hashicorp.com/terraform/internals/json-format#plan-representation).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from operations.outcome import Refused

UNKNOWN = "(known after apply)"
SENSITIVE = "(sensitive)"
EMPTY: tuple[Any, ...] = (None, "", [], {})


class Action(StrEnum):
    """What Terraform would do to a resource, the gravest first."""

    DELETE = "delete"
    REPLACE = "replace"
    FORGET = "forget"
    CREATE = "create"
    UPDATE = "update"


class Concern(StrEnum):
    """What a change touches, in the order in which a reviewer wants to know."""

    DATA = "data"
    ACCESS = "access"
    NETWORK = "network"
    OTHER = "other"


ACTIONS = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DELETE,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("forget",): Action.FORGET,
    ("create", "forget"): Action.REPLACE,
}
NO_CHANGE = {("no-op",), ("read",)}

# What holds data that nobody can make again, or what customers and other systems know by its address.
HOLDS_DATA = {
    "aws_backup_vault",
    "aws_cloudtrail",
    "aws_cloudwatch_log_group",
    "aws_db_instance",
    "aws_docdb_cluster",
    "aws_dynamodb_table",
    "aws_ebs_volume",
    "aws_ecr_repository",
    "aws_efs_file_system",
    "aws_elasticache_replication_group",
    "aws_kms_key",
    "aws_kms_replica_key",
    "aws_opensearch_domain",
    "aws_rds_cluster",
    "aws_rds_cluster_instance",
    "aws_rds_global_cluster",
    "aws_route53_zone",
    "aws_s3_bucket",
    "aws_secretsmanager_secret",
    "aws_secretsmanager_secret_version",
    "aws_sqs_queue",
}
ACCESS_PREFIXES = ("aws_iam_", "aws_kms_", "aws_lakeformation_", "aws_organizations_", "aws_ssoadmin_")
# The policies of resources, and the other ways in.
ACCESS_TYPES = {"aws_lambda_permission", "aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block"}
ACCESS_SUFFIX = "_policy"
NO_ACCESS = {"aws_appautoscaling_policy", "aws_autoscaling_policy", "aws_ecr_lifecycle_policy"}
NO_ACCESS_PREFIXES = ("aws_cloudfront_", "aws_dlm_")
NETWORK_PREFIXES = (
    "aws_cloudfront_distribution",
    "aws_customer_gateway",
    "aws_default_",
    "aws_egress_only_",
    "aws_eip",
    "aws_internet_gateway",
    "aws_lb",
    "aws_main_route_",
    "aws_nat_gateway",
    "aws_network_",
    "aws_route",
    "aws_security_group",
    "aws_subnet",
    "aws_vpc",
    "aws_vpn_",
    "aws_wafv2_",
)


# What keeps data from being lost, and the value that keeps it best: True, False, or the higher number.
SAFEGUARDS: dict[str, bool | None] = {
    "backup_retention_period": None,
    "delete_automated_backups": False,
    "deletion_protection": True,
    "deletion_window_in_days": None,
    "enable_deletion_protection": True,
    "force_delete": False,
    "force_destroy": False,
    "recovery_window_in_days": None,
    "retention_in_days": None,
    "skip_final_snapshot": False,
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An attribute that would change. What is sensitive or not known yet is said so, and not shown."""

    attribute: str
    before: Any
    after: Any

    @property
    def weakens(self) -> bool:
        """Whether a safeguard against the loss of data would be lifted or lowered."""
        if self.attribute not in SAFEGUARDS:
            return False
        best = SAFEGUARDS[self.attribute]
        if best is not None:
            return self.before is best and self.after is not best
        numbers = isinstance(self.before, (int, float)) and isinstance(self.after, (int, float))
        return numbers and 0 <= self.after < self.before


@dataclass(frozen=True, kw_only=True)
class Change:
    """What would happen to one resource."""

    address: str
    type: str
    action: Action
    differences: tuple[Difference, ...]
    forced_by: tuple[str, ...]
    """The attributes that cannot be changed in place, where that is why it would be replaced."""

    @property
    def concern(self) -> Concern:
        """What it touches. A policy is access, whatever it is the policy of."""
        if self._is_access:
            return Concern.DATA if self.type in HOLDS_DATA and self.loses else Concern.ACCESS
        if self.type in HOLDS_DATA:
            return Concern.DATA if self.loses else Concern.OTHER
        return Concern.NETWORK if self.type.startswith(NETWORK_PREFIXES) else Concern.OTHER

    @property
    def loses(self) -> bool:
        """Whether what there is now would be gone."""
        return self.action in {Action.DELETE, Action.REPLACE, Action.FORGET}

    @property
    def weakened(self) -> list[str]:
        """The safeguards of what stays that would be lifted or lowered."""
        return [] if self.loses else [one.attribute for one in self.differences if one.weakens]

    @property
    def _is_access(self) -> bool:
        if self.type in NO_ACCESS or self.type.startswith(NO_ACCESS_PREFIXES):
            return False
        return self.type.startswith(ACCESS_PREFIXES) or self.type.endswith(ACCESS_SUFFIX) or self.type in ACCESS_TYPES


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a plan would do, and what it found different from what was last applied."""

    changes: tuple[Change, ...]
    drift: tuple[Change, ...]
    outputs: tuple[tuple[str, str], ...]
    """The outputs that would change: action and name."""

    def count(self, action: Action) -> int:
        """How many resources the plan would do this to."""
        return sum(change.action is action for change in self.changes)

    def of(self, concern: Concern) -> list[Change]:
        """The changes that touch this, the gravest first."""
        order = list(Action)
        found = [change for change in self.changes if change.concern is concern]
        return sorted(found, key=lambda change: (order.index(change.action), change.type, change.address))


def read(text: str, source: str) -> Plan:
    """The plan in the text of ``terraform show -json``.

    Args:
        text: what was read.
        source: where from, for messages.

    Raises:
        Refused: it is no such plan, or an unfinished one.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refused(f"{source}: no JSON ({error}); the output of terraform show -json is allowed") from error
    if not isinstance(document, dict) or "format_version" not in document or "planned_values" not in document:
        raise Refused(f"{source}: no plan; the output of terraform show -json on a plan's file is allowed")
    if document.get("errored"):
        raise Refused(f"{source}: a plan that ended with errors; one that was finished is allowed")
    return Plan(
        changes=tuple(_changes(document.get("resource_changes", []))),
        # Where the provider only fills in what was left empty, Terraform speaks of drift, too.
        drift=tuple(change for change in _changes(document.get("resource_drift", [])) if change.differences),
        outputs=tuple(_outputs(document.get("output_changes", {}))),
    )


def _changes(entries: list[dict[str, Any]]) -> Iterator[Change]:
    for entry in entries:
        actions = tuple(entry["change"]["actions"])
        if entry.get("mode") == "data" or actions in NO_CHANGE:
            continue
        if actions not in ACTIONS:
            raise Refused(f"{entry['address']}: the actions {'/'.join(actions)} are unknown; a newer review is needed")
        change = entry["change"]
        yield Change(
            address=entry["address"],
            type=entry["type"],
            action=ACTIONS[actions],
            differences=tuple(_differences(change)),
            forced_by=tuple(sorted({".".join(map(str, path)) for path in change.get("replace_paths", [])})),
        )


def _differences(change: Mapping[str, Any]) -> Iterator[Difference]:
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    for name in sorted({*before, *after, *unknown}):
        old = _masked(before.get(name), _marks(change.get("before_sensitive"), name))
        new = _masked(after.get(name), _marks(change.get("after_sensitive"), name))
        if unknown.get(name) is True:
            new = UNKNOWN
        if old in EMPTY and new in EMPTY:
            continue
        if old != new or (before.get(name) != after.get(name) and new != UNKNOWN):
            yield Difference(attribute=name, before=old, after=new)


def _marks(sensitive: Any, name: str) -> Any:
    """What of an attribute is sensitive: True for all of it, or marks in the form of its value."""
    return sensitive.get(name, False) if isinstance(sensitive, dict) else bool(sensitive)


def _masked(value: Any, marks: Any) -> Any:
    if marks is True:
        return SENSITIVE
    if isinstance(value, dict) and isinstance(marks, dict):
        return {key: _masked(one, marks.get(key, False)) for key, one in value.items()}
    if isinstance(value, list) and isinstance(marks, list):
        padded = [*marks, *[False] * (len(value) - len(marks))]
        return [_masked(one, mark) for one, mark in zip(value, padded, strict=False)]
    return value


def _outputs(changes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, change in sorted(changes.items()):
        actions = tuple(change["actions"])
        if actions not in NO_CHANGE:
            yield str(ACTIONS.get(actions, Action.UPDATE)), name
