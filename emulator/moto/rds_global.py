"""RDS: Aurora global databases, whose clusters are in several regions, and their switchover and failover.

moto keeps global clusters in one region and finds members only there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import DBClusterNotFoundError, InvalidParameterValue, RDSClientError
from moto.rds.models import GlobalCluster, RDSBackend, find_cluster, rds_backends
from moto.rds.responses import RDSResponse

from emulator.clock import CLOCK
from emulator.moto.extend import Method, add, override, override_property
from emulator.regions import REGIONS
from emulator.runtime.databases.clusters import SERVERS
from emulator.turns import turn

MINUTES_PENDING, MINUTES_TO_PROMOTE, MINUTES_TO_SYNCHRONIZE = 0.25, 1.0, 5.0
"""A switchover or failover takes about a minute, or a few; a lost region's new volume minutes to hours:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html"""
GLOBAL_REGION = "us-east-1"  # where moto keeps global clusters


class GlobalClusterNotFoundError(RDSClientError):  # type: ignore[misc]
    """There is no global cluster with the identifier."""

    def __init__(self, identifier: str) -> None:
        super().__init__("GlobalClusterNotFoundFault", f"Global cluster {identifier} not found.")


class NotAMemberError(RDSClientError):  # type: ignore[misc]
    """The cluster is not a member of the global cluster that it is removed from."""

    def __init__(self, cluster: str, group: str) -> None:
        super().__init__("InvalidParameterValue", f"Cluster {cluster} is not found in global cluster {group}")


class HasASourceError(RDSClientError):  # type: ignore[misc]
    """A global cluster of an existing cluster takes this parameter from that cluster."""

    def __init__(self, parameter: str) -> None:
        super().__init__(
            "InvalidParameterCombination", f"{parameter} can't be specified if SourceDBClusterIdentifier is specified."
        )


class InvalidParameterCombination(RDSClientError):  # type: ignore[misc]
    """Two parameters are mutually exclusive."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterCombination", message)


class InvalidGlobalClusterStateError(RDSClientError):  # type: ignore[misc]
    """The state of the global cluster does not allow the operation."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidGlobalClusterStateFault", message)


class InvalidClusterStateError(RDSClientError):  # type: ignore[misc]
    """The state of a member does not allow the operation."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidDBClusterStateFault", message)


@override(RDSResponse)
def create_global_cluster(_original: Method, self: Any) -> ActionResult:
    """Create an empty one or one of an existing cluster in any region, with its tags and database name."""
    sent = self.params
    source = sent.get("SourceDBClusterIdentifier")
    for parameter in ("DatabaseName", "Engine", "EngineVersion", "StorageEncrypted"):
        if source and sent.get(parameter) is not None:
            raise HasASourceError(parameter)
    cluster = find_cluster(source) if source else None
    group = self.global_backend.create_global_cluster(
        global_cluster_identifier=sent["GlobalClusterIdentifier"],
        source_db_cluster_identifier=None,
        engine=cluster.engine if cluster else sent.get("Engine"),
        engine_version=cluster.engine_version if cluster else sent.get("EngineVersion"),
        storage_encrypted=cluster.storage_encrypted if cluster else sent.get("StorageEncrypted"),
        deletion_protection=sent.get("DeletionProtection"),
    )
    group.database_name = cluster.database_name if cluster else sent.get("DatabaseName")
    group.engine_lifecycle_support = sent.get("EngineLifecycleSupport", "open-source-rds-extended-support")
    group.tags = sent.get("Tags") or []
    if cluster:
        cluster.global_cluster_identifier = group.global_cluster_identifier
        cluster.is_writer = True
        group.members.append(cluster)
    return ActionResult({"GlobalCluster": group})


@override(RDSResponse)
def describe_global_clusters(original: Method, self: Any) -> ActionResult:
    """Return the requested one, or all."""
    if self.params.get("GlobalClusterIdentifier"):
        return ActionResult({"GlobalClusters": [_global_cluster(self)]})
    answer: ActionResult = original(self)
    return answer


@add(RDSResponse)
def modify_global_cluster(self: Any) -> ActionResult:
    """Change the deletion protection."""
    group = _global_cluster(self)
    if self.params.get("EngineVersion"):
        raise InvalidParameterValue(
            "ModifyGlobalCluster doesn't support minor version upgrades for Aurora global databases."
        )
    if self.params.get("DeletionProtection") is not None:
        group.deletion_protection = self.params["DeletionProtection"]
    return ActionResult({"GlobalCluster": group})


@override(RDSResponse)
def remove_from_global_cluster(_original: Method, self: Any) -> ActionResult:
    """Detach a member in any region, which becomes a standalone cluster."""
    group = _global_cluster(self)
    arn = self.params["DbClusterIdentifier"]
    left = [member for member in group.members if member.db_cluster_arn != arn]
    if len(left) == len(group.members):
        raise NotAMemberError(arn, group.global_cluster_identifier)
    group.members[:] = left
    cluster = find_cluster(arn)
    cluster.global_cluster_identifier = None
    cluster.is_writer = False
    return ActionResult({"GlobalCluster": group})


@add(RDSResponse)
def switchover_global_cluster(self: Any) -> ActionResult:
    """Make the target the primary, and the primary a secondary; both must be available."""
    return _begin_to_move(self, allow_data_loss=False)


@add(RDSResponse)
def failover_global_cluster(self: Any) -> ActionResult:
    """Fail over to the target: with data loss allowed, the primary may be unavailable; without, it is a switchover."""
    allow, switchover = self.params.get("AllowDataLoss"), self.params.get("Switchover")
    if allow and switchover:
        raise InvalidParameterCombination("AllowDataLoss and Switchover can't be specified together.")
    return _begin_to_move(self, allow_data_loss=bool(allow))


def _begin_to_move(self: Any, *, allow_data_loss: bool) -> ActionResult:
    """Move the writer, with RDS's own statuses, one move at a time."""
    group = _global_cluster(self)
    target = self.params["TargetDbClusterIdentifier"]
    members = {member.db_cluster_arn: member for member in group.members}
    if target not in members:
        raise DBClusterNotFoundError(target)
    (writer,) = [arn for arn, member in members.items() if member.is_writer]
    if getattr(group, "failover_state", None):
        raise InvalidGlobalClusterStateError(f"A failover of {group.global_cluster_identifier} is in progress.")
    if target == writer:
        raise InvalidGlobalClusterStateError(f"{target} is the primary cluster already.")
    if not members[target].db_cluster_members:
        raise InvalidClusterStateError(f"{target} has no DB instance that could be promoted.")
    unreachable = REGIONS.is_lost(region_of(writer)) or region_of(writer) in _unsynchronized(group)
    if not allow_data_loss and (unreachable or region_of(target) in _unsynchronized(group)):
        raise InvalidGlobalClusterStateError("The clusters of the global cluster are not synchronized.")
    group.failover_state = {
        "Status": "pending",
        "FromDbClusterArn": writer,
        "ToDbClusterArn": target,
        "IsDataLossAllowed": allow_data_loss,
    }
    threading.Thread(target=_move, args=(group,), daemon=True).start()
    return ActionResult({"GlobalCluster": group})


def _move(group: Any) -> None:
    """Move the writer over time: the old one ends before the new one starts."""
    CLOCK.wait(MINUTES_PENDING, lambda: False)
    with turn():
        group.failover_state["Status"] = "failing-over"
        origin, target = (group.failover_state[one] for one in ("FromDbClusterArn", "ToDbClusterArn"))
        for member in group.members:
            member.is_writer = False
    SERVERS.settle()
    CLOCK.wait(MINUTES_TO_PROMOTE, lambda: False)
    with turn():
        for member in group.members:
            member.is_writer = member.db_cluster_arn == target
        if REGIONS.is_lost(region_of(origin)):
            group.__dict__.setdefault("left_behind", {})[region_of(origin)] = None
    SERVERS.settle()
    with turn():
        group.failover_state = None


def _unsynchronized(group: Any) -> set[str]:
    """Regions that were lost when the writer left them, and are not yet synchronized again."""
    behind: dict[str, float | None] = group.__dict__.setdefault("left_behind", {})
    now = time.monotonic()
    for region, back_since in list(behind.items()):
        if REGIONS.is_lost(region):
            behind[region] = None
        elif back_since is None:
            behind[region] = now
        elif now - back_since >= MINUTES_TO_SYNCHRONIZE * CLOCK.seconds_per_minute:
            del behind[region]
    return set(behind)


@override_property(GlobalCluster)
def global_cluster_members(self: Any) -> list[dict[str, Any]]:
    """The members with their synchronization status: a region that returns after a failover is synchronized again."""
    behind = _unsynchronized(self)
    arns = [member.db_cluster_arn for member in self.members if not member.is_writer]
    return [
        {
            "DBClusterArn": member.db_cluster_arn,
            "IsWriter": bool(member.is_writer),
            "Readers": arns if member.is_writer else [],
            "SynchronizationStatus": "pending-resync" if region_of(member.db_cluster_arn) in behind else "connected",
            **({} if member.is_writer else {"GlobalWriteForwardingStatus": "disabled"}),
        }
        for member in self.members
    ]


def region_of(arn: str) -> str:
    """The region in an ARN."""
    return arn.split(":")[3]


@override(RDSBackend)
def _get_resource_for_tagging(original: Method, self: Any, arn: str) -> Any:
    """Find a global cluster by its ARN in any region."""
    if ":global-cluster:" in arn:
        return global_clusters_of(self.account_id).get(arn.rpartition(":")[2])
    return original(self, arn)


def global_clusters_of(account_id: str) -> dict[str, GlobalCluster]:
    """The global clusters of an account, by identifier."""
    clusters: dict[str, GlobalCluster] = rds_backends[account_id][GLOBAL_REGION].global_clusters
    return clusters


def _global_cluster(self: Any) -> Any:
    identifier = self.params["GlobalClusterIdentifier"]
    clusters = self.global_backend.global_clusters
    if identifier not in clusters:
        raise GlobalClusterNotFoundError(identifier)
    return clusters[identifier]


def secondaries_of(cluster: Any) -> Iterator[Any]:
    """The secondary clusters of the global database whose primary is this cluster."""
    for group in global_clusters_of(cluster.account_id).values():
        if cluster.is_writer and cluster in group.members:
            yield from (member for member in group.members if member is not cluster)
