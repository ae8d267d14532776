"""What makes a failover wrong is one line before anything is changed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from emulator import process
from emulator.runtime import stand_in
from operations.outcome import Failed, Refused
from tests.failover.outside import Outside, changes
from tests.failover.support import PRIMARY, RECOVERY, World
from tests.operations.test_makefile import make

pytestmark = [pytest.mark.requirement("W7.2")]


def refused(world: World, monkeypatch: pytest.MonkeyPatch, match: str, **asked: Any) -> None:
    """It is refused with such a line, and nothing was changed but a lock that is gone."""
    outside = Outside().watch(monkeypatch)
    to = asked.pop("to", RECOVERY)
    with pytest.raises(Refused, match=match):
        outside.during(lambda: world.run(to, **asked))
    assert {outside.calls[number] for number in changes(outside.calls)} <= {"PutObject", "DeleteObject"}
    for region in world.regions.values():
        process.restore_region(world.server, region)
    assert world.objects(PRIMARY) == world.objects(RECOVERY) == {}


def test_without_a_terminal_it_must_be_approved(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(world, monkeypatch, "--approve: needed where there is no terminal", approve=False)


def test_a_region_that_does_not_answer_must_be_called_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process.lose_region(world.server, world.regions[PRIMARY])
    again = f"make failover ENV={world.file} TO=recovery 'ARGS=--approve --lost-region'"
    refused(world, monkeypatch, rf"^primary: us-east-2 does not answer: .*{re.escape(again)}$")


@pytest.mark.parametrize(
    ("operation", "lost_region"),
    [
        ("DescribeServices", False),
        ("DescribeServices", True),
        ("DescribeAlarms", True),
        ("PutObject", False),  # of the lock, which a lost region has none of
    ],
)
def test_a_region_that_refuses_a_call_is_not_taken_for_lost(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: str, lost_region: bool
) -> None:
    make = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def without_permission(client: Any, name: str, arguments: dict[str, Any]) -> Any:
        if name == operation and client.meta.region_name == world.regions[PRIMARY]:
            metadata: Any = {"HTTPStatusCode": 403}
            raise ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": metadata}, name)
        return make(client, name, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", without_permission)
    with pytest.raises((Refused, Failed)) as refusal:
        world.run(RECOVERY, lost_region=lost_region)
    assert "AccessDenied" in str(refusal.value)
    assert "--lost-region" not in str(refusal.value)
    assert "does not answer" not in str(refusal.value)


def test_failover_to_a_region_that_does_not_answer_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process.lose_region(world.server, world.regions[RECOVERY])
    refused(world, monkeypatch, r"^recovery: us-west-2 does not answer, so the platform cannot", lost_region=True)


def test_tasks_that_run_and_do_not_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, tasks: stand_in.StandIn
) -> None:
    tasks.status = 503
    refused(world, monkeypatch, "health checkers get no answer from us-west-2")


def test_a_copy_without_an_instance(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.client("rds", RECOVERY).delete_db_instance(
        DBInstanceIdentifier=f"{world.clusters[RECOVERY]}-1", SkipFinalSnapshot=True
    )
    refused(world, monkeypatch, "has no instance that could write")
    refused(world, monkeypatch, "has no instance that could write", lost_region=True)


def test_cluster_outside_the_global_database_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.client("rds", RECOVERY).remove_from_global_cluster(
        GlobalClusterIdentifier=world.global_cluster, DbClusterIdentifier=world.cluster_arn(RECOVERY)
    )
    refused(world, monkeypatch, "would be a second writer")


def test_a_copy_that_is_not_synchronized_yet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process.lose_region(world.server, world.regions[PRIMARY])
    assert world.run(RECOVERY, lost_region=True).code == 0
    for one in world.objects(RECOVERY):
        world.client("s3", RECOVERY).delete_object(Bucket=world.bucket[RECOVERY], Key=one)
    refused(world, monkeypatch, "^primary: us-east-2 does not answer, so", to=PRIMARY)
    process.set_clock(world.server, 60.0)
    refused(world, monkeypatch, "is being synchronized after an earlier failover", to=PRIMARY)


def test_a_region_without_the_replica_of_the_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.client("secretsmanager", RECOVERY).delete_secret(
        SecretId=world.names.secret("database/application"), ForceDeleteWithoutRecovery=True
    )
    refused(world, monkeypatch, "secret: us-west-2 has no replica")


def publish_lag(world: World, *, seconds: float) -> None:
    """How far the recovery region's copy was behind a minute ago, as RDS publishes it."""
    dimensions = {"DBClusterIdentifier": world.clusters[RECOVERY], "SourceRegion": world.regions[PRIMARY]}
    data = {
        "MetricName": "AuroraGlobalDBReplicationLag",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
        "Value": seconds * 1000,
        "Unit": "Milliseconds",
    }
    world.client("cloudwatch", RECOVERY).put_metric_data(Namespace="AWS/RDS", MetricData=[data])


def test_more_than_the_recovery_point_is_lost_only_with_consent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    again = f"make failover ENV={world.file} TO=recovery 'ARGS=--approve --lost-region --accept-data-loss'"
    publish_lag(world, seconds=world.settings.database.recovery_point_seconds + 1.5)
    refused(world, monkeypatch, rf" was 6.5 s behind .* is 5: .*{re.escape(again)}$", lost_region=True)
    assert world.run(RECOVERY, lost_region=True, accept_data_loss=True).code == 0
    assert world.writers() == [RECOVERY]


def test_loss_within_the_recovery_point_is_warned_of(world: World) -> None:
    publish_lag(world, seconds=world.settings.database.recovery_point_seconds)
    ended = world.run(RECOVERY, lost_region=True)
    assert ended.code == 0, ended.text
    assert "will be LOST: it was 5000 ms behind when last measured" in ended.text


def test_failover_during_another_failover_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.reset(RECOVERY)
    process.set_clock(world.server, 60.0)
    world.client("rds", RECOVERY).switchover_global_cluster(
        GlobalClusterIdentifier=world.global_cluster, TargetDbClusterIdentifier=world.cluster_arn(PRIMARY)
    )
    refused(world, monkeypatch, "RDS moves the writer to .*us-east-2.* at the moment")


def test_failover_during_a_release_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process.set_clock(world.server, 60.0)
    name = world.names.of("web")
    definition = world.client("ecs", PRIMARY).describe_task_definition(taskDefinition=name)["taskDefinition"]
    resource = {
        "TargetService": {
            "Type": "AWS::ECS::Service",
            "Properties": {
                "TaskDefinition": definition["taskDefinitionArn"],
                "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8443},
            },
        }
    }
    content = json.dumps({"version": 0.0, "Resources": [resource]})
    world.client("codedeploy", PRIMARY).create_deployment(
        applicationName=name,
        deploymentGroupName=name,
        deploymentConfigName="CodeDeployDefault.ECSAllAtOnce",
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
    )
    refused(world, monkeypatch, "releases: d-.* is in progress")


def test_failover_without_a_secondary_cluster_is_refused(world: World) -> None:
    text = world.file.read_text(encoding="utf-8")
    text = text.replace('recovery = "global"', 'recovery = "snapshots"').replace("recovery_instances = 1", "")
    world.file.write_text(text, encoding="utf-8")
    command = world.start(RECOVERY, "--approve")
    _, complaint = command.communicate(timeout=60)
    assert command.returncode == 2
    assert complaint.startswith("database.recovery: 'snapshots' is not allowed for failover")
    assert "Traceback" not in complaint


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("given", "options"),
    [
        (("TO=recovery",), "recovery --environment local"),
        (("TO=primary", "ENV=staging", "ARGS=--approve"), "primary --environment staging --approve"),
        (("TO=recovery", "ARGS=--lost-region"), "recovery --environment local --lost-region"),
    ],
)
def test_make_failover_is_the_command(given: tuple[str, ...], options: str) -> None:
    result = make("--dry-run", "failover", *given, TO="somewhere")
    command = next(line for line in result.stdout.splitlines() if "-m operations failover" in line)
    assert " ".join(shlex.split(command)).endswith(f"-m operations failover {options}")
