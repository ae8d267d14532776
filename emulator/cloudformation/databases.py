"""RDS's types: clusters with their parameters, instances and subnets."""

from __future__ import annotations

from typing import Any

from emulator.cloudformation.calls import Created, Properties, call, changed, generated, gone, only, without
from emulator.cloudformation.types import made_by

NAME_LENGTH = 255
FIXED = ("DBClusterIdentifier", "Engine", "KmsKeyId", "StorageEncrypted", "DatabaseName", "DBSubnetGroupName")
"""Properties of a cluster whose change makes another one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-rds-dbcluster.html"""
CREATED_ONLY = ("MasterUsername", "Tags", "EnableCloudwatchLogsExports", "Port")


def install() -> None:
    """Register these types."""
    made_by("AWS::RDS::DBSubnetGroup", create=_create_subnets, delete=_delete_subnets)
    made_by("AWS::RDS::DBClusterParameterGroup", create=_create_group, update=_update_group, delete=_delete_group)
    made_by("AWS::RDS::DBCluster", create=_create, update=_update, delete=_delete)
    made_by("AWS::RDS::DBInstance", create=_create_instance, update=_update_instance, delete=_delete_instance)


def _create_subnets(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("DBSubnetGroupName") or generated(stack, logical_id, NAME_LENGTH).lower()
    call("rds", "CreateDBSubnetGroup", {**properties, "DBSubnetGroupName": name})
    return name, {}


def _delete_subnets(name: str, _properties: Properties) -> None:
    gone("rds", "DeleteDBSubnetGroup", DBSubnetGroupName=name)


def _create_group(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("DBClusterParameterGroupName") or generated(stack, logical_id, NAME_LENGTH).lower()
    own = {"DBClusterParameterGroupName": name, **only(properties, "Description", "Tags")}
    call("rds", "CreateDBClusterParameterGroup", {**own, "DBParameterGroupFamily": properties["Family"]})
    return _set(name, properties)


def _set(name: str, properties: Properties) -> Created:
    """Set the parameters; CloudFormation restarts nothing, so that those that are static wait for a restart."""
    parameters = [
        {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
        for key, value in properties["Parameters"].items()
    ]
    sent = {"DBClusterParameterGroupName": name, "Parameters": parameters}
    call("rds", "ModifyDBClusterParameterGroup", sent)
    return name, {"DBClusterParameterGroupName": name}


def _update_group(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("Family", "Description", "DBClusterParameterGroupName")):
        made = _create_group("parameters", new, stack)
        _delete_group(name, old)
        return made
    return _set(name, new)


def _delete_group(name: str, _properties: Properties) -> None:
    gone("rds", "DeleteDBClusterParameterGroup", DBClusterParameterGroupName=name)


def _create(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("DBClusterIdentifier") or generated(stack, logical_id, 63).lower()
    made = call("rds", "CreateDBCluster", {**properties, "DBClusterIdentifier": name})["DBCluster"]
    return _made(made)


def _made(cluster: Any) -> Created:
    return cluster["DBClusterIdentifier"], {
        "DBClusterArn": cluster["DBClusterArn"],
        "DBClusterResourceId": cluster["DbClusterResourceId"],
        "Endpoint.Address": cluster["Endpoint"],
        "Endpoint.Port": str(cluster["Port"]),
        "ReadEndpoint.Address": cluster.get("ReaderEndpoint", ""),
    }


def _update(name: str, old: Properties, new: Properties, _stack: str) -> Created:
    if changed(old, new, FIXED):
        raise NotImplementedError("the local AWS replaces no cluster of databases: its data would be lost")
    kept = without(new, *FIXED, *CREATED_ONLY)
    sent = {name_: value for name_, value in kept.items() if old.get(name_) != value}
    if sent:
        call("rds", "ModifyDBCluster", {**sent, "DBClusterIdentifier": name, "ApplyImmediately": True})
    return _made(call("rds", "DescribeDBClusters", {"DBClusterIdentifier": name})["DBClusters"][0])


def _delete(name: str, _properties: Properties) -> None:
    gone("rds", "DeleteDBCluster", DBClusterIdentifier=name, SkipFinalSnapshot=True)


def _create_instance(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("DBInstanceIdentifier") or generated(stack, logical_id, 63).lower()
    made = call("rds", "CreateDBInstance", {**properties, "DBInstanceIdentifier": name})["DBInstance"]
    return name, {"DBInstanceArn": made["DBInstanceArn"]}


def _update_instance(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("DBInstanceIdentifier", "DBClusterIdentifier", "Engine")):
        made = _create_instance("instance", new, stack)
        _delete_instance(name, old)
        return made
    sent = {key: value for key, value in without(new, "Tags").items() if old.get(key) != value}
    if sent:
        call("rds", "ModifyDBInstance", {**sent, "DBInstanceIdentifier": name, "ApplyImmediately": True})
    return name, {}


def _delete_instance(name: str, _properties: Properties) -> None:
    gone("rds", "DeleteDBInstance", DBInstanceIdentifier=name, SkipFinalSnapshot=True)
