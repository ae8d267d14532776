"""Reads a Terraform plan for review: the changes, and the concern that each of them touches.

The format is that of `terraform show -json`
(https://developer.hashicorp.com/terraform/internals/json-format#plan-representation).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from operations.outcome import Refused

UNKNOWN = "(known after apply)"
SENSITIVE = "(sensitive)"
EMPTY: tuple[Any, ...] = (None, "", [], {})


class Action(StrEnum):
    """Terraform's action on a resource, most severe first."""

    DELETE = "delete"
    REPLACE = "replace"
    FORGET = "forget"
    CREATE = "create"
    UPDATE = "update"


class Concern(StrEnum):
    """The concern that a change touches, in the order of the review page."""

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

# Resources with data that cannot be restored, or with an address that customers and other systems use.
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
# Resource policies, and other resources that grant access.
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


# Safeguards against data loss, each with its safest value: that one, or (None) the higher number. By the name of the
# attribute, or by the end of its path.
SAFEGUARDS: dict[str, bool | str | None] = {
    "backup_retention_period": None,
    "delete_automated_backups": False,
    "deletion_protection": True,
    "deletion_protection_enabled": True,
    "deletion_window_in_days": None,
    "enable_deletion_protection": True,
    "expiration.days": None,
    "force_delete": False,
    "force_destroy": False,
    "lifecycle.delete_after": None,
    "noncurrent_version_expiration.noncurrent_days": None,
    "point_in_time_recovery.enabled": True,
    "recovery_window_in_days": None,
    "retention_in_days": None,
    "skip_final_snapshot": False,
    "versioning_configuration.status": "Enabled",
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An attribute that would change. A sensitive or unknown value is marked as such and not shown."""

    attribute: str
    before: Any
    after: Any

    @property
    def lowered(self) -> list[Difference]:
        """The safeguards against data loss in it that would be removed or lowered, each by its path."""
        return [one for one in _leaves(self) if _is_lowered(one)]


def _leaves(difference: Difference) -> Iterator[Difference]:
    """The differences inside a value, by path; indices of lists are left out of the path."""
    before, after = difference.before, difference.after
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            inner = f"{difference.attribute}.{name}"
            yield from _leaves(Difference(attribute=inner, before=before.get(name), after=after.get(name)))
    elif isinstance(before, list) and isinstance(after, list):
        for old, new in zip_longest(before, after):
            yield from _leaves(Difference(attribute=difference.attribute, before=old, after=new))
    elif before != after:
        yield difference


def _is_lowered(difference: Difference) -> bool:
    path = difference.attribute.split(".")
    name = next((end for end in (path[-1], ".".join(path[-2:])) if end in SAFEGUARDS), None)
    if name is None:
        return False
    before, after, best = difference.before, difference.after, SAFEGUARDS[name]
    if best is not None:
        return bool(before == best and after != best)
    return isinstance(before, (int, float)) and isinstance(after, (int, float)) and 0 <= after < before


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of one resource."""

    address: str
    type: str
    action: Action
    differences: tuple[Difference, ...]
    forced_by: tuple[str, ...]
    """The attributes that force the replacement, where it is replaced for that."""
    digest: str = ""
    """The digest of the change: address, actions, and the new value of each configured attribute."""

    @property
    def concern(self) -> Concern:
        """The concern that it touches. A policy is always access."""
        if self._is_access:
            return Concern.DATA if self.type in HOLDS_DATA and self.loses else Concern.ACCESS
        if self.type in HOLDS_DATA:
            return Concern.DATA if self.loses else Concern.OTHER
        return Concern.NETWORK if self.type.startswith(NETWORK_PREFIXES) else Concern.OTHER

    @property
    def loses(self) -> bool:
        """Whether the existing resource would be deleted."""
        return self.action in {Action.DELETE, Action.REPLACE, Action.FORGET}

    @property
    def weakened(self) -> list[Difference]:
        """The safeguards that would be removed or lowered on a resource that is kept."""
        return [] if self.loses else [lowered for one in self.differences for lowered in one.lowered]

    @property
    def _is_access(self) -> bool:
        if self.type in NO_ACCESS or self.type.startswith(NO_ACCESS_PREFIXES):
            return False
        return self.type.startswith(ACCESS_PREFIXES) or self.type.endswith(ACCESS_SUFFIX) or self.type in ACCESS_TYPES


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The changes of a plan, and the drift that it found since the last apply."""

    changes: tuple[Change, ...]
    drift: tuple[Change, ...]
    outputs: tuple[tuple[str, str], ...]
    """The changed outputs: action and name."""

    @property
    def digest(self) -> str:
        """The digest of all changes and outputs, in hexadecimal; different changes have different digests."""
        return _sha256([*sorted([one.address, one.digest] for one in self.changes), *map(list, self.outputs)])

    def count(self, action: Action) -> int:
        """The number of resources with this action."""
        return sum(change.action is action for change in self.changes)

    def of(self, concern: Concern) -> list[Change]:
        """The changes of a concern, most severe first."""
        order = list(Action)
        found = [change for change in self.changes if change.concern is concern]
        return sorted(found, key=lambda change: (order.index(change.action), change.type, change.address))


def read(text: str, source: str) -> Plan:
    """The plan in the text of ``terraform show -json``.

    Args:
        text: the content that was read.
        source: its origin, for messages.

    Raises:
        Refused: it is no such plan, or an incomplete one.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{source}: no JSON ({error}); the output of terraform show -json is allowed") from error
    if not isinstance(document, dict) or "format_version" not in document or "planned_values" not in document:
        raise Refused(f"{source}: no plan; the output of terraform show -json on a plan's file is allowed")
    if document.get("errored"):
        raise Refused(f"{source}: a plan that ended with errors; one that was finished is allowed")
    try:
        return _plan(document)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{source}: no plan ({error!r}); the output of terraform show -json is allowed") from error


def _plan(document: Mapping[str, Any]) -> Plan:
    configured = _configured(document)
    return Plan(
        changes=tuple(_changes(document.get("resource_changes", []), configured)),
        # Terraform also reports drift where the provider only fills in empty attributes.
        drift=tuple(one for one in _changes(document.get("resource_drift", []), configured) if one.differences),
        outputs=tuple(_outputs(document.get("output_changes", {}))),
    )


def _configured(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """The configured attributes, by the resource's address."""
    resources = document.get("configuration", {}).get("root_module", {}).get("resources", [])
    return {one["address"]: set(one.get("expressions", {})) for one in resources}


def _changes(entries: list[dict[str, Any]], configured: Mapping[str, set[str]]) -> Iterator[Change]:
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
            digest=_digest(entry, configured.get(f"{entry['type']}.{entry.get('name')}")),
        )


def _digest(entry: Mapping[str, Any], configured: set[str] | None) -> str:
    """The digest of a change.

    Values that AWS or the provider computes are left out, as they can change by themselves: all known values that are
    not configured. Sensitive values are left out, too, because they could be guessed from a digest.
    """
    change = entry["change"]
    after, unknown = change.get("after") or {}, change.get("after_unknown") or {}
    names = sorted({*after, *unknown} if configured is None else {*after, *unknown} & configured)
    asked = [
        [name, _masked(after.get(name), _marks(change.get("after_sensitive"), name)), unknown.get(name, False)]
        for name in names
    ]
    return _sha256([entry["address"], change["actions"], change.get("replace_paths", []), asked])


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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
    """The sensitive parts of an attribute: True for all of it, or marks in the form of its value."""
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
