"""Whoever reads or writes what is encrypted under a key of ours may use the key, and nobody may who does not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from iam.encryption import NEEDS
from modules.database.secrets import USERNAMES
from policy.encryption import KEYED, idle, missing
from tests.synthesized import Block, Synthesized

pytestmark = pytest.mark.requirement("W4.4")
ACCOUNT = "123456789012"
# Statements that use a key otherwise than through a service's encryption at rest: by Sid, what for.
OTHER_USES = {
    "FindKeys": "AWS Backup looks at the keys of the database and of both vaults",
    "LetRdsUseKeys": "RDS copies and restores snapshots with grants of whoever asks it to",
    "UseKeys": "RDS encrypts copies of snapshots anew, in the name of AWS Backup's role",
    "DecryptTheSession": "ECS Exec decrypts what is typed in a session, which is stored nowhere under the key",
}


@pytest.fixture
def configuration(platform: Synthesized) -> Block:
    """A copy to break."""
    kept = {part: platform.configuration[part] for part in ("resource", "data", "provider")}
    return deepcopy(kept)


def document(configuration: Block, part: str) -> list[Block]:
    """The statements of the one policy document whose id has ``part`` in it."""
    (found,) = [block for id_, block in configuration["data"]["aws_iam_policy_document"].items() if part in id_.lower()]
    return list(found["statement"])


def statement(configuration: Block, part: str, sid: str) -> dict[str, Any]:
    (found,) = [one for one in document(configuration, part) if one["sid"] == sid]
    return found


def test_principals_of_encrypted_resources_may_use_their_keys(platform: Synthesized) -> None:
    assert missing(platform.configuration, account_id=ACCOUNT) == []


@pytest.mark.requirement("W4.5")
def test_principals_of_a_key_use_a_resource_encrypted_under_it(platform: Synthesized) -> None:
    assert idle(platform.configuration, account_id=ACCOUNT, other_uses=OTHER_USES) == []


def test_every_exception_is_needed(platform: Synthesized) -> None:
    for sid in OTHER_USES:
        others = {one: why for one, why in OTHER_USES.items() if one != sid}
        assert any(sid in line for line in idle(platform.configuration, account_id=ACCOUNT, other_uses=others))


def test_every_resource_that_has_a_key_of_ours_and_a_policy_is_known(platform: Synthesized) -> None:
    """Of the services whose encryption asks the caller; the others use their keys in their own name."""
    asking = {action.partition(":")[0] for action in NEEDS}
    types = {type_ for type_ in platform.configuration["resource"] if _service(type_) in asking}
    keyed = {type_ for type_ in types if "kms" in str(platform.resources(type_)) and not type_.endswith("_policy")}
    own = {type_ for type_ in keyed if any("aws_kms_key." in str(one) for one in platform.resources(type_).values())}
    assert own
    assert own - {"aws_s3_bucket_replication_configuration"} <= KEYED.keys()


def _service(type_: str) -> str:
    return type_.removeprefix("aws_").partition("_")[0]


def test_a_worker_that_may_not_decrypt_is_named(configuration: Block) -> None:
    statement(configuration, "primary_services_reports-task_queue-permissions", "DecryptMessages")["actions"] = [
        "kms:Encrypt"
    ]

    (line,) = missing(configuration, account_id=ACCOUNT)

    assert "sqs:ReceiveMessage on arn:aws:sqs:us-east-2" in line
    assert line.endswith("needs kms:Decrypt: no policy of its own allows it")


def test_a_key_of_another_region_is_not_enough(configuration: Block) -> None:
    decrypt = statement(configuration, "primary_services_reports-task_queue-permissions", "DecryptMessages")
    other = statement(configuration, "recovery_services_reports-task_queue-permissions", "DecryptMessages")
    decrypt["resources"] = other["resources"]

    assert len(missing(configuration, account_id=ACCOUNT)) == 1
    assert len(idle(configuration, account_id=ACCOUNT, other_uses=OTHER_USES)) == 1


def test_a_condition_that_never_holds_is_no_permission(configuration: Block) -> None:
    decrypt = statement(configuration, "primary_services_reports-task_queue-permissions", "DecryptMessages")
    decrypt["condition"][0]["values"] = ["sns.us-east-2.amazonaws.com"]

    assert len(missing(configuration, account_id=ACCOUNT)) == 1


def test_key_policy_is_evaluated_too(configuration: Block) -> None:
    statement(configuration, "primary_keys_objects-policy", "UseThroughSqs")["actions"] = ["kms:GenerateDataKey"]

    assert any("the policy of the key does not allow it" in line for line in missing(configuration, account_id=ACCOUNT))


def test_a_replication_that_may_not_encrypt_its_replicas_is_named(configuration: Block) -> None:
    found = statement(configuration, "backups-replication_permissions", "EncryptReplicas")
    found["actions"] = ["kms:Decrypt"]

    assert any("s3:ReplicateObject" in line for line in missing(configuration, account_id=ACCOUNT))


@pytest.mark.requirement("W3.3")
@pytest.mark.parametrize(
    ("part", "secrets"),
    [
        ("primary_database-rotation_function_permissions", 1 + len(USERNAMES)),
        ("primary_origin-verify_function_permissions", 1),
    ],
)
def test_a_rotation_that_may_not_encrypt_the_replicas_is_named(configuration: Block, part: str, secrets: int) -> None:
    found = statement(configuration, part, "ReadAndWriteUnderTheirKey")
    found["actions"] = ["kms:Decrypt", "kms:GenerateDataKey"]

    lines = missing(configuration, account_id=ACCOUNT)

    assert len(lines) == secrets
    for line in lines:
        assert "secretsmanager:PutSecretValue on arn:aws:secretsmanager:us-west-2" in line
        assert line.endswith("needs kms:Encrypt: no policy of its own allows it")


def test_alarms_that_may_publish_to_a_topic_may_use_its_key(configuration: Block) -> None:
    statement(configuration, "primary_keys_logs-policy", "UseByCloudWatchAlarms")["actions"] = ["kms:Decrypt"]

    lines = missing(configuration, account_id=ACCOUNT)

    assert len(lines) == 2  # of the topic that informs, and of the one that pages
    for line in lines:
        assert "sns:Publish" in line
        assert "needs kms:GenerateDataKey" in line


def test_a_role_that_only_may_use_a_key_is_named(configuration: Block) -> None:
    receive = statement(configuration, "primary_services_reports-task_queue-permissions", "WorkOffTheQueue")
    receive["actions"] = ["sqs:GetQueueAttributes"]

    (line,) = idle(configuration, account_id=ACCOUNT, other_uses=OTHER_USES)

    assert "DecryptMessages allows arn:aws:kms:us-east-2" in line
