"""A platform in two regions of a local AWS: what a failover needs of it, and the command upon it."""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from emulator import process
from operations.failover.command import run
from operations.failover.request import Request
from operations.region import Region
from settings import load
from tests.emulator.support import Client, client_for
from tests.operations.support import REPOSITORY, environment_file
from tests.release.support import until

PRIMARY, RECOVERY = Region.PRIMARY, Region.RECOVERY
SECONDS_BETWEEN_LOOKS = 0.02
IMAGE = f"registry.example.com/payments/web@sha256:{'5' * 64}"
NUMBERS = itertools.count()
TRUST = '{"Version":"2012-10-17","Statement":[]}'


@dataclass(frozen=True)
class Ended:
    """How the command ended in this process."""

    code: int
    text: str


@functools.cache
def kept(server: process.Server, service: str, region: str) -> Client:
    """A client, made once for all tests: to make one takes longer than most calls."""
    return client_for(server)(service, region)


class World:
    """Both regions of an environment of its own."""

    def __init__(self, server: process.Server, folder: Path) -> None:
        number = next(NUMBERS)
        self.server = server
        self.file = environment_file(folder, "mine", environment_suffix=f'"f{number}"')
        text = self.file.read_text(encoding="utf-8")
        assert text.count('"pay.example.com"') == 1
        self.file.write_text(text.replace("pay.example.com", f"f{number}.example.com"), encoding="utf-8")
        self.settings = load(str(self.file))
        self.names = self.settings.names
        self.regions = {PRIMARY: self.settings.primary.name, RECOVERY: self.settings.recovery.name}
        self.client: Callable[[str, Region], Client] = lambda service, place: kept(server, service, self.regions[place])
        self.clusters = {PRIMARY: self.names.of("database"), RECOVERY: self.names.of("recovery-database")}
        self.rules: dict[Region, str] = {}
        self.bucket = {place: self.names.bucket("backups", name) for place, name in self.regions.items()}
        self.domain = self.settings.domain.name
        zones = self.client("route53", PRIMARY).create_hosted_zone(Name=self.domain, CallerReference=self.domain)
        self.zone = zones["HostedZone"]["Id"].rpartition("/")[2]
        for place in Region:
            self._make_region(place)
        self._make_database()
        self._make_records()

    # --- how it is made ---

    def _make_region(self, place: Region) -> None:
        ec2, region = self.client("ec2", place), self.regions[place]
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self._subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{region}{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate("ab")
        ]
        self._security_group = ec2.create_security_group(VpcId=vpc, GroupName="all", Description="all")["GroupId"]
        among_themselves = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": self._security_group}]}
        ec2.authorize_security_group_ingress(GroupId=self._security_group, IpPermissions=[among_themselves])
        self.client("ecs", place).create_cluster(clusterName=self.names.of("cluster"))
        self._make_load_balancer(place)
        for name in self.settings.services:
            self._make_service(place, name, vpc)
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.client("s3", place).create_bucket(Bucket=self.bucket[place], **where)
        self.client("secretsmanager", place).create_secret(
            Name=self.names.secret("database/application"), SecretString="{}"
        )

    def _make_load_balancer(self, place: Region) -> None:
        elbv2 = self.client("elbv2", place)
        origin = self.origin(place)
        certificate = self.client("acm", place).request_certificate(DomainName=origin)["CertificateArn"]
        made = elbv2.create_load_balancer(
            Name=self.names.of("lb"), Subnets=self._subnets, SecurityGroups=[self._security_group]
        )["LoadBalancers"][0]
        refusal = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}]
        self._listener = elbv2.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=refusal,
        )["Listeners"][0]["ListenerArn"]
        query = {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "region", "Value": "taken-over"}]}}
        self.rules[place] = elbv2.create_rule(
            ListenerArn=self._listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/health"]}}, query],
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
        )["Rules"][0]["RuleArn"]
        alias = {"DNSName": made["DNSName"], "HostedZoneId": "Z3AADJGX6KTTL2", "EvaluateTargetHealth": False}
        self._record({"Name": origin, "Type": "A", "AliasTarget": alias})
        self._aliases = {**getattr(self, "_aliases", {}), place: alias}

    def _make_service(self, place: Region, name: str, vpc: str) -> None:
        service, full = self.settings.services[name], self.names.of(name)
        ecs, elbv2 = self.client("ecs", place), self.client("elbv2", place)
        container = {"name": name, "image": IMAGE, "essential": True, "portMappings": [{"containerPort": 8443}]}
        ecs.register_task_definition(
            family=full, containerDefinitions=[container], networkMode="awsvpc", cpu="256", memory="512"
        )
        more: dict[str, Any] = {}
        if service.critical:
            group = elbv2.create_target_group(
                Name=self.names.target_group(name, "blue"), Protocol="HTTPS", Port=8443, VpcId=vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            elbv2.create_rule(
                ListenerArn=self._listener,
                Priority=service.priority,
                Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": list(service.path_patterns)}}],
                Actions=[{"Type": "forward", "TargetGroupArn": group}],
            )
            more["loadBalancers"] = [{"targetGroupArn": group, "containerName": name, "containerPort": 8443}]
            more["deploymentController"] = {"type": "CODE_DEPLOY"}
        least = (self.settings.services if place is PRIMARY else self.settings.recovery_services)[name].min_tasks
        network = {"subnets": self._subnets, "securityGroups": [self._security_group]}
        ecs.create_service(
            cluster=self.names.of("cluster"),
            serviceName=full,
            taskDefinition=full,
            desiredCount=least,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
            **more,
        )
        if service.critical:
            self._make_releases(place, name, vpc)
        self.client("application-autoscaling", place).register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{self.names.of('cluster')}/{full}",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=least,
            MaxCapacity=service.max_tasks,
        )

    def _make_releases(self, place: Region, service: str, vpc: str) -> None:
        codedeploy, name = self.client("codedeploy", place), self.names.of(service)
        green = self.names.target_group(service, "green")
        self.client("elbv2", place).create_target_group(
            Name=green, Protocol="HTTPS", Port=8443, VpcId=vpc, TargetType="ip"
        )
        groups = [{"name": self.names.target_group(service, "blue")}, {"name": green}]
        pair = {"targetGroups": groups, "prodTrafficRoute": {"listenerArns": [self._listener]}}
        codedeploy.create_application(applicationName=name, computePlatform="ECS")
        codedeploy.create_deployment_group(
            applicationName=name,
            deploymentGroupName=name,
            serviceRoleArn="arn:aws:iam::123456789012:role/" + name,
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            ecsServices=[{"clusterName": self.names.of("cluster"), "serviceName": name}],
            loadBalancerInfo={"targetGroupPairInfoList": [pair]},
            blueGreenDeploymentConfiguration={
                "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
                "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 1},
            },
        )

    def _make_database(self) -> None:
        engine = {"Engine": "aurora-postgresql"}
        east, west = self.client("rds", PRIMARY), self.client("rds", RECOVERY)
        login = {"MasterUsername": "administrator", "MasterUserPassword": "not-a-secret"}
        made = east.create_db_cluster(DBClusterIdentifier=self.clusters[PRIMARY], **engine, **login)
        east.create_global_cluster(
            GlobalClusterIdentifier=self.global_cluster, SourceDBClusterIdentifier=made["DBCluster"]["DBClusterArn"]
        )
        west.create_db_cluster(
            DBClusterIdentifier=self.clusters[RECOVERY], GlobalClusterIdentifier=self.global_cluster, **engine
        )
        for place, rds in ((PRIMARY, east), (RECOVERY, west)):
            rds.create_db_instance(
                DBInstanceIdentifier=f"{self.clusters[place]}-1",
                DBClusterIdentifier=self.clusters[place],
                DBInstanceClass="db.r8g.large",
                **engine,
            )

    def _make_records(self) -> None:
        check, route53 = self.settings.edge.health_check, self.client("route53", PRIMARY)

        def made(purpose: str, **config: Any) -> str:
            if config["Type"] == "HTTPS":
                config |= {"Port": 443, "RequestInterval": check.interval_seconds}
                config |= {"FailureThreshold": check.failure_threshold}
            reference = f"{self.domain}-{purpose}"
            return str(
                route53.create_health_check(CallerReference=reference, HealthCheckConfig=config)["HealthCheck"]["Id"]
            )

        own = {
            place: made(place, Type="HTTPS", FullyQualifiedDomainName=self.origin(place), ResourcePath=check.path)
            for place in Region
        }
        takeover = made(
            "takeover",
            Type="HTTPS",
            FullyQualifiedDomainName=self.origin(RECOVERY),
            ResourcePath=f"{check.path}?region=taken-over",
            Inverted=True,
        )
        serves = made("serves", Type="CALCULATED", ChildHealthChecks=[own[PRIMARY], takeover], HealthThreshold=2)
        self._serves = {PRIMARY: serves, RECOVERY: own[RECOVERY]}
        for place, kind in ((PRIMARY, "PRIMARY"), (RECOVERY, "SECONDARY")):
            self._record(self._shared(place) | {"Failover": kind})

    def route_by_latency(self) -> None:
        """As Terraform does when settings say so: other records, under the other name."""
        for place in Region:
            self._record(self._shared(place) | {"Region": self.regions[place]})

    def _shared(self, place: Region) -> dict[str, Any]:
        return {
            "Name": self.shared_name,
            "Type": "A",
            "SetIdentifier": self.regions[place],
            "HealthCheckId": self._serves[place],
            "AliasTarget": self._aliases[place],
        }

    def _record(self, record: dict[str, Any]) -> None:
        self.client("route53", PRIMARY).change_resource_record_sets(
            HostedZoneId=self.zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )

    # --- names ---

    def origin(self, place: Region) -> str:
        return f"origin-{self.settings.environment_suffix}-{self.regions[place]}.{self.domain}"

    @property
    def shared_name(self) -> str:
        edge = self.settings.edge
        return edge.origin_names(self.domain, self.settings.environment_suffix)[edge.origin_routing]

    @property
    def global_cluster(self) -> str:
        return self.names.of("global-database")

    def cluster_arn(self, place: Region) -> str:
        return f"arn:aws:rds:{self.regions[place]}:{self.settings.account_id}:cluster:{self.clusters[place]}"

    # --- the command ---

    def run(self, to: Region, *, patience: float = 1.0, **asked: Any) -> Ended:
        """Run the command in this process; errors are raised, as they are to the commands' common end."""
        said = io.StringIO()
        console = Console(file=said, width=200, highlight=False, soft_wrap=True)
        request = Request(to=to, environment=str(self.file), **{"approve": True, **asked})
        between = SECONDS_BETWEEN_LOOKS
        code = run(request, self.settings, console, seconds_between_looks=between, patience=patience)
        return Ended(code, said.getvalue())

    def start(self, to: Region, *arguments: str) -> subprocess.Popen[str]:
        """Start the command in a process of its own."""
        command = [sys.executable, "-u", "-m", "operations", "failover", to, "--environment", str(self.file)]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=REPOSITORY,
            env=process.complete_environment(self.server.url, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reset(self, place: Region) -> None:
        """Let the platform serve from a region as if it had never been moved, without the command."""
        until(lambda: self.move() is None, "the end of a move")
        if self.writers() != [place]:
            self.client("rds", place).switchover_global_cluster(
                GlobalClusterIdentifier=self.global_cluster, TargetDbClusterIdentifier=self.cluster_arn(place)
            )
        answer = {"StatusCode": "200" if place is RECOVERY else "404"}
        self.client("elbv2", RECOVERY).modify_rule(
            RuleArn=self.rules[RECOVERY], Actions=[{"Type": "fixed-response", "FixedResponseConfig": answer}]
        )
        for one in Region:
            standing = self.settings.services if one is PRIMARY else self.settings.recovery_services
            for name, service in (standing if place is PRIMARY else self.settings.services).items():
                self.client("application-autoscaling", one).register_scalable_target(
                    ServiceNamespace="ecs",
                    ResourceId=f"service/{self.names.of('cluster')}/{self.names.of(name)}",
                    ScalableDimension="ecs:service:DesiredCount",
                    SuspendedState={
                        "DynamicScalingInSuspended": standing[name].min_tasks < service.min_tasks,
                        "DynamicScalingOutSuspended": False,
                        "ScheduledScalingSuspended": False,
                    },
                )
                self.client("ecs", one).update_service(
                    cluster=self.names.of("cluster"), service=self.names.of(name), desiredCount=service.min_tasks
                )
            self.client("s3", one).delete_object(Bucket=self.bucket[one], Key=f"failover/{one}.lock")
        until(lambda: self.writers() == [place] and self.move() is None, "the writer in its region")
        until(lambda: self.answered() is place, "requests in their region")

    # --- what is so ---

    def writers(self) -> list[Region]:
        """The regions whose cluster writes: one, or none while the writer moves."""
        (group,) = self.client("rds", RECOVERY).describe_global_clusters(GlobalClusterIdentifier=self.global_cluster)[
            "GlobalClusters"
        ]
        writing = [one["DBClusterArn"] for one in group["GlobalClusterMembers"] if one["IsWriter"]]
        return [place for place in Region if self.cluster_arn(place) in writing]

    def synchronization(self) -> dict[Region, str]:
        """How far the copies are, by region."""
        asked = {"GlobalClusterIdentifier": self.global_cluster}
        (group,) = self.client("rds", RECOVERY).describe_global_clusters(**asked)["GlobalClusters"]
        states = {one["DBClusterArn"]: one["SynchronizationStatus"] for one in group["GlobalClusterMembers"]}
        return {place: states[self.cluster_arn(place)] for place in Region}

    def move(self) -> str | None:
        """What RDS says of a failover that goes on."""
        (group,) = self.client("rds", RECOVERY).describe_global_clusters(GlobalClusterIdentifier=self.global_cluster)[
            "GlobalClusters"
        ]
        return (group.get("FailoverState") or {}).get("Status")

    def answered(self) -> Region:
        """The region to which the shared name leads."""

        def ask(name: str) -> list[str]:
            answer = self.client("route53", RECOVERY).test_dns_answer(
                HostedZoneId=self.zone, RecordName=name, RecordType="A"
            )
            return list(answer["RecordData"])

        shared = ask(self.shared_name)
        (place,) = [one for one in Region if ask(self.origin(one)) == shared]
        return place

    def tasks(self, place: Region) -> dict[str, int]:
        names = {self.names.of(name): name for name in self.settings.services}
        found = self.client("ecs", place).describe_services(cluster=self.names.of("cluster"), services=list(names))
        return {names[one["serviceName"]]: one["desiredCount"] for one in found["services"]}

    def held_back(self, place: Region) -> set[str]:
        """The services whose tasks scaling may not end."""
        found = self.client("application-autoscaling", place).describe_scalable_targets(ServiceNamespace="ecs")
        prefix = f"service/{self.names.of('cluster')}/"
        return {
            one["ResourceId"].removeprefix(prefix).split("-")[1]
            for one in found["ScalableTargets"]
            if one["ResourceId"].startswith(prefix)
            and one.get("SuspendedState", {}).get("DynamicScalingInSuspended", False)
        }

    def least(self, place: Region) -> dict[str, int]:
        """The bounds that Terraform set."""
        found = self.client("application-autoscaling", place).describe_scalable_targets(ServiceNamespace="ecs")
        prefix = f"service/{self.names.of('cluster')}/"
        return {
            one["ResourceId"].removeprefix(prefix).split("-")[1]: one["MinCapacity"]
            for one in found["ScalableTargets"]
            if one["ResourceId"].startswith(prefix)
        }

    def objects(self, place: Region) -> dict[str, Any]:
        """What a failover left in the bucket of a region."""
        s3 = self.client("s3", place)
        listed = s3.list_objects_v2(Bucket=self.bucket[place], Prefix="failover/").get("Contents", [])
        return {
            one["Key"]: json.loads(s3.get_object(Bucket=self.bucket[place], Key=one["Key"])["Body"].read())
            for one in listed
        }


__all__ = ["IMAGE", "PRIMARY", "RECOVERY", "Ended", "Region", "World", "until"]
