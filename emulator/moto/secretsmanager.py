"""Secrets Manager: the key of a replica, and rotations that invoke their function as AWS does.

moto moves AWSCURRENT itself, whatever the function does, to a version that may have no value; it stores only the days
of the rules, and returns the old value after a function has moved the label. It finds a replica by its name and its
complete ARN only.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import Any

from moto.awslambda.utils import get_backend
from moto.secretsmanager.exceptions import ResourceNotFoundException
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend, SecretsStore

from emulator.clock import CLOCK
from emulator.moto.extend import Method, override
from emulator.runtime import functions

ROTATIONS = 3
MINUTES_BETWEEN_ROTATIONS = 1.0
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@override(FakeSecret)
def create_replicas(
    original: Method, self: Any, replica_regions: list[dict[str, str]], force_overwrite: bool
) -> list[Any]:
    """Store the key of each replica that names one; the others keep AWS's own."""
    replicas: list[Any] = original(self, replica_regions, force_overwrite)
    for replica, sent in zip(replicas, replica_regions or [], strict=True):
        if "KmsKeyId" in sent:
            replica.config["KmsKeyId"] = sent["KmsKeyId"]
    return replicas


def _named(self: Any, key: str) -> str:
    """The name in a partial ARN, which lacks the hyphen and the six random characters; any other key as it is.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
    """
    is_partial = key.startswith("arn:") and all(one.arn != key for one in dict.values(self))
    return key.rpartition(":")[2] if is_partial else key


@override(SecretsStore)
def get(original: Method, self: Any, key: str) -> Any:
    """Find a replica by a partial ARN, too."""
    return original(self, _named(self, key))


@override(SecretsStore)
def __getitem__(original: Method, self: Any, key: str) -> Any:  # noqa: N807 (a method of moto's class)
    """Find a replica by a partial ARN, too."""
    return original(self, _named(self, key))


@override(SecretsStore)
def __contains__(original: Method, self: Any, key: str) -> bool:  # noqa: N807 (a method of moto's class)
    """Find a replica by a partial ARN, too."""
    return bool(original(self, _named(self, key)))


@override(SecretsManagerBackend)
def rotate_secret(original: Method, self: Any, secret_id: str, **sent: Any) -> str:
    """Store the rules as they were sent, and invoke the function for each step, in the background.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
    """
    known = self.secrets.get(secret_id)
    arn = sent.get("rotation_lambda_arn") or getattr(known, "rotation_lambda_arn", "")
    if not isinstance(known, FakeSecret) or known.is_deleted() or not arn:
        return str(original(self, secret_id, **sent))  # its errors are moto's
    function = _function(self, arn)
    known.rotation_lambda_arn = arn
    known.rotation_requested = known.rotation_enabled = True
    if rules := sent.get("rotation_rules"):
        known.rotation_rules_as_sent = rules
        known.auto_rotate_after_days = rules.get("AutomaticallyAfterDays", 0)
    if not sent.get("rotate_immediately", True):
        return str(known.to_short_dict())
    token = sent.get("client_request_token") or str(uuid.uuid4())
    known.remove_version_stages_from_old_versions(["AWSPENDING"])
    known.versions[token] = {"createdate": int(time.time()), "version_id": token, "version_stages": ["AWSPENDING"]}
    known.last_rotation_date = int(time.time())
    event = {"SecretId": known.arn, "ClientRequestToken": token}
    threading.Thread(target=_make_steps, args=(function, event), daemon=True).start()
    return json.dumps({"ARN": known.arn, "Name": known.name, "VersionId": token})


@override(FakeSecret)
def reset_default_version(original: Method, self: Any, secret_version: dict[str, Any], version_id: str) -> None:
    """A new current version takes AWSCURRENT from the version that has it, also after the stage was moved."""
    staged = [name for name, one in self.versions.items() if "AWSCURRENT" in one["version_stages"]]
    if staged:
        self.default_version_id = staged[0]
    original(self, secret_version, version_id)


@override(SecretsManagerBackend)
def get_secret_value(original: Method, self: Any, secret_id: str, version_id: str, version_stage: str) -> Any:
    """The current value is that of the version that has AWSCURRENT, also after the stage was moved, in every region."""
    known = self.secrets.get(secret_id)
    if not version_id and not version_stage and known is not None:
        staged = [name for name, one in known.versions.items() if "AWSCURRENT" in one["version_stages"]]
        version_id = staged[0] if staged else version_id
    return original(self, secret_id, version_id, version_stage)


def _function(self: Any, arn: str) -> Any:
    try:
        return get_backend(self.account_id, self.region_name).get_function(arn)
    except Exception as error:  # any error of moto's backends for a missing function
        raise ResourceNotFoundException(f"Resource not found for ARN '{arn}'.") from error


def _make_steps(function: Any, event: dict[str, str]) -> None:
    """Make the steps; where one fails, all of them again, as AWS does "multiple times", without saying how many."""
    for _ in range(ROTATIONS):
        if all(not functions.run(function, {"Step": step, **event}).failed for step in STEPS):
            return
        CLOCK.wait(MINUTES_BETWEEN_ROTATIONS, lambda: False)


@override(FakeSecret)
def to_dict(original: Method, self: Any) -> dict[str, Any]:
    """Answer the rules as they were sent."""
    answer: dict[str, Any] = original(self)
    if "RotationRules" in answer:
        answer["RotationRules"] = getattr(self, "rotation_rules_as_sent", answer["RotationRules"])
    return answer
