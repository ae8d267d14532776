"""The failover command: there and back, planned and unplanned, and what it leaves as it was."""

from __future__ import annotations

import io
import signal
import socket

import pytest
import typer
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from emulator import process
from emulator.runtime import stand_in
from operations.failover import clients
from operations.failover.traffic import Traffic
from operations.outcome import Refused
from settings import load
from tests.failover.outside import Outside, changes
from tests.failover.support import PRIMARY, RECOVERY, World, until

pytestmark = [pytest.mark.requirement("W7.2")]


def test_a_planned_failover_moves_tasks_writer_and_requests_and_loses_nothing(world: World) -> None:
    bounds = world.least(RECOVERY)
    ended = world.run(RECOVERY)
    assert ended.code == 0, ended.text
    assert world.writers() == [RECOVERY]
    assert world.answered() is RECOVERY
    assert world.tasks(RECOVERY) == world.tasks(PRIMARY) == {"web": 2, "payments": 2, "reports": 1}
    assert world.least(RECOVERY) == bounds  # they are Terraform's
    assert world.held_back(RECOVERY) == {"web", "payments"}  # their bounds would let scaling end what was started
    assert world.held_back(PRIMARY) == set()


def test_failback_restores_the_previous_state(world: World) -> None:
    before = world.tasks(RECOVERY), world.least(RECOVERY)
    assert world.run(RECOVERY).code == 0
    ended = world.run(PRIMARY)
    assert ended.code == 0, ended.text
    assert (world.writers(), world.answered()) == ([PRIMARY], PRIMARY)
    assert (world.tasks(RECOVERY), world.least(RECOVERY)) == before
    assert world.held_back(RECOVERY) == world.held_back(PRIMARY) == set()


def test_a_second_run_finds_everything_done_and_changes_nothing_but_its_lock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside().watch(monkeypatch)
    assert world.run(RECOVERY).code == 0
    ended = outside.during(lambda: world.run(RECOVERY))
    assert ended.code == 0
    assert ended.text.count("done already") == 4
    changed = [outside.calls[number] for number in changes(outside.calls)]
    assert changed == ["PutObject", "PutObject", "DeleteObject", "DeleteObject"]


def test_tasks_are_as_many_as_serve_where_they_left_and_no_more_than_scaling_may_reach(world: World) -> None:
    for name, tasks in (("web", 5), ("payments", 6)):
        world.client("ecs", PRIMARY).update_service(
            cluster=world.names.of("cluster"), service=world.names.of(name), desiredCount=tasks
        )
    assert world.run(RECOVERY).code == 0
    assert world.tasks(RECOVERY) == {"web": 5, "payments": 6, "reports": 1}


def test_run_is_recorded_in_the_target_region_and_releases_the_lock(world: World) -> None:
    ended = world.run(RECOVERY)
    ((key, record),) = world.objects(RECOVERY).items()
    assert key.endswith("-to-recovery.json")
    assert key in ended.text
    assert (record["outcome"], record["lost_region"], len(record["steps"])) == ("done", False, 3)
    assert all(step["seconds"] >= 0 for step in record["steps"])
    assert world.objects(PRIMARY) == {}


@pytest.mark.parametrize("silent", [False, True], ids=["errors", "silence"])
def test_a_lost_region_is_left_with_data_loss_and_joins_again_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.setattr(clients, "QUICK", clients.QUICK.merge(Config(read_timeout=1)))
    process.lose_region(world.server, world.regions[PRIMARY], silent=silent)
    ended = world.run(RECOVERY, lost_region=True)
    assert ended.code == 0, ended.text
    assert "will be LOST" in ended.text
    assert "us-east-2 does not answer" not in ended.text  # that is nothing new
    assert (world.writers(), world.answered()) == ([RECOVERY], RECOVERY)

    process.restore_region(world.server, world.regions[PRIMARY])
    until(lambda: set(world.synchronization().values()) == {"connected"}, "the region taken in again")
    assert world.run(PRIMARY).code == 0
    assert (world.writers(), world.answered()) == ([PRIMARY], PRIMARY)
    assert world.held_back(RECOVERY) == world.held_back(PRIMARY) == set()


def test_a_region_that_still_answers_has_its_tasks_stopped_before_the_writer_leaves_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What RDS promises of an old writer that it does not reach is its best; nobody must write to it."""
    outside = Outside().watch(monkeypatch)
    ended = outside.during(lambda: world.run(RECOVERY, lost_region=True))
    assert ended.code == 0
    assert "without --lost-region nothing would be lost" in ended.text
    assert world.tasks(PRIMARY) == {"web": 0, "payments": 0, "reports": 0}
    last_stop = max(number for number, call in enumerate(outside.calls) if call == "UpdateService")
    assert last_stop < outside.calls.index("FailoverGlobalCluster")
    assert world.run(PRIMARY).code == 0
    assert world.tasks(PRIMARY) == {"web": 2, "payments": 2, "reports": 1}
    assert world.held_back(PRIMARY) == set()


def test_failover_waits_for_healthy_tasks_and_the_next_run_continues(world: World, tasks: stand_in.StandIn) -> None:
    names = [world.names.of(name) for name in ("web", "payments")]
    for name in names:  # a cold region: what is there is not asked yet
        world.client("ecs", RECOVERY).update_service(cluster=world.names.of("cluster"), service=name, desiredCount=0)
    tasks.status = 500
    ended = world.run(RECOVERY, patience=0.0005)
    assert ended.code == 3
    assert "health checkers get no answer" in ended.text
    assert "NOT done: move the database's writer to us-west-2" in ended.text
    assert f"make failover ENV={world.file} TO=recovery ARGS=--approve" in ended.text
    assert (world.writers(), world.answered()) == ([PRIMARY], PRIMARY)
    tasks.status = 200
    assert world.run(RECOVERY).code == 0


class Terminal(io.StringIO):
    """Somebody sits there."""

    def isatty(self) -> bool:
        return True


def test_each_step_is_confirmed_and_can_be_declined(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return "writer" not in question

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(typer, "confirm", confirm)
    ended = world.run(RECOVERY, approve=False)
    assert ended.code == 3
    assert [one.partition(" ")[2].split(",")[0] for one in asked] == [
        "run the tasks that all requests need in us-west-2: web 2",
        "move the database's writer to us-west-2",
    ]
    assert world.writers() == [PRIMARY]
    monkeypatch.setattr(typer, "confirm", lambda _question: False)
    with pytest.raises(Refused, match="nothing was changed"):
        world.run(RECOVERY, approve=False)


def test_interruption_prints_how_to_continue_and_releases_the_lock(world: World) -> None:
    process.set_clock(world.server, 20.0)  # the writer is under way for long
    command = world.start(RECOVERY, "--approve")
    until(lambda: world.move() is not None, "the writer under way")
    command.send_signal(signal.SIGINT)
    said, complaint = command.communicate(timeout=60)
    assert command.returncode == 130, complaint
    assert f"to do the rest: make failover ENV={world.file} TO=recovery" in said
    assert world.objects(RECOVERY) == {}
    assert world.writers() in ([PRIMARY], [])
    process.set_clock(world.server, 0.05)
    assert world.run(RECOVERY).code == 0


def test_lock_of_a_killed_run_is_taken_over_only_with_the_option(world: World) -> None:
    process.set_clock(world.server, 20.0)
    command = world.start(RECOVERY, "--approve")
    until(lambda: world.move() is not None, "the writer under way")
    command.kill()
    command.communicate(timeout=60)
    with pytest.raises(Refused, match=rf"another run is at work, by .*process {command.pid}.*--take-over"):
        world.run(RECOVERY)
    process.set_clock(world.server, 0.05)
    assert world.run(RECOVERY, take_over=True).code == 0
    assert not [key for place in (PRIMARY, RECOVERY) for key in world.objects(place) if key.endswith(".lock")]


def test_failover_without_the_route_53_api_is_decided_by_dns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its control plane is in us-east-1, and nothing that moves requests may depend on it."""
    addresses = {PRIMARY: "192.0.2.1", RECOVERY: "192.0.2.2"}
    names = {world.origin(place): address for place, address in addresses.items()}

    def resolve(name: str) -> list[tuple[object, ...]]:
        address = names[name] if name in names else addresses[world.answered()]
        return [(0, 0, 0, "", (address, 443))]

    def silent(*_arguments: object) -> set[str]:
        raise EndpointConnectionError(endpoint_url="https://route53.amazonaws.com")

    known, real = {*names, world.shared_name}, socket.getaddrinfo
    monkeypatch.setattr(Traffic, "_asked_of_route53", silent)
    monkeypatch.setattr(Traffic, "_reached", silent)
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *more: resolve(name) if name in known else real(name, *more)
    )
    ended = world.run(RECOVERY)
    assert ended.code == 0, ended.text
    assert "health checkers cannot be asked" in ended.text
    assert world.answered() is RECOVERY


def test_by_latency_both_regions_serve_again_once_none_has_taken_over(world: World) -> None:
    text = world.file.read_text(encoding="utf-8").replace("[edge]\n", '[edge]\norigin_routing = "latency"\n')
    world.file.write_text(text, encoding="utf-8")
    world.settings = load(str(world.file))
    world.route_by_latency()
    assert world.run(RECOVERY).code == 0
    assert world.answered() is RECOVERY
    ended = world.run(PRIMARY)
    assert ended.code == 0, ended.text
    assert "let requests go to both regions again: done" in ended.text
    assert world.tasks(RECOVERY) == {"web": 2, "payments": 2, "reports": 1}  # none stands by
