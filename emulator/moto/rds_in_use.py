"""RDS: groups that a cluster or an instance has are not deleted, nor a cluster that is in a global one.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSubnetGroup.html
"""

from __future__ import annotations

from typing import Any

from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend

from emulator.moto.extend import Method, override
from emulator.moto.rds_global import InvalidClusterStateError, global_clusters_of


@override(RDSBackend)
def delete_subnet_group(original: Method, self: Any, subnet_name: str) -> Any:
    """Only one that no cluster and no instance has."""
    for kind, those in (("cluster", self.clusters), ("instance", self.databases)):
        for name, one in those.items():
            if (getattr(one, "db_subnet_group_name", None) or "").lower() == subnet_name.lower():
                message = (
                    f"Cannot delete the subnet group '{subnet_name}' because at least one database {kind}: {name} is "
                    "still using it."
                )
                raise RDSClientError("InvalidDBSubnetGroupStateFault", message)
    return original(self, subnet_name)


@override(RDSBackend)
def delete_db_parameter_group(original: Method, self: Any, db_parameter_group_name: str) -> Any:
    """Only one that no instance has."""
    if any(one.db_parameter_group_name == db_parameter_group_name for one in self.databases.values()):
        raise _group_in_use("instances")
    return original(self, db_parameter_group_name)


@override(RDSBackend)
def delete_db_cluster_parameter_group(original: Method, self: Any, db_cluster_parameter_group_name: str) -> None:
    """Only one that no cluster has."""
    if any(one.parameter_group == db_cluster_parameter_group_name for one in self.clusters.values()):
        raise _group_in_use("clusters")
    original(self, db_cluster_parameter_group_name)


@override(RDSBackend)
def delete_db_cluster(original: Method, self: Any, cluster_identifier: str, snapshot_name: str | None = None) -> Any:
    """Only one that is in no global cluster: moto removes it from there.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-deleting.html
    """
    cluster = self.clusters.get(cluster_identifier)
    if cluster and any(cluster in group.members for group in global_clusters_of(self.account_id).values()):
        raise InvalidClusterStateError(
            "This cluster is a part of a global cluster, please remove it from globalcluster first"
        )
    return original(self, cluster_identifier, snapshot_name)


def _group_in_use(whose: str) -> RDSClientError:
    message = f"One or more database {whose} are still members of this parameter group, so the group cannot be deleted"
    return RDSClientError("InvalidDBParameterGroupState", message)
