"""The additions to moto for databases and their secrets: what is sent is what is answered, and what AWS does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from emulator.inventory import leftovers
from emulator.process import Server
from tests.emulator.release_support import zipped
from tests.emulator.roles import make_role
from tests.emulator.support import Client, client_for, error_of

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]
ENGINE = "aurora-postgresql"
PASSWORD = "only-for-the-local-aws"
# A rotation that makes another value and asks no database; it fails in the step that FAIL names.
ROTATION = """
import os, boto3
def handle(event, context):
    secrets, step = boto3.client("secretsmanager"), event["Step"]
    if step == os.environ["FAIL"]:
        raise RuntimeError(step)
    secret, token = event["SecretId"], event["ClientRequestToken"]
    if step == "createSecret":
        secrets.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString="second", VersionStages=["AWSPENDING"]
        )
    if step == "finishSecret":
        stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
        (current,) = [version for version, of in stages.items() if "AWSCURRENT" in of]
        secrets.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""


def cluster(rds: Client, name: str, **more: Any) -> str:
    first = {"MasterUsername": "administrator", "MasterUserPassword": PASSWORD}
    arguments = {"DBClusterIdentifier": name, "Engine": ENGINE, "EngineVersion": "17.9", **first, **more}
    sent = {key: value for key, value in arguments.items() if value is not None}
    return str(rds.create_db_cluster(**sent)["DBCluster"]["DBClusterArn"])


def members(rds: Client, name: str) -> dict[str, bool]:
    (group,) = [
        one for one in rds.describe_global_clusters()["GlobalClusters"] if one["GlobalClusterIdentifier"] == name
    ]
    return {one["DBClusterArn"]: one["IsWriter"] for one in group["GlobalClusterMembers"]}


def test_cluster_keeps_the_insights_of_its_instances_and_accepts_monitoring_at_creation_only(
    client: Make,
) -> None:
    rds = client("rds")
    key, role = "arn:aws:kms:us-east-2:123456789012:key/insights", "arn:aws:iam::123456789012:role/monitoring"
    cluster(
        rds,
        "watched",
        MonitoringInterval=15,
        MonitoringRoleArn=role,
        DatabaseInsightsMode="standard",
        EnablePerformanceInsights=True,
        PerformanceInsightsKMSKeyId=key,
        PerformanceInsightsRetentionPeriod=93,
    )
    rds.modify_db_cluster(DBClusterIdentifier="watched", BackupRetentionPeriod=7)
    rds.modify_db_cluster(
        DBClusterIdentifier="watched",
        DatabaseInsightsMode="advanced",
        EnablePerformanceInsights=True,
        PerformanceInsightsRetentionPeriod=465,
    )
    (found,) = rds.describe_db_clusters(DBClusterIdentifier="watched")["DBClusters"]
    assert (found["MonitoringInterval"], found["MonitoringRoleArn"]) == (15, role)
    assert (found["PerformanceInsightsEnabled"], found["PerformanceInsightsKMSKeyId"]) == (True, key)
    assert (found["DatabaseInsightsMode"], found["PerformanceInsightsRetentionPeriod"]) == ("advanced", 465)
    with pytest.raises(rds.exceptions.ClientError, match="Multi-AZ DB clusters only"):
        rds.modify_db_cluster(DBClusterIdentifier="watched", MonitoringInterval=30)


def test_instance_keeps_its_performance_insights(client: Make) -> None:
    rds = client("rds")
    cluster(rds, "insights")
    for name, days in (("insights-1", 93), ("insights-2", 731)):
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier="insights",
            Engine=ENGINE,
            DBInstanceClass="db.r8g.large",
            EnablePerformanceInsights=True,
            PerformanceInsightsKMSKeyId=f"arn:aws:kms:us-east-2:123456789012:key/{name}",
            PerformanceInsightsRetentionPeriod=days,
        )
    rds.modify_db_instance(DBInstanceIdentifier="insights-1", PerformanceInsightsRetentionPeriod=62)
    for name, days in (("insights-1", 62), ("insights-2", 731)):
        (one,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        assert one["PerformanceInsightsRetentionPeriod"] == days
        assert one["PerformanceInsightsKMSKeyId"].endswith(name)
        assert one["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"


def test_exported_logs_and_iam_authentication_change(client: Make) -> None:
    rds = client("rds")
    cluster(rds, "logged", EnableCloudwatchLogsExports=["postgresql"], EnableIAMDatabaseAuthentication=True)
    (one,) = rds.describe_db_clusters(DBClusterIdentifier="logged")["DBClusters"]
    assert (one["EnabledCloudwatchLogsExports"], one["IAMDatabaseAuthenticationEnabled"]) == (["postgresql"], True)
    assert "ScalingConfigurationInfo" not in one
    rds.modify_db_cluster(
        DBClusterIdentifier="logged",
        EnableIAMDatabaseAuthentication=False,
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["postgresql"], "EnableLogTypes": ["instance"]},
    )
    (one,) = rds.describe_db_clusters(DBClusterIdentifier="logged")["DBClusters"]
    assert (one["EnabledCloudwatchLogsExports"], one["IAMDatabaseAuthenticationEnabled"]) == (["instance"], False)


def test_a_global_cluster_takes_in_a_cluster_and_has_members_in_two_regions(own_aws: Server) -> None:
    make = client_for(own_aws)
    east, west = make("rds"), make("rds", region="us-west-2")
    primary = cluster(east, "primary")
    refused = error_of(
        lambda: east.create_global_cluster(
            GlobalClusterIdentifier="both", SourceDBClusterIdentifier=primary, EngineVersion="17.9"
        )
    )
    assert refused == "InvalidParameterCombination"
    east.create_global_cluster(
        GlobalClusterIdentifier="both", SourceDBClusterIdentifier=primary, Tags=[{"Key": "of", "Value": "both"}]
    )
    alone = {"MasterUsername": None, "MasterUserPassword": None}
    secondary = cluster(west, "secondary", GlobalClusterIdentifier="both", **alone)
    assert members(west, "both") == {primary: True, secondary: False}

    (group,) = west.describe_global_clusters()["GlobalClusters"]
    assert west.list_tags_for_resource(ResourceName=group["GlobalClusterArn"])["TagList"] == [
        {"Key": "of", "Value": "both"}
    ]
    upgrade = {"EngineVersion": "17.10", "ApplyImmediately": True}
    assert error_of(lambda: east.modify_db_cluster(DBClusterIdentifier="primary", **upgrade)) == "InvalidParameterValue"
    west.modify_db_cluster(DBClusterIdentifier="secondary", **upgrade)
    east.modify_db_cluster(DBClusterIdentifier="primary", **upgrade)

    switchover = {"GlobalClusterIdentifier": "both", "TargetDbClusterIdentifier": secondary}
    # Nobody could write there; with instances it is in test_services_of_failover.py.
    assert error_of(lambda: east.switchover_global_cluster(**switchover)) == "InvalidDBClusterStateFault"
    for arn in (secondary, primary):
        east.remove_from_global_cluster(GlobalClusterIdentifier="both", DbClusterIdentifier=arn)
    again = {"GlobalClusterIdentifier": "both", "DbClusterIdentifier": primary}
    assert error_of(lambda: east.remove_from_global_cluster(**again)) == "InvalidParameterValue"
    east.delete_global_cluster(GlobalClusterIdentifier="both")
    left = {(one.kind, one.id) for one in leftovers(own_aws.url)}
    assert {("database cluster", "primary"), ("database cluster", "secondary")} <= left
    east.delete_db_cluster(DBClusterIdentifier="primary", SkipFinalSnapshot=True)
    west.delete_db_cluster(DBClusterIdentifier="secondary", SkipFinalSnapshot=True)
    assert leftovers(own_aws.url) == []  # no automated snapshots either


def test_an_unknown_global_cluster_is_rds_own_error(client: Make) -> None:
    rds = client("rds")
    unknown = {"GlobalClusterIdentifier": "nowhere"}
    assert error_of(lambda: rds.modify_global_cluster(**unknown)) == "GlobalClusterNotFoundFault"


@pytest.mark.parametrize(("fails", "calls", "value"), [("nowhere", 4, "second"), ("setSecret", 6, "first")])
def test_rotation_makes_its_steps_and_all_of_them_again_where_one_fails(
    client: Make, fails: str, calls: int, value: str
) -> None:
    name = f"rotation-{fails}"
    role = make_role(client, "lambda.amazonaws.com", name)
    function = client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="handler.handle",
        Role=role,
        Timeout=60,
        Code={"ZipFile": zipped(ROTATION)},
        Environment={"Variables": {"FAIL": fails}},
    )
    secrets = client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="first")
    rules = {"AutomaticallyAfterDays": 30, "Duration": "3h"}
    secrets.rotate_secret(SecretId=name, RotationLambdaARN=function["FunctionArn"], RotationRules=rules)
    assert secrets.describe_secret(SecretId=name)["RotationRules"] == rules
    assert _ended(client("logs"), f"/aws/lambda/{name}", calls) == calls
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == value


def _ended(logs: Client, group: str, expected: int) -> int:
    """How many calls of a function have ended, as soon as there are as many as expected."""
    ended, deadline = 0, time.monotonic() + 120
    while ended < expected and time.monotonic() < deadline:
        time.sleep(0.05)
        if logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            events = logs.filter_log_events(logGroupName=group)["events"]
            ended = sum(event["message"].startswith("END RequestId") for event in events)
    return ended


def test_a_secret_does_not_rotate_by_a_function_that_is_not_there(client: Make) -> None:
    secrets = client("secretsmanager")
    secrets.create_secret(Name="lonely", SecretString="first")
    arn = "arn:aws:lambda:us-east-2:123456789012:function:nowhere"
    code = error_of(lambda: secrets.rotate_secret(SecretId="lonely", RotationLambdaARN=arn))
    assert code == "ResourceNotFoundException"


def test_value_put_after_a_rotation_is_current(client: Make) -> None:
    secrets = client("secretsmanager")
    first = secrets.create_secret(Name="moved", SecretString="one")["VersionId"]
    second = secrets.put_secret_value(SecretId="moved", SecretString="two", VersionStages=["AWSPENDING"])["VersionId"]
    secrets.update_secret_version_stage(
        SecretId="moved", VersionStage="AWSCURRENT", RemoveFromVersionId=first, MoveToVersionId=second
    )
    third = secrets.put_secret_value(SecretId="moved", SecretString="three")["VersionId"]
    assert secrets.get_secret_value(SecretId="moved")["SecretString"] == "three"
    stages = secrets.describe_secret(SecretId="moved")["VersionIdsToStages"]
    assert [one for one, of in stages.items() if "AWSCURRENT" in of] == [third]
    assert "AWSPREVIOUS" in stages[second]
