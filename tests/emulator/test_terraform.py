"""The real Terraform and AWS provider against the local AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from emulator.inventory import leftovers
from emulator.process import Server
from emulator.record import read_calls, read_violations
from tests.emulator.release_support import Platform, zipped
from tests.emulator.support import Client, Terraform, client_for

pytestmark = pytest.mark.requirement("W8.2")

Configure = Callable[[str, Server], Terraform]
STATE_BUCKET = "rehearsal-state"
CHANGED = ("-var", "first=false")
REGISTERED = (
    "family", "containerDefinitions", "cpu", "memory", "networkMode", "requiresCompatibilities", "runtimePlatform",
    "executionRoleArn", "taskRoleArn", "volumes",
)  # fmt: skip
"""What a task definition is registered with, of what is said of it."""


# One configuration for all of it: providers take seconds of processor to start, and wait a minute for a load
# balancer, half of one for a queue. The network's rules are modified in test_services_of_keys_and_networks.py.
def test_platform_is_applied_released_changed_and_destroyed_without_leftovers(
    terraform: Configure, own_aws: Server
) -> None:
    rehearsed = terraform("whole", own_aws)
    for module in ("services", "processing"):
        code = zipped("def handle(event, context): return event")
        (rehearsed.directory / module / "function.zip").write_bytes(code)
    rehearsed.apply()
    rehearsed.assert_nothing_to_do()
    assert _called(rehearsed) == {"code": "one", "action": "create"}
    released = _release(client_for(own_aws))
    rehearsed.assert_nothing_to_do()
    rehearsed.apply(*CHANGED)
    rehearsed.assert_nothing_to_do(*CHANGED)
    assert _called(rehearsed) == {"code": "two", "action": "update"}
    (mapping,) = client_for(own_aws)("lambda").list_event_source_mappings(FunctionName="process")["EventSourceMappings"]
    assert (mapping["BatchSize"], mapping["ScalingConfig"]) == (5, {"MaximumConcurrency": 20})
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    client_for(own_aws)("ecs").deregister_task_definition(taskDefinition=released)
    cluster, role = (f"arn:aws:{one}" for one in ("rds:us-east-2:123456789012:cluster:c", "iam::123456789012:role/r"))
    client_for(own_aws)("backup").start_backup_job(BackupVaultName="backups", ResourceArn=cluster, IamRoleArn=role)
    _destroy_without_a_rest(rehearsed, own_aws)


def _called(rehearsed: Terraform) -> dict[str, str]:
    """What the function that Terraform calls was told, as it answers."""
    state = json.loads((rehearsed.directory / "terraform.tfstate").read_text())
    said = json.loads(state["outputs"]["prepared"]["value"])
    return {"code": said["code"], "action": said["tf"]["action"]}


def _release(client: Callable[..., Client]) -> str:
    """Release the service of that configuration; returns the new task definition, which is no one's of Terraform."""
    ecs = client("ecs")
    (service,) = ecs.describe_services(cluster="main", services=["payments"])["services"]
    running = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    kept = {name: running[name] for name in REGISTERED}
    definition = str(ecs.register_task_definition(**kept)["taskDefinition"]["taskDefinitionArn"])
    (load_balancer,) = service["loadBalancers"]
    platform = Platform(client, "payments", "", "", "", "", [])
    info = platform.ended(platform.release(definition, container=load_balancer["containerName"]))
    assert info["status"] == "Succeeded", info
    (service,) = ecs.describe_services(cluster="main", services=["payments"])["services"]
    assert service["taskDefinition"] == definition
    assert service["loadBalancers"] != [load_balancer]
    return definition


def _destroy_without_a_rest(rehearsed: Terraform, aws: Server) -> None:
    assert leftovers(aws.url)
    rehearsed.destroy()
    assert leftovers(aws.url) == []
    assert read_violations(aws.directory) == []
    calls = read_calls(aws.directory)
    assert [call for call in calls if call.status >= 500] == []
    # A create that an SDK sends again, because its answer was lost, fails the second time.
    assert [call for call in calls if call.attempt > 1] == []
    assert {call.caller for call in calls} == {"AKIAIOSFODNN7EXAMPLE"}


def test_state_in_s3_is_locked_by_s3_itself(terraform: Configure, own_aws: Server) -> None:
    s3 = client_for(own_aws)("s3")
    s3.create_bucket(Bucket=STATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    s3.put_bucket_versioning(Bucket=STATE_BUCKET, VersioningConfiguration={"Status": "Enabled"})
    rehearsed = terraform("backend", own_aws)
    rehearsed.apply()
    state = json.loads(s3.get_object(Bucket=STATE_BUCKET, Key="rehearsal.tfstate")["Body"].read())
    assert state["outputs"]["something"]["value"] == "first"

    lock = {"ID": "d0bb1c2e-0000-0000-0000-000000000000", "Operation": "OperationTypeApply", "Who": "a colleague"}
    s3.put_object(Bucket=STATE_BUCKET, Key="rehearsal.tfstate.tflock", Body=json.dumps(lock), IfNoneMatch="*")
    refused = rehearsed.run("plan")
    assert refused.returncode == 1
    assert "Error acquiring the state lock" in refused.stderr
    assert "a colleague" in refused.stderr
    s3.delete_object(Bucket=STATE_BUCKET, Key="rehearsal.tfstate.tflock")
    rehearsed.assert_nothing_to_do()


def test_one_of_many_concurrent_lock_requests_succeeds(own_aws: Server) -> None:
    make = client_for(own_aws)
    make("s3", "us-east-1").create_bucket(Bucket="locks")
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def take(who: int) -> None:
        s3 = make("s3", "us-east-1")
        start.wait()
        try:
            s3.put_object(Bucket="locks", Key="lock", Body=str(who), IfNoneMatch="*")
            outcomes.append(str(who))
        except s3.exceptions.ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=take, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if outcome != "PreconditionFailed"]
    assert len(outcomes) == 8
    assert len(winners) == 1
    assert make("s3", "us-east-1").get_object(Bucket="locks", Key="lock")["Body"].read().decode() == winners[0]
