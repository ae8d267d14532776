"""Secrets Manager: rotation schedules by CloudFormation. They are kept; no rotation runs by itself here."""

from __future__ import annotations

from ministack.services import secretsmanager

from emulator.ministack.registry import Created, Properties, RefusedError, add_type


def install() -> None:
    """Register these additions with ministack."""
    add_type("AWS::SecretsManager::RotationSchedule", create=_schedule, delete=_cancel, update=_schedule_again)


def _schedule(_logical_id: str, properties: Properties, _stack: str) -> Created:
    _, secret = secretsmanager._resolve(properties["SecretId"])
    if secret is None:
        raise RefusedError(f"ResourceNotFoundException: {properties['SecretId']}")
    secret["RotationEnabled"] = True
    secret["RotationLambdaARN"] = properties["RotationLambdaARN"]
    rules = properties.get("RotationRules") or {}
    secret["RotationRules"] = {
        name: int(value) if name == "AutomaticallyAfterDays" else value for name, value in rules.items()
    }
    return properties["SecretId"], {}


def _schedule_again(id_: str, _old: Properties, new: Properties, stack: str) -> Created:
    return _schedule(id_, new, stack)


def _cancel(_id: str, properties: Properties) -> None:
    _, secret = secretsmanager._resolve(properties["SecretId"])
    if secret is not None:
        secret["RotationEnabled"] = False
