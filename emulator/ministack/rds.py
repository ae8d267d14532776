"""RDS: attributes of a cluster and its members that ministack's CloudFormation drops."""

from __future__ import annotations

from ministack.services import rds

from emulator.ministack.registry import Properties, complete_type


def install() -> None:
    """Register these additions with ministack."""
    complete_type("AWS::RDS::DBCluster", _finish_cluster)
    complete_type("AWS::RDS::DBInstance", _finish_instance)


def _finish_cluster(id_: str, properties: Properties) -> None:
    cluster = next(one for one in rds._clusters.values() if one["DBClusterIdentifier"] == id_)
    if "KmsKeyId" in properties:
        cluster["KmsKeyId"] = properties["KmsKeyId"]
    if "EnableCloudwatchLogsExports" in properties:
        cluster["EnabledCloudwatchLogsExports"] = list(properties["EnableCloudwatchLogsExports"])


def _finish_instance(_id: str, _properties: Properties) -> None:
    """The first member writes, the others read."""
    for cluster in rds._clusters.values():
        for number, member in enumerate(cluster.get("DBClusterMembers") or []):
            member["IsClusterWriter"] = number == 0
