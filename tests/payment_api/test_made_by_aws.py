"""What AWS makes by itself where the stack does not: logs without key and end, and disks under a key of AWS.

Each is in this list, with what keeps it under a key and a retention of ours. Who adds a service that writes to a log of
its own choice adds a line.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from payment_api.settings import Settings
from tests.payment_api.policies import Roles
from tests.payment_api.support import Template
from tests.payment_api.test_deletion import Graph

pytestmark = pytest.mark.requirement("P4.4", "P5.2")

Named = Callable[[Template, Settings], str]
# The name of the log group that AWS writes to, by the type of what writes.
WRITTEN_BY_AWS: dict[str, Named] = {
    "AWS::ApiGateway::Stage": lambda api, _: (
        f"API-Gateway-Execution-Logs_{api.id_of('AWS::ApiGateway::RestApi')}/"
        f"{api.one('AWS::ApiGateway::Stage')['StageName']}"
    ),
    "AWS::ECS::Cluster": lambda api, _: (
        f"/aws/ecs/containerinsights/{api.one('AWS::ECS::Cluster')['ClusterName']}/performance"
    ),
    "AWS::RDS::DBInstance": lambda _, __: "RDSOSMetrics",
    "AWS::RDS::DBCluster": lambda api, _: (
        f"/aws/rds/cluster/{api.one('AWS::RDS::DBCluster')['DBClusterIdentifier']}/postgresql"
    ),
}


def groups(api: Template) -> dict[str, tuple[str, dict[str, Any]]]:
    """The log groups of the template by their names, with their logical ids."""
    roles = Roles(api)
    named = {id_: roles.resolve(one["LogGroupName"]) for id_, one in api.of("AWS::Logs::LogGroup").items()}
    return {
        name.replace(f"{api.one('AWS::ApiGateway::RestApi')['Name']}", api.id_of("AWS::ApiGateway::RestApi")): (
            id_,
            api.of("AWS::Logs::LogGroup")[id_],
        )
        for id_, name in named.items()
    }


@pytest.mark.parametrize("type_", WRITTEN_BY_AWS)
def test_logs_of_aws_services_go_to_log_groups_of_the_stack(type_: str, api: Template, settings: Settings) -> None:
    writers = [id_ for id_, one in api.resources.items() if one["Type"] == type_]
    assert writers
    id_, group = groups(api)[WRITTEN_BY_AWS[type_](api, settings)]
    assert "KmsKeyId" in group
    assert "RetentionInDays" in group
    for writer in writers:
        assert id_ in Graph(api).needs(writer), writer


def test_every_function_has_a_log_group_of_the_stack(api: Template) -> None:
    functions = api.of("AWS::Lambda::Function")
    assert functions
    for id_, one in functions.items():
        assert one.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") in api.of("AWS::Logs::LogGroup"), id_


def test_task_storage_is_encrypted_under_a_customer_managed_key(api: Template) -> None:
    storage = api.one("AWS::ECS::Cluster")["Configuration"]["ManagedStorageConfiguration"]
    assert "FargateEphemeralStorageKmsKeyId" in storage


def test_logs_key_may_encrypt_every_log_group(api: Template) -> None:
    (statement,) = (
        one
        for key in api.of("AWS::KMS::Key").values()
        for one in key["KeyPolicy"]["Statement"]
        if one.get("Sid") == "LogGroupsOfThisEnvironment"
    )
    patterns = [
        Roles(api).resolve(one).rpartition("log-group:")[2]
        for one in statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    ]
    found = groups(api)
    assert found
    for name in found:
        assert any(fnmatchcase(name, pattern) for pattern in patterns), name
