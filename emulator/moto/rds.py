"""RDS: Aurora clusters and their instances, with all of their attributes.

moto returns an empty capacity range for clusters without one, drops the parameters of Performance Insights, and keeps
automated snapshots of deleted clusters.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBClusterNotFoundError, RDSClientError
from moto.rds.models import DBCluster, DBClusterParameterGroup, DBInstance, DBParameterGroup, RDSBackend
from moto.rds.responses import RDSResponse

from emulator.moto.extend import Method, add, override, override_property
from emulator.moto.rds_global import InvalidParameterCombination, global_clusters_of, secondaries_of

INSIGHTS = ("enable_performance_insights", "performance_insights_kms_key_id", "performance_insights_retention_period")
DEFAULT_AUTHORITY = "rds-ca-rsa2048-g1"
"""The CA of new instances: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/UsingWithRDS.SSL.html"""
DEFAULT_INSIGHTS_DAYS = 7
"""RDS's own default (CreateDBInstance, API reference)."""
MONITORING = ("monitoring_interval", "monitoring_role_arn")


class ReplicasFirstError(RDSClientError):  # type: ignore[misc]
    """The primary cluster of a global database cannot be upgraded before its secondaries."""

    def __init__(self, cluster: str, version: str) -> None:
        super().__init__(
            "InvalidParameterValue",
            f"Cannot upgrade DB cluster '{cluster}' to engine version {version} as global replica(s) are running lower "
            "version. Please upgrade global replicas first before upgrading the primary member.",
        )


@override_property(DBCluster)
def scaling_configuration_info(self: Any) -> dict[str, Any] | None:
    """The capacity range; None where none was sent."""
    sent = self.scaling_configuration
    if not sent:
        return None
    words = ("min_capacity", "max_capacity", "auto_pause", "seconds_until_auto_pause", "timeout_action")
    names = ("MinCapacity", "MaxCapacity", "AutoPause", "SecondsUntilAutoPause", "TimeoutAction")
    return {name: sent.get(word) for name, word in zip(names, words, strict=True)}


@override_property(DBCluster)
def iam_database_authentication_enabled(self: Any) -> bool:
    """Whether it is enabled, as last sent; moto returns the value at creation."""
    return bool(getattr(self, "enable_iam_database_authentication", self.iam_auth))


@override(RDSBackend)
def create_db_cluster(original: Method, self: Any, kwargs: dict[str, Any]) -> Any:
    """Store the monitoring and insights parameters, which then apply to all instances of the cluster."""
    cluster = original(self, kwargs)
    _keep_insights(cluster, kwargs)
    for name in (*MONITORING, "database_insights_mode"):
        if kwargs.get(name) is not None:
            setattr(cluster, name, kwargs[name])
    return cluster


@override(RDSBackend)
def modify_db_cluster(original: Method, self: Any, kwargs: dict[str, Any]) -> Any:
    """Change the exported logs; reject the upgrade of a primary cluster before its secondaries.

    Enhanced monitoring of an Aurora cluster can be set at its creation only (MonitoringInterval in the API reference of
    ModifyDBCluster).
    """
    name = kwargs["db_cluster_identifier"]
    if name not in self.clusters:
        raise DBClusterNotFoundError(name)
    cluster = self.clusters[name]
    if cluster.engine.startswith("aurora") and any(kwargs.get(one) is not None for one in MONITORING):
        raise InvalidParameterCombination("MonitoringInterval is for Multi-AZ DB clusters only")
    _keep_insights(cluster, kwargs)
    version = kwargs.get("engine_version")
    if version and any(_number(other.engine_version) < _number(version) for other in secondaries_of(cluster)):
        raise ReplicasFirstError(name, version)
    answer = original(self, kwargs)
    exports = kwargs.get("cloudwatch_logs_export_configuration") or {}
    kept = set(cluster.enabled_cloudwatch_logs_exports) - set(exports.get("DisableLogTypes") or [])
    cluster.enabled_cloudwatch_logs_exports = sorted(kept | set(exports.get("EnableLogTypes") or []))
    return answer


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@override(RDSBackend)
def delete_db_cluster(original: Method, self: Any, cluster_identifier: str, snapshot_name: str | None = None) -> Any:
    """Delete its automated snapshots, too."""
    cluster = original(self, cluster_identifier, snapshot_name)
    for name, snapshot in list(self.cluster_snapshots.items()):
        if snapshot.snapshot_type == "automated" and snapshot.cluster.db_cluster_arn == cluster.db_cluster_arn:
            del self.cluster_snapshots[name]
    for group in global_clusters_of(self.account_id).values():
        group.members[:] = [member for member in group.members if member.db_cluster_arn != cluster.db_cluster_arn]
    return cluster


@override(DBInstance)
def __init__(original: Method, self: Any, *arguments: Any, **sent: Any) -> None:  # noqa: N807 (a method of moto's class)
    """Store the parameters of Performance Insights; a new instance has AWS's default CA."""
    original(self, *arguments, **{"ca_certificate_identifier": DEFAULT_AUTHORITY, **sent})
    _keep_insights(self, sent)


@override(DBInstance)
def update(original: Method, self: Any, **sent: Any) -> None:
    """Store the parameters of Performance Insights."""
    original(self, **{name: value for name, value in sent.items() if name not in INSIGHTS})
    _keep_insights(self, sent)


def _keep_insights(instance: Any, sent: dict[str, Any]) -> None:
    if sent.get("enable_performance_insights") is not None:
        instance.performance_insights_enabled = sent["enable_performance_insights"]
    if not getattr(instance, "performance_insights_enabled", False):
        return
    key, days = (sent.get(name) for name in INSIGHTS[1:])
    instance.performance_insights_kms_key_id = key or getattr(instance, "performance_insights_kms_key_id", None)
    kept = getattr(instance, "performance_insights_retention_period", DEFAULT_INSIGHTS_DAYS)
    instance.performance_insights_retention_period = days or kept


@override(DBParameterGroup)
def update_parameters(original: Method, self: Any, new_parameters: Any) -> None:
    """Set the source of changed parameters to ``user``, which the provider filters by."""
    original(self, [{"Source": "user", **parameter} for parameter in new_parameters])


@override(DBClusterParameterGroup)
def update_cluster_parameters(original: Method, self: Any, new_parameters: Any) -> None:
    """Set the source of changed parameters, as for instances."""
    original(self, [{"Source": "user", **parameter} for parameter in new_parameters])


@add(RDSResponse)
def reset_db_parameter_group(self: Any) -> ActionResult:
    """Forget parameters."""
    name = self.params["DBParameterGroupName"]
    (group,) = self.backend.describe_db_parameter_groups({"db_parameter_group_name": name})
    return _reset(self, group, "DBParameterGroupName")


@add(RDSResponse)
def reset_db_cluster_parameter_group(self: Any) -> ActionResult:
    """Forget parameters."""
    (group,) = self.backend.describe_db_cluster_parameter_groups(self.params["DBClusterParameterGroupName"])
    return _reset(self, group, "DBClusterParameterGroupName")


def _reset(self: Any, group: Any, key: str) -> ActionResult:
    sent = [parameter["ParameterName"] for parameter in self.params.get("Parameters") or []]
    for parameter in list(group.parameters) if self.params.get("ResetAllParameters") else sent:
        group.parameters.pop(parameter, None)
    return ActionResult({key: group.name})
