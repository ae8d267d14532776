"""Where an environment's database is in a region, and what a task needs that stands for it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from operations.outcome import Refused
from operations.region import Region
from settings import Settings
from settings.naming import CLUSTER, DATABASE, DATABASE_OPERATORS, RECOVERY_DATABASE

ENDPOINT_CLIENTS = "vpc-endpoint-clients"
DATABASE_NAME = "payments"
PORT = 5432
NOT_THERE = {"ClusterNotFoundException", "ServiceNotFoundException", "DBClusterNotFoundFault"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A region of an environment, as its database is reached there."""

    account_id: str
    region: str
    cluster: str
    service: str
    definition: str
    """The ARN of the task definition that the service runs."""
    execution_role: str
    """The ARN of the role by which it is started."""
    container: str
    role: str
    """The ARN of the role that the task has instead of the service's."""
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    host: str
    """The reader endpoint: an operator's statement takes nothing from the writer."""
    resource_id: str
    """The database cluster's, which IAM names it by."""


def find(settings: Settings, region: Region, clients: dict[str, Any]) -> Place:
    """The place, as it is deployed.

    Args:
        settings: of the environment, which has a table [processing].
        region: primary or recovery.
        clients: of ecs, ec2 and rds in that region.

    Raises:
        Refused: something of it is not deployed.
        ClientError: AWS refused a call.
    """
    names, primary = settings.names, region is Region.PRIMARY
    name = (settings.primary if primary else settings.recovery).name
    service = _service(clients["ecs"], names.of(CLUSTER), names.of(_accepting(settings)))
    definition = clients["ecs"].describe_task_definition(taskDefinition=_running(service))["taskDefinition"]
    database = _database(clients["rds"], names.of(DATABASE if primary else RECOVERY_DATABASE))
    return Place(
        account_id=settings.account_id,
        region=name,
        cluster=names.of(CLUSTER),
        service=service["serviceName"],
        definition=definition["taskDefinitionArn"],
        execution_role=definition["executionRoleArn"],
        container=definition["containerDefinitions"][0]["name"],
        role=f"arn:aws:iam::{settings.account_id}:role/{names.of(f'{DATABASE_OPERATORS}-{name}')}",
        subnets=tuple(service["networkConfiguration"]["awsvpcConfiguration"]["subnets"]),
        groups=_groups(clients["ec2"], [names.of(one) for one in (DATABASE_OPERATORS, ENDPOINT_CLIENTS)]),
        host=database["ReaderEndpoint"],
        resource_id=database["DbClusterResourceId"],
    )


def _accepting(settings: Settings) -> str:
    if settings.processing is None:
        raise Refused("processing: the settings do not have it, so there is no database to read")
    return settings.processing.service


def _service(client: Any, cluster: str, name: str) -> dict[str, Any]:
    try:
        found = client.describe_services(cluster=cluster, services=[name])["services"]
    except ClientError as error:
        _unless_missing(error)
        found = []
    if not (active := [one for one in found if one["status"] == "ACTIVE"]):
        raise Refused(f"there is no service {name} in {cluster}; deploy the environment")
    service: dict[str, Any] = active[0]
    return service


def _running(service: dict[str, Any]) -> str:
    """The task definition of the running version: CodeDeploy's primary task set has it, or else the service."""
    sets = [one for one in service.get("taskSets", []) if one["status"] == "PRIMARY"]
    return str((sets[0] if sets else service)["taskDefinition"])


def _database(client: Any, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = client.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    except ClientError as error:
        _unless_missing(error)
        raise Refused(f"there is no database {name} in this region") from None
    return found


def _groups(client: Any, names: list[str]) -> tuple[str, ...]:
    found = client.describe_security_groups(Filters=[{"Name": "group-name", "Values": names}])["SecurityGroups"]
    ids = {one["GroupName"]: str(one["GroupId"]) for one in found}
    if missing := [name for name in names if name not in ids]:
        raise Refused(f"there is no security group {missing[0]}; deploy database.operator_access = true first")
    return tuple(ids[name] for name in names)


def _unless_missing(error: ClientError) -> None:
    if error.response["Error"].get("Code") not in NOT_THERE:
        raise error
