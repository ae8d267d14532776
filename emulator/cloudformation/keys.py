"""Types of KMS and Secrets Manager: keys, aliases, rotation schedules, attachments of secrets to databases."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import secretsmanager

from emulator.cloudformation.calls import Created, Properties, RefusedError, call, gone, only, without
from emulator.cloudformation.types import made_by

ROTATION = ("EnableKeyRotation", "RotationPeriodInDays")
DELETION_DAYS = 30
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-kms-key.html (PendingWindowInDays)"""


def install() -> None:
    """Register these types, and let dynamic references find secrets where they are."""
    made_by("AWS::KMS::Key", create=_create_key, update=_update_key, delete=_delete_key)
    made_by("AWS::KMS::Alias", create=_create_alias, update=_update_alias, delete=_delete_alias)
    made_by("AWS::SecretsManager::RotationSchedule", create=_schedule, update=_schedule_again, delete=_cancel)
    made_by("AWS::SecretsManager::SecretTargetAttachment", create=_attach, update=_attach_again, delete=_detach)
    secretsmanager.resolve_secret_string = _resolve


def _create_key(_logical_id: str, properties: Properties, _stack: str) -> Created:
    own = without(properties, *ROTATION, "KeyPolicy", "Tags", "PendingWindowInDays", "Enabled")
    tags = [{"TagKey": one["Key"], "TagValue": one["Value"]} for one in properties.get("Tags") or ()]
    key = call("kms", "CreateKey", {**own, "Policy": properties["KeyPolicy"], "Tags": tags})["KeyMetadata"]
    _rotate(key["KeyId"], properties)
    return key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]}


def _rotate(id_: str, properties: Properties) -> None:
    if str(properties.get("EnableKeyRotation", "")).lower() == "true":
        call("kms", "EnableKeyRotation", {"KeyId": id_, **only(properties, "RotationPeriodInDays")})


def _update_key(id_: str, _old: Properties, new: Properties, _stack: str) -> Created:
    call("kms", "PutKeyPolicy", {"KeyId": id_, "PolicyName": "default", "Policy": new["KeyPolicy"]})
    call("kms", "UpdateKeyDescription", {"KeyId": id_, "Description": new.get("Description", "")})
    _rotate(id_, new)
    return id_, {"Arn": call("kms", "DescribeKey", {"KeyId": id_})["KeyMetadata"]["Arn"], "KeyId": id_}


def _delete_key(id_: str, properties: Properties) -> None:
    days = int(properties.get("PendingWindowInDays", DELETION_DAYS))
    gone("kms", "ScheduleKeyDeletion", KeyId=id_, PendingWindowInDays=days)


def _create_alias(_logical_id: str, properties: Properties, _stack: str) -> Created:
    call("kms", "CreateAlias", properties)
    return properties["AliasName"], {}


def _update_alias(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if old["AliasName"] != new["AliasName"]:
        made = _create_alias("", new, stack)
        _delete_alias(name, old)
        return made
    call("kms", "UpdateAlias", new)
    return name, {}


def _delete_alias(name: str, _properties: Properties) -> None:
    gone("kms", "DeleteAlias", AliasName=name)


# --- Secrets Manager ---


def _resolve(secret_id: str, version_stage: str = "AWSCURRENT", version_id: str | None = None) -> str | None:
    """The value that a dynamic reference of a template has.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references-secretsmanager.html
    """
    chosen = {"VersionId": version_id} if version_id else {"VersionStage": version_stage}
    try:
        return str(call("secretsmanager", "GetSecretValue", {"SecretId": secret_id, **chosen})["SecretString"])
    except RefusedError:
        return None


def _schedule(_logical_id: str, properties: Properties, _stack: str) -> Created:
    now = str(properties.get("RotateImmediatelyOnUpdate", "true")).lower() == "true"
    sent = without(properties, "RotateImmediatelyOnUpdate")
    call("secretsmanager", "RotateSecret", {**sent, "RotateImmediately": now})
    return properties["SecretId"], {}


def _schedule_again(_id: str, _old: Properties, new: Properties, stack: str) -> Created:
    return _schedule("", new, stack)


def _cancel(_id: str, properties: Properties) -> None:
    gone("secretsmanager", "CancelRotateSecret", SecretId=properties["SecretId"])


def _attach(_logical_id: str, properties: Properties, _stack: str) -> Created:
    """Write into the secret where the database is, with a version of its own.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secrettargetattachment.html
    """
    if properties["TargetType"] != "AWS::RDS::DBCluster":
        raise NotImplementedError(f"the local AWS attaches no secret to {properties['TargetType']}")
    (cluster,) = call("rds", "DescribeDBClusters", {"DBClusterIdentifier": properties["TargetId"]})["DBClusters"]
    place: dict[str, Any] = {
        "engine": cluster["Engine"],
        "host": cluster["Endpoint"],
        "port": cluster["Port"],
        "dbClusterIdentifier": cluster["DBClusterIdentifier"],
        **({"dbname": cluster["DatabaseName"]} if cluster.get("DatabaseName") else {}),
    }
    _write(properties["SecretId"], lambda value: {**value, **place})
    return properties["SecretId"], {}


def _attach_again(_id: str, _old: Properties, new: Properties, stack: str) -> Created:
    return _attach("", new, stack)


def _detach(_id: str, properties: Properties) -> None:
    kept = ("username", "password")
    try:
        _write(properties["SecretId"], lambda value: {name: value[name] for name in kept if name in value})
    except RefusedError as refused:
        if "ResourceNotFound" not in str(refused):
            raise


def _write(secret_id: str, change: Any) -> None:
    value = json.loads(call("secretsmanager", "GetSecretValue", {"SecretId": secret_id})["SecretString"])
    call("secretsmanager", "PutSecretValue", {"SecretId": secret_id, "SecretString": json.dumps(change(value))})
