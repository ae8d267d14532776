"""What is left: nothing in a new account, everything that was made, and nothing again once it is gone."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.inventory import Leftover, leftovers
from emulator.process import Server
from operations.state.bootstrap import bootstrap
from settings import Settings
from tests.emulator.inventory_support import make_everything
from tests.emulator.support import client_for

pytestmark = pytest.mark.requirement("W8.2")


def test_new_account_is_empty_and_every_created_resource_is_found(own_aws: Server) -> None:
    assert leftovers(own_aws.url) == []
    made = make_everything(client_for(own_aws))
    found = leftovers(own_aws.url)
    assert {(leftover.region, leftover.kind, leftover.id) for leftover in found} == made
    assert found == sorted(found)


def test_key_pending_deletion_counts_as_deleted(own_aws: Server) -> None:
    kms = client_for(own_aws)("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert leftovers(own_aws.url) == [Leftover("us-east-2", "kms key", key)]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert leftovers(own_aws.url) == []


def test_inactive_resources_count_as_deleted(own_aws: Server) -> None:
    client = client_for(own_aws)
    ecs = client("ecs")
    ecs.create_cluster(clusterName="c")
    container = {"name": "web", "image": "registry.example.com/web", "memory": 128}
    ecs.register_task_definition(family="f", containerDefinitions=[container])
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="f", desiredCount=0)
    assert [leftover.kind for leftover in leftovers(own_aws.url)] == ["cluster", "service", "task definition"]
    ecs.delete_service(cluster="c", service="s")
    ecs.deregister_task_definition(taskDefinition="f:1")
    ecs.delete_cluster(cluster="c")
    secrets = client("secretsmanager")
    secrets.create_secret(Name="secret", SecretString="s")
    secrets.delete_secret(SecretId="secret", RecoveryWindowInDays=7)
    assert leftovers(own_aws.url) == []


@pytest.mark.parametrize("named_by", ["Arn", "KeyId"])
def test_the_state_bucket_may_stay_with_its_key_and_no_other(named_by: str, own_aws: Server) -> None:
    client = client_for(own_aws)
    assert leftovers(own_aws.url, state_bucket="state") == []
    kms = client("kms")
    keys = [kms.create_key()["KeyMetadata"] for _ in range(2)]
    for name, key in zip(("alias/state", "alias/other"), keys, strict=True):
        kms.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    s3 = client("s3")
    for bucket in ("state", "other"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": keys[0][named_by]}
    s3.put_bucket_encryption(
        Bucket="state",
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": encryption}]},
    )
    left = leftovers(own_aws.url, state_bucket="state")
    assert [str(leftover) for leftover in left] == [
        "bucket other (global)",
        "kms alias alias/other (us-east-2)",
        f"kms key {keys[1]['KeyId']} (us-east-2)",
    ]
    assert leftovers(own_aws.url, state_bucket="state", except_for=[leftover.id for leftover in left]) == []


def test_what_the_bootstrap_makes_may_stay_in_both_regions(own_aws: Server, local_settings: Settings) -> None:
    def client(service: str, *, region_name: str) -> Any:
        return client_for(own_aws)(service, region_name)

    bootstrap(local_settings, client)
    assert {(one.kind, one.region) for one in leftovers(own_aws.url)} >= {
        ("kms key", "us-east-2"),
        ("kms key", "us-west-2"),
        ("role", "global"),
    }
    assert leftovers(own_aws.url, state_bucket=local_settings.state.bucket) == []


def test_records_of_a_zone_are_found_but_for_those_that_it_is_made_with(own_aws: Server) -> None:
    route53 = client_for(own_aws)("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="once")["HostedZone"]["Id"]
    kept = [zone]
    assert leftovers(own_aws.url, except_for=kept) == []
    delegation = {
        "Name": "below.example.com.",
        "Type": "NS",
        "TTL": 60,
        "ResourceRecords": [{"Value": "ns.example.net"}],
    }
    failover = [
        {
            "Name": "pay.example.com.",
            "Type": "A",
            "TTL": 60,
            "SetIdentifier": one.lower(),
            "Failover": one,
            "ResourceRecords": [{"Value": "192.0.2.1"}],
        }
        for one in ("PRIMARY", "SECONDARY")
    ]
    changes = [{"Action": "CREATE", "ResourceRecordSet": one} for one in (delegation, *failover)]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    assert [leftover.id for leftover in leftovers(own_aws.url, except_for=kept)] == [
        "below.example.com. NS",
        "pay.example.com. A primary",
        "pay.example.com. A secondary",
    ]
