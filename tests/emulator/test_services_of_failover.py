"""What the local AWS says of health checks, DNS, failovers of a global database, and a region that is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError

from emulator import process
from emulator.runtime import stand_in
from tests.failover.support import IMAGE, PRIMARY, RECOVERY, World, until
from tests.warm_aws import LocalAws

pytestmark = [pytest.mark.requirement("W7.2")]


@pytest.fixture(scope="module")
def tasks(
    empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[process.Server, stand_in.StandIn]]:
    directory = tmp_path_factory.mktemp("lost")
    with empty_aws(directory, seconds_per_minute=0.05) as server, stand_in.serving(server, IMAGE) as standing:
        yield server, standing


@pytest.fixture(scope="module")
def world(tasks: tuple[process.Server, stand_in.StandIn], tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tasks[0], tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def as_it_was(world: World, tasks: tuple[process.Server, stand_in.StandIn]) -> None:
    tasks[1].status = 200
    process.set_clock(world.server, 0.05)
    for region in world.regions.values():
        process.restore_region(world.server, region)
    world.reset(PRIMARY)


def error_of(call: Callable[[], object]) -> str:
    """The code of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def checks(world: World) -> dict[str, str]:
    """The checks of this world, by the path and the name that they ask for, or by their type."""
    found = world.client("route53", RECOVERY).list_health_checks()["HealthChecks"]
    configs = {one["Id"]: one["HealthCheckConfig"] for one in found}
    return {
        config.get("FullyQualifiedDomainName", "") + config.get("ResourcePath", config["Type"]): id_
        for id_, config in configs.items()
    }


def seen(world: World, name: str) -> set[str]:
    answer = world.client("route53", RECOVERY).get_health_check_status(HealthCheckId=checks(world)[name])
    return {one["StatusReport"]["Status"] for one in answer["HealthCheckObservations"]}


def test_health_check_follows_the_answers_of_the_tasks(
    world: World, tasks: tuple[process.Server, stand_in.StandIn]
) -> None:
    name = world.origin(RECOVERY) + "/health"
    assert seen(world, name) == {"Success: HTTP Status Code 200"}
    tasks[1].status = 503
    assert seen(world, name) == {"Failure: HTTP Status Code 503"}
    assert seen(world, name + "?region=taken-over") == {"Failure: HTTP Status Code 404"}  # it asks no task


def test_a_calculated_check_shows_nothing_and_an_unknown_one_is_route_53s_own_error(world: World) -> None:
    route53 = world.client("route53", PRIMARY)
    calculated = checks(world)["CALCULATED"]
    assert error_of(lambda: route53.get_health_check_status(HealthCheckId=calculated)) == "InvalidInput"
    unknown = "0" * 8
    assert error_of(lambda: route53.get_health_check_status(HealthCheckId=unknown)) == "NoSuchHealthCheck"
    asked = {"HostedZoneId": "Z" + unknown, "RecordName": world.shared_name, "RecordType": "A"}
    assert error_of(lambda: route53.test_dns_answer(**asked)) == "NoSuchHostedZone"


def test_a_name_that_is_not_there_is_no_error_but_an_answer(world: World) -> None:
    asked = {"HostedZoneId": world.zone, "RecordName": f"nobody.{world.domain}", "RecordType": "A"}
    answer = world.client("route53", PRIMARY).test_dns_answer(**asked)
    assert (answer["ResponseCode"], answer["RecordData"]) == ("NXDOMAIN", [])


def test_dns_follows_a_failure_after_the_threshold(
    world: World, tasks: tuple[process.Server, stand_in.StandIn]
) -> None:
    process.set_clock(world.server, 3600.0)
    assert world.answered() is PRIMARY
    process.lose_region(world.server, world.regions[PRIMARY])
    assert world.answered() is PRIMARY  # seen once is not often enough
    process.set_clock(world.server, 0.01)
    until(lambda: world.answered() is RECOVERY, "three intervals")
    process.restore_region(world.server, world.regions[PRIMARY])
    until(lambda: world.answered() is PRIMARY, "three intervals in which it answers again")
    tasks[1].status = 500  # in both regions: then none is better, and the primary is answered
    until(lambda: world.answered() is PRIMARY, "all the same")


def test_a_lost_region_answers_no_call_and_the_other_all_of_them(world: World) -> None:
    process.lose_region(world.server, world.regions[PRIMARY])
    with pytest.raises(ClientError, match="us-east-2 is lost"):
        world.client("ecs", PRIMARY).list_clusters()
    assert world.client("ecs", RECOVERY).list_clusters()["clusterArns"]
    assert seen(world, world.origin(PRIMARY) + "/health") == {
        "Failure: The health checker could not establish a connection."
    }


def test_switchover_has_no_writer_meanwhile_and_refuses_a_second(world: World) -> None:
    process.set_clock(world.server, 3600.0)
    rds = world.client("rds", PRIMARY)
    asked = {
        "GlobalClusterIdentifier": world.global_cluster,
        "TargetDbClusterIdentifier": world.cluster_arn(RECOVERY),
    }
    assert error_of(lambda: rds.failover_global_cluster(**asked, AllowDataLoss=True, Switchover=True)) == (
        "InvalidParameterCombination"
    )
    state = rds.switchover_global_cluster(**asked)["GlobalCluster"]["FailoverState"]
    assert (state["Status"], state["IsDataLossAllowed"]) == ("pending", False)
    assert (state["FromDbClusterArn"], state["ToDbClusterArn"]) == (
        world.cluster_arn(PRIMARY),
        world.cluster_arn(RECOVERY),
    )
    assert world.writers() == [PRIMARY]
    assert error_of(lambda: rds.switchover_global_cluster(**asked)) == "InvalidGlobalClusterStateFault"
    process.set_clock(world.server, 0.5)
    until(lambda: world.move() == "failing-over", "the promotion")
    assert world.writers() == []
    until(lambda: world.move() is None, "its end")
    assert world.writers() == [RECOVERY]
    assert error_of(lambda: rds.switchover_global_cluster(**asked)) == "InvalidGlobalClusterStateFault"


def test_writer_leaves_a_lost_region_only_with_data_loss_and_returns_only_when_synchronized(world: World) -> None:
    process.lose_region(world.server, world.regions[PRIMARY])
    rds = world.client("rds", RECOVERY)
    there = {
        "GlobalClusterIdentifier": world.global_cluster,
        "TargetDbClusterIdentifier": world.cluster_arn(RECOVERY),
    }
    assert error_of(lambda: rds.switchover_global_cluster(**there)) == "InvalidGlobalClusterStateFault"
    rds.failover_global_cluster(**there, AllowDataLoss=True)
    until(lambda: world.writers() == [RECOVERY], "the failover")
    back = there | {"TargetDbClusterIdentifier": world.cluster_arn(PRIMARY)}
    assert error_of(lambda: rds.switchover_global_cluster(**back)) == "InvalidGlobalClusterStateFault"
    assert world.synchronization() == {PRIMARY: "pending-resync", RECOVERY: "connected"}
    process.restore_region(world.server, world.regions[PRIMARY])
    assert world.synchronization()[PRIMARY] == "pending-resync"  # it takes time
    until(lambda: set(world.synchronization().values()) == {"connected"}, "the region taken in again")
