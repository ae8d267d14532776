"""AWS calls of a failover: reads of its status, and changes.

Calls to a lost region have timeouts of seconds, and their failure does not end the command. Global resources are read
in the surviving region: RDS describes a global database in any of its regions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from operations.failover.epochs import Epochs
from operations.failover.request import Request
from operations.failover.state import (
    DatabaseState,
    Move,
    RegionState,
    ServiceState,
    State,
)
from operations.failover.traffic import Traffic
from operations.merchants.command import CONFIG as ADMINISTRATION
from operations.merchants.command import Administration
from operations.outcome import Refused
from operations.region import Region
from operations.watching import RUNNING_DEPLOYMENT, is_silence
from settings import Settings

SERVICES_PER_CALL = 10  # DescribeServices
LAG_WINDOW = timedelta(minutes=10)
SUSPENDED = {
    "in": {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False},
    "all": {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True, "ScheduledScalingSuspended": True},
    "none": {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    },
}
"""All three flags of a suspended state, so that none keeps its previous value.

https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-suspend-resume-scaling.html
"""


class Aws(Traffic):
    """The platform of one environment, in both regions."""

    def __init__(self, settings: Settings, request: Request, session: boto3.Session) -> None:
        super().__init__(settings, request, session)
        self._group = settings.names.of("global-database")

    # --- status -------

    def look(self) -> State:
        """All of it.

        Raises:
            Refused: there is no such environment, or its database is in no state for any failover.
            ClientError, BotoCoreError: a region that must answer does not.
        """
        return State(
            at=datetime.now(UTC),
            regions={place: self._region(place) for place in Region},
            database=self.database(),
            traffic=self.traffic(),
        )

    def _region(self, place: Region) -> RegionState:
        name = self.names[place].region
        try:
            return RegionState(
                place=place,
                name=name,
                answers=True,
                services=self.services(place),
                alarms=tuple(self._alarms(place)),
                has_secret=self._has_secret(place),
                releases=tuple(self._releases(place)),
            )
        except (ClientError, BotoCoreError) as error:
            if self.may_be_silent(place) and is_silence(error):
                return RegionState(place=place, name=name, answers=False, services={}, silence=str(error))
            raise Refused(self._request.silence_of(place, name, error)) from error

    def services(self, place: Region) -> dict[str, ServiceState]:
        """The services of a region, by name."""
        ecs, cluster = self.client("ecs", place), self.names[place].cluster
        full = {self._settings.names.of(name): name for name in self._settings.services}
        described: list[dict[str, Any]] = []
        for some in _chunks(list(full), SERVICES_PER_CALL):
            answer = ecs.describe_services(cluster=cluster, services=some)
            described += [one for one in answer["services"] if one["status"] == "ACTIVE"]
        targets = self._scalable_targets(place, list(full))
        if missing := set(full) - {one["serviceName"] for one in described}:
            raise Refused(
                f"services: {', '.join(sorted(missing))} does not exist in {self.names[place].region}; only an "
                "environment that `make deploy` has made can fail over"
            )
        return {
            full[one["serviceName"]]: ServiceState(
                name=full[one["serviceName"]],
                desired=one["desiredCount"],
                running=one["runningCount"],
                least=target["MinCapacity"],
                most=target["MaxCapacity"],
                scale_in_suspended=target.get("SuspendedState", {}).get("DynamicScalingInSuspended", False),
                healthy=self._healthy(place, one),
            )
            for one in described
            for target in [targets[f"service/{cluster}/{one['serviceName']}"]]
        }

    def _scalable_targets(self, place: Region, services: list[str]) -> dict[str, dict[str, Any]]:
        ids = [f"service/{self.names[place].cluster}/{one}" for one in services]
        pages = self.client("application-autoscaling", place).get_paginator("describe_scalable_targets")
        found = pages.paginate(ServiceNamespace="ecs", ResourceIds=ids)
        return {one["ResourceId"]: one for page in found for one in page["ScalableTargets"]}

    def _healthy(self, place: Region, service: dict[str, Any]) -> int | None:
        """How many tasks of the colour that serves take requests."""
        primary = next((one for one in service.get("taskSets", []) if one["status"] == "PRIMARY"), service)
        groups = [one["targetGroupArn"] for one in primary.get("loadBalancers") or service.get("loadBalancers", [])]
        if not groups:
            return None
        answer = self.client("elbv2", place).describe_target_health(TargetGroupArn=groups[0])
        states = [one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]]
        return states.count("healthy")

    def _alarms(self, place: Region) -> Iterator[str]:
        pages = self.client("cloudwatch", place).get_paginator("describe_alarms")
        prefix = self._settings.names.alarm("")
        for page in pages.paginate(AlarmNamePrefix=prefix, StateValue="ALARM"):
            yield from (one["AlarmName"].removeprefix(prefix) for one in page["MetricAlarms"])

    def _has_secret(self, place: Region) -> bool:
        secrets = self.client("secretsmanager", place)
        try:
            secrets.describe_secret(SecretId=self._settings.names.secret("database/application"))
        except secrets.exceptions.ResourceNotFoundException:
            return False
        return True

    def _releases(self, place: Region) -> Iterator[str]:
        codedeploy = self.client("codedeploy", place)
        for name in (one for one, service in self._settings.services.items() if service.critical):
            full = self._settings.names.of(name)
            answer = codedeploy.list_deployments(
                applicationName=full, deploymentGroupName=full, includeOnlyStatuses=list(RUNNING_DEPLOYMENT)
            )
            yield from answer["deployments"]

    def database(self) -> DatabaseState:
        """The global database, as the target region describes it.

        Raises:
            Refused: there is none, or one of the two clusters is not in it (any more): it would be a second writer.
        """
        target, rds = self._request.to, self.client("rds", self._request.to)
        try:
            (group,) = rds.describe_global_clusters(GlobalClusterIdentifier=self._group)["GlobalClusters"]
        except rds.exceptions.GlobalClusterNotFoundFault:
            raise Refused(f"database: {self._group} does not exist yet; run make deploy first") from None
        members = {one["DBClusterArn"]: one for one in group["GlobalClusterMembers"]}
        for names in self.names.values():
            if names.database not in members:
                raise Refused(
                    f"database: {names.database} is not in {self._group}: it stands by itself, and would be a second "
                    "writer; see docs/runbooks/database-recovery.md"
                )
        found = group.get("FailoverState") or {}
        return DatabaseState(
            writers=tuple(arn for arn, one in members.items() if one["IsWriter"]),
            members=tuple(members),
            unsynchronized=tuple(
                arn for arn, one in members.items() if one.get("SynchronizationStatus", "connected") != "connected"
            ),
            move=Move(
                status=found["Status"],
                to=found["ToDbClusterArn"],
                loses_data=found.get("IsDataLossAllowed", False),
            )
            if found.get("Status")
            else None,
            instances=self._instances(target),
            lag_milliseconds=self._lag(target),
        )

    def _instances(self, place: Region) -> int:
        arn = self.names[place].database
        answer: Any = self.client("rds", place).describe_db_clusters(DBClusterIdentifier=arn.rpartition(":")[2])
        return len(list(answer["DBClusters"][0].get("DBClusterMembers", [])))

    def _lag(self, place: Region) -> float | None:
        """The greatest lag of the last minutes that there is a value for."""
        now = datetime.now(UTC)
        other = next(one for one in Region if one is not place)
        answer = self.client("cloudwatch", place).get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName="AuroraGlobalDBReplicationLag",
            Dimensions=[
                {"Name": "DBClusterIdentifier", "Value": self.names[place].database.rpartition(":")[2]},
                {"Name": "SourceRegion", "Value": self.names[other].region},
            ],
            StartTime=now - LAG_WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
        points = sorted(answer["Datapoints"], key=lambda one: one["Timestamp"])
        return float(points[-1]["Maximum"]) if points else None

    def epochs(self) -> Epochs:
        """The epochs of the database, by the target region's function."""
        region = self.names[self._request.to].region
        client = self._make("lambda", region_name=region, config=ADMINISTRATION)
        administration = Administration(client=client, names=self._settings.names, region=region)
        return Epochs(administration=administration, cause=f"failover to {region}")

    # --- changes -----------

    def run_at_least(self, place: Region, service: ServiceState, tasks: int) -> None:
        """Set a service's desired count of tasks, and suspend scale-in.

        The limits of auto scaling are Terraform's and do not change. Where they would allow scale-in below the count,
        scale-in is suspended; scale-out continues.
        """
        self._suspend(place, service, "in" if service.least < tasks else "none")
        if service.desired < tasks:
            self._set_desired(place, service, tasks)

    def leave_to_scaling(self, place: Region, service: ServiceState, tasks: int | None = None) -> None:
        """Resume auto scaling, from ``tasks`` on if given."""
        if tasks is not None and service.desired != tasks:
            self._set_desired(place, service, tasks)
        self._suspend(place, service, "none")  # last: by it one sees that this is done

    def stop(self, place: Region, service: ServiceState) -> None:
        """End all tasks of a service, and have scaling start none."""
        self._suspend(place, service, "all")
        if service.desired:
            self._set_desired(place, service, 0)

    def _suspend(self, place: Region, service: ServiceState, what: str) -> None:
        self.client("application-autoscaling", place).register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{self.names[place].cluster}/{self._settings.names.of(service.name)}",
            ScalableDimension="ecs:service:DesiredCount",
            SuspendedState=SUSPENDED[what],
        )

    def _set_desired(self, place: Region, service: ServiceState, tasks: int) -> None:
        self.client("ecs", place).update_service(
            cluster=self.names[place].cluster, service=self._settings.names.of(service.name), desiredCount=tasks
        )

    def move_writer(self) -> None:
        """Move the writer by RDS, which refuses while a move is in progress.

        A switchover is called in the region of the current writer and loses no data; a failover in the target region.
        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html
        """
        asked = {
            "GlobalClusterIdentifier": self._group,
            "TargetDbClusterIdentifier": self.names[self._request.to].database,
        }
        if self._request.lost_region:
            self.client("rds", self._request.to).failover_global_cluster(**asked, AllowDataLoss=True)
        else:
            self.client("rds", self._request.origin).switchover_global_cluster(**asked)


def _chunks(names: Sequence[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(names), size):
        yield list(names[first : first + size])
