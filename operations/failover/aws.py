"""What a failover asks of AWS and changes there.

Of a region that is lost nothing is expected: its calls have seconds to answer, and what they say or do not say ends
nothing. What is global is asked where it survives: RDS tells of a global database in any of its regions. Route 53's API
(us-east-1) only tells, it moves nothing: modules/ingress/takeover.py.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from operations.failover.request import Request
from operations.failover.state import (
    DatabaseState,
    Move,
    RegionState,
    ServiceState,
    State,
    TrafficState,
)
from operations.outcome import Refused
from operations.region import Region
from operations.watching import RUNNING_DEPLOYMENT, is_silence
from settings import Settings
from settings.database import RecoveryMode
from settings.edge import TAKEN_OVER, TAKEOVER_KEY, TAKEOVER_VALUE
from settings.naming import DATABASE, RECOVERY_DATABASE
from settings.platform import GLOBAL_REGION

STANDARD = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 4})
QUICK = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
"""For a region that is said to be lost, and for what only tells."""
HTTPS_PORT = 443
HEALTHY_SHARE = 0.18
"""Of the checkers that must get an answer.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""
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
"""Each whole, so that none depends on what was there.

https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-suspend-resume-scaling.html
"""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Names:
    """What things are called in one of the regions."""

    region: str
    cluster: str
    database: str
    load_balancer: str
    bucket: str
    origin: str

    @staticmethod
    def of(settings: Settings, place: Region) -> Names:
        """By what the stack calls them."""
        names = settings.names
        region = (settings.primary if place is Region.PRIMARY else settings.recovery).name
        purpose = DATABASE if place is Region.PRIMARY else RECOVERY_DATABASE
        return Names(
            region=region,
            cluster=names.of("cluster"),
            database=f"arn:aws:rds:{region}:{settings.account_id}:cluster:{names.of(purpose)}",
            load_balancer=names.of("lb"),
            bucket=names.bucket("backups", region),
            origin=f"origin-{settings.environment_suffix}-{region}.{settings.domain.name}",
        )


class Aws:
    """The platform of one environment, in both regions."""

    def __init__(self, settings: Settings, request: Request, session: boto3.Session) -> None:
        if settings.database.recovery is not RecoveryMode.GLOBAL:
            raise Refused(
                f"database.recovery: {str(settings.database.recovery)!r} is not allowed for failover; with global "
                "there is a copy that can take over, with snapshots restore one first, as "
                "docs/runbooks/database-recovery.md says"
            )
        self._settings = settings
        self._request = request
        self.names = {place: Names.of(settings, place) for place in Region}
        self._configs = {place: QUICK if self._may_be_silent(place) else STANDARD for place in Region}
        # Any: the types of these clients are not among the locked packages.
        self._make: Any = session.client
        self._clients: dict[tuple[str, str], Any] = {}
        self._group = settings.names.of("global-database")
        self._zone_id: str | None = None

    def client(self, service: str, place: Region) -> Any:
        """A client of a service in one of the two regions."""
        key = (service, place)
        if key not in self._clients:
            self._clients[key] = self._make(service, region_name=self.names[place].region, config=self._configs[place])
        return self._clients[key]

    @property
    def buckets(self) -> dict[Region, tuple[Any, str]]:
        """Where the lock and the record of a failover are: a bucket in each region that must answer."""
        return {
            place: (self.client("s3", place), self.names[place].bucket)
            for place in Region
            if not self._may_be_silent(place)
        }

    def _may_be_silent(self, place: Region) -> bool:
        return self._request.lost_region and place is self._request.origin

    # --- what is so ---

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
            if self._may_be_silent(place) and is_silence(error):
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
        """The global database, as the region that it is to go to tells it.

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

    def traffic(self) -> TrafficState:
        """Where requests go, as far as that can be told without the region that is lost or Route 53's API."""
        return TrafficState(
            taken_over=self.taken_over(),
            reached=self.reached(),
            answered=self._answered(),
        )

    def taken_over(self) -> bool | None:
        """What the recovery region's load balancer says; None if that region is lost and silent."""
        try:
            rule = self._rule()
        except (ClientError, BotoCoreError) as error:
            if self._may_be_silent(Region.RECOVERY) and is_silence(error):
                return None
            raise
        return bool(rule["Actions"][0].get("FixedResponseConfig", {}).get("StatusCode") == TAKEN_OVER[True].status)

    def _rule(self) -> dict[str, Any]:
        elbv2 = self.client("elbv2", Region.RECOVERY)
        name = self.names[Region.RECOVERY].load_balancer
        (balancer,) = elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
        listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        (listener,) = [one["ListenerArn"] for one in listeners if one["Port"] == HTTPS_PORT]
        rules: list[dict[str, Any]] = elbv2.describe_rules(ListenerArn=listener)["Rules"]
        query = {"Key": TAKEOVER_KEY, "Value": TAKEOVER_VALUE}
        for rule in rules:
            if any(query in one.get("QueryStringConfig", {}).get("Values", []) for one in rule["Conditions"]):
                return rule
        raise Refused(f"load balancer: {name} has no rule for {TAKEOVER_KEY}={TAKEOVER_VALUE}; run make deploy first")

    def reached(self) -> dict[Region, bool | None]:
        """Whether health checkers get an answer from a task of a region; None where that is not known."""
        return _told(self._reached, dict.fromkeys(Region, None))

    def _reached(self) -> dict[Region, bool | None]:
        route53 = self._global("route53")
        pages = route53.get_paginator("list_health_checks").paginate()
        path = self._settings.edge.health_check.path
        ids = {
            config["FullyQualifiedDomainName"]: one["Id"]
            for page in pages
            for one in page["HealthChecks"]
            for config in [one["HealthCheckConfig"]]
            if config.get("ResourcePath") == path and "FullyQualifiedDomainName" in config
        }
        return {
            place: _succeeds(route53.get_health_check_status(HealthCheckId=ids[names.origin]))
            if names.origin in ids
            else None
            for place, names in self.names.items()
        }

    def _answered(self) -> Region | None:
        """The region to whose load balancer the name leads by which CloudFront calls them."""
        edge, suffix = self._settings.edge, self._settings.environment_suffix
        shared = edge.origin_names(self._settings.domain.name, suffix)[edge.origin_routing]
        if not (addresses := self._addresses(shared)):
            return None
        return next((place for place, one in self.names.items() if addresses <= self._addresses(one.origin)), None)

    def _addresses(self, name: str) -> set[str]:
        """By Route 53 itself, which caches nothing; by DNS where its API does not answer."""
        return _told(lambda: self._asked_of_route53(name), None) or _resolved(name)

    def _asked_of_route53(self, name: str) -> set[str]:
        route53 = self._global("route53")
        if self._zone_id is None:
            domain = self._settings.domain.name
            zones = route53.list_hosted_zones_by_name(DNSName=domain)["HostedZones"]
            ids = [one["Id"] for one in zones if one["Name"] == f"{domain}." and not one["Config"]["PrivateZone"]]
            if not ids:
                return set()
            self._zone_id = ids[0].rpartition("/")[2]
        answer = route53.test_dns_answer(HostedZoneId=self._zone_id, RecordName=name, RecordType="A")
        return set(answer["RecordData"])

    def _global(self, service: str) -> Any:
        key = (service, GLOBAL_REGION)
        if key not in self._clients:
            self._clients[key] = self._make(service, region_name=GLOBAL_REGION, config=QUICK)
        return self._clients[key]

    # --- what is changed ---

    def run_at_least(self, place: Region, service: ServiceState, tasks: int) -> None:
        """Have a service run so many tasks, and scaling not end them again.

        The bounds of scaling are Terraform's, and stay. Where they would let it end some, it is kept from ending any:
        it still starts more.
        """
        self._suspend(place, service, "in" if service.least < tasks else "none")
        if service.desired < tasks:
            self._set_desired(place, service, tasks)

    def leave_to_scaling(self, place: Region, service: ServiceState, tasks: int | None = None) -> None:
        """Let scaling decide again, from ``tasks`` on if given."""
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
        """Have RDS move the writer. It refuses while it is moving it already.

        A switchover is asked of the region that it leaves, and loses nothing; a failover of the region that it goes to.
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

    def take_over(self, taken_over: bool) -> None:
        """Let the recovery region's load balancer say that it has taken over, or that it stands by."""
        answer = TAKEN_OVER[taken_over]
        self.client("elbv2", Region.RECOVERY).modify_rule(
            RuleArn=self._rule()["RuleArn"],
            Actions=[
                {
                    "Type": "fixed-response",
                    "FixedResponseConfig": {
                        "StatusCode": answer.status,
                        "ContentType": "text/plain",
                        "MessageBody": answer.text,
                    },
                }
            ],
        )


def _told(ask: Callable[[], T], otherwise: T) -> T:
    """What only tells is not needed: without an answer it is not known."""
    with contextlib.suppress(ClientError, BotoCoreError):
        return ask()
    return otherwise


def _succeeds(status: Mapping[str, Any]) -> bool:
    seen = [one["StatusReport"]["Status"] for one in status["HealthCheckObservations"]]
    return bool(seen) and sum(one.startswith("Success") for one in seen) > HEALTHY_SHARE * len(seen)


def _resolved(name: str) -> set[str]:
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(name, HTTPS_PORT, socket.AF_INET, socket.SOCK_STREAM)}
    except OSError:
        return set()


def _chunks(names: Sequence[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(names), size):
        yield list(names[first : first + size])
