"""What moves a deployed platform's traffic: failovers to the other region and back, and releases of `web`."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from emulator import process
from emulator.process import Server
from emulator.runtime import stand_in
from operations.deployment.local import LocalDeployment
from operations.failover.command import run as failover
from operations.failover.request import Request as FailoverRequest
from operations.region import Region
from operations.release.command import run
from operations.release.request import Request
from settings import Settings, load
from tests.lifecycle.base import Deployed
from tests.lifecycle.clients import BAD, CLUSTER, NEW, client
from tests.lifecycle.parts import forked
from tests.release.support import Meanwhile


@dataclass(frozen=True, kw_only=True)
class Released:
    """What came of a release: its exit code, what runs then, and the weights by listener."""

    code: int
    output: str
    image: str
    weights: dict[str, dict[str, int]]


@dataclass(frozen=True, kw_only=True)
class Releases:
    """A release, one that an alarm took back, what the smoke test asked for, and what a plan would change then."""

    released: Released
    rolled_back: Released
    asked: list[str]
    plan: list[str]


@dataclass(frozen=True, kw_only=True)
class FailedOver:
    """What came of a failover: its exit code, who writes then, and what a plan would change, if one was made."""

    code: int
    output: str
    writers: list[str]
    plan: list[str] | None


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What came of a failover to the other region, of the one back, and of the releases after it."""

    there: FailedOver
    back: FailedOver
    releases: Releases


def play_traffic(deployed: Deployed, directory: Path, console: Console) -> Moved:
    """One plan looks at all that stands at the end: a plan of the whole platform costs a minute of processor."""
    with forked(deployed.server, directory, console) as (deployment, server):
        there, back = fail_over(deployment, server, plan_of_first=True)
        released, rolled_back, asked = release_twice(deployment, server)
        releases = Releases(released=released, rolled_back=rolled_back, asked=asked, plan=deployment.plan())
        return Moved(there=there, back=back, releases=releases)


def release_twice(deployment: LocalDeployment, server: Server) -> tuple[Released, Released, list[str]]:
    """Release an image, then one that an alarm takes back; and the paths that the smoke test asked the first for."""
    settings = load("local")
    with as_deploy_role(deployment), stand_in.serving(server, NEW) as standing, stand_in.serving(server, BAD):
        released = _release(server, settings, NEW)
        rolled_back = _release(server, settings, BAD, alarm="web-blue-slow")
    return released, rolled_back, standing.requests


def fail_over(deployment: LocalDeployment, server: Server, *, plan_of_first: bool = False) -> list[FailedOver]:
    """Another instance becomes the writer; then the command moves the platform to its other region, and back."""
    client(server, "rds").failover_db_cluster(DBClusterIdentifier=CLUSTER)
    process.set_clock(server, 0.05)
    settings, ended = load("local"), []
    with as_deploy_role(deployment), stand_in.serving(server, settings.services["web"].image):
        for to in (Region.RECOVERY, Region.PRIMARY):
            said = io.StringIO()
            request = FailoverRequest(to=to, environment="local", approve=True)
            code = failover(request, settings, Console(file=said, width=200), seconds_between_looks=0.1)
            groups = client(server, "rds").describe_global_clusters()["GlobalClusters"]
            writers = [one["DBClusterArn"] for one in groups[0]["GlobalClusterMembers"] if one["IsWriter"]]
            plan = deployment.plan() if plan_of_first and to is Region.RECOVERY else None
            ended.append(FailedOver(code=code, output=said.getvalue(), writers=writers, plan=plan))
    return ended


@contextlib.contextmanager
def as_deploy_role(deployment: LocalDeployment) -> Iterator[None]:
    """This process's own AWS clients are a workflow's that deploys."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in deployment.as_role("deploy").items():
            patch.setenv(name, value)
        yield


def _release(server: Server, settings: Settings, image: str, alarm: str = "") -> Released:
    """Release an image of web; an alarm goes on once customers see it."""
    said = io.StringIO()
    # The canary lasts seconds where something is to happen meanwhile, and else a moment.
    process.set_clock(server, 2.0 if alarm else 0.05)
    cloudwatch = client(server, "cloudwatch")

    def green_has_traffic() -> bool:
        return 10 in _weights(server, settings)["production"].values()

    def go_off() -> None:
        cloudwatch.set_alarm_state(AlarmName=settings.names.alarm(alarm), StateValue="ALARM", StateReason="a test")
        process.set_clock(server, 0.05)

    with Meanwhile(green_has_traffic, go_off) if alarm else contextlib.nullcontext():
        request = Request(service="web", image=image, environment="local")
        code = run(request, settings, Console(file=said, width=200), seconds_between_looks=0.1)
    name, ecs = settings.names.of("web"), client(server, "ecs")
    (service,) = ecs.describe_services(cluster=settings.names.of("cluster"), services=[name])["services"]
    (primary,) = [one for one in service["taskSets"] if one["status"] == "PRIMARY"]
    definition = ecs.describe_task_definition(taskDefinition=primary["taskDefinition"])["taskDefinition"]
    return Released(
        code=code,
        output=said.getvalue(),
        image=definition["containerDefinitions"][0]["image"],
        weights=_weights(server, settings),
    )


def _weights(server: Server, settings: Settings) -> dict[str, dict[str, int]]:
    """The weight of each colour of web, by listener."""
    elbv2 = client(server, "elbv2")
    (balancer,) = elbv2.describe_load_balancers(Names=[settings.names.of("lb")])["LoadBalancers"]
    colours = {settings.names.target_group("web", colour): colour for colour in ("blue", "green")}
    found: dict[str, dict[str, int]] = {}
    for listener in elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
        for rule in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
            groups = rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", [])
            by_name = {one["TargetGroupArn"].split("/")[-2]: one["Weight"] for one in groups}
            if by_name.keys() & colours.keys():
                place = {443: "production", 8443: "test"}[listener["Port"]]
                found[place] = {colours[name]: weight for name, weight in by_name.items()}
    return found
