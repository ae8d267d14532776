"""AWS Backup: selections, access policies, restore tests; a plan that changes; tags that are found.

moto knows vaults, their locks, and plans that never change.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from moto.backup import urls
from moto.backup.exceptions import AlreadyExistsException, InvalidRequestException, ResourceNotFoundException
from moto.backup.models import BackupBackend, Plan, Vault
from moto.backup.responses import BackupResponse

from emulator.moto.extend import Method, add, override

ROUTES = (
    "{0}/backup-vaults/(?P<name>[^/]+)/access-policy$",
    "{0}/restore-testing/plans$",
    "{0}/restore-testing/plans/(?P<plan>[^/]+)$",
    "{0}/restore-testing/plans/(?P<plan>[^/]+)/selections$",
    "{0}/restore-testing/plans/(?P<plan>[^/]+)/selections/(?P<selection>[^/]+)$",
)
"""Paths of the API that moto does not have."""

urls.url_paths.update(dict.fromkeys(ROUTES, urls.response.dispatch))


def begin_with(**empty: Callable[[], Any]) -> Method:
    """A constructor that adds attributes which moto's class does not have."""

    def __init__(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807
        original(self, *arguments, **keywords)
        for name, make in empty.items():
            setattr(self, name, make())

    return __init__


override(BackupBackend)(begin_with(restore_testing_plans=dict))
override(Plan)(begin_with(selections=dict))
override(Vault)(begin_with(access_policy=lambda: None))


# --- Tags ------------------------------------------------------------------------------------------------------------


@override(BackupResponse)
def list_tags(_original: Method, self: Any) -> str:
    """Answer the tags of an ARN, with or without a slash after it, and with the slashes that are in it."""
    arn = unquote(self.path.split("/tags/", 1)[1]).rstrip("/")
    return json.dumps({"Tags": self.backup_backend.list_tags(resource_arn=arn)})


# --- Plans and selections --------------------------------------------------------------------------------------------


@add(BackupResponse)
def update_backup_plan(self: Any) -> str:
    """Replace the plan's document; its id and ARN stay, its version is another."""
    plan = _plan(self)
    changed = Plan(json.loads(self.body)["BackupPlan"], plan.creator_request_id, self.backup_backend)
    plan.backup_plan, plan.version_id = changed.backup_plan, changed.version_id
    plan.advanced_backup_settings = changed.advanced_backup_settings
    return json.dumps(plan.to_dict())


@override(BackupResponse)
def delete_backup_plan(original: Method, self: Any) -> str:
    """Refuse while there are selections, as AWS does."""
    if _plan(self).selections:
        raise InvalidRequestException(
            msg="Related backup plan selections must be deleted prior to backup plan deletion"
        )
    answer: str = original(self)
    return answer


@add(BackupResponse)
def create_backup_selection(self: Any) -> str:
    """Store the selection."""
    plan = _plan(self)
    document = json.loads(self.body)["BackupSelection"]
    if any(document["SelectionName"] == one["BackupSelection"]["SelectionName"] for one in plan.selections.values()):
        raise AlreadyExistsException(msg="Backup selection with the same name already exists")
    selection = {
        "SelectionId": str(uuid.uuid4()),
        "BackupPlanId": plan.backup_plan_id,
        "BackupSelection": document,
        "CreationDate": _now(),
    }
    plan.selections[selection["SelectionId"]] = selection
    return json.dumps({name: selection[name] for name in ("SelectionId", "BackupPlanId", "CreationDate")})


@add(BackupResponse)
def get_backup_selection(self: Any) -> str:
    """Answer the selection as it was sent."""
    return json.dumps(_selection(self))


@add(BackupResponse)
def list_backup_selections(self: Any) -> str:
    """Return the stored attributes of a plan."""
    listed = []
    for selection in _plan(self).selections.values():
        document = selection["BackupSelection"]
        said = {name: document[name] for name in ("SelectionName", "IamRoleArn")}
        listed.append({name: selection[name] for name in ("SelectionId", "BackupPlanId", "CreationDate")} | said)
    return json.dumps({"BackupSelectionsList": listed})


@add(BackupResponse)
def delete_backup_selection(self: Any) -> str:
    """Delete the selection."""
    del _plan(self).selections[_selection(self)["SelectionId"]]
    return "{}"


def _plan(self: Any) -> Any:
    plan_id = self.path.split("/plans/")[1].split("/")[0]
    plan = self.backup_backend.get_backup_plan(backup_plan_id=plan_id, version_id=None)
    if plan.deletion_date:
        raise ResourceNotFoundException(msg=f"Failed reading Backup plan with provided version: {plan_id}")
    return plan


def _selection(self: Any) -> dict[str, Any]:
    selection_id = self.path.rstrip("/").split("/")[-1]
    found: dict[str, dict[str, Any]] = _plan(self).selections
    if selection_id not in found:
        raise ResourceNotFoundException(msg=f"Failed reading Backup selection: {selection_id}")
    return found[selection_id]


# --- Vaults ----------------------------------------------------------------------------------------------------------


@add(BackupResponse)
def put_backup_vault_access_policy(self: Any) -> str:
    """Store the policy."""
    _vault(self).access_policy = json.loads(self.body).get("Policy")
    return "{}"


@add(BackupResponse)
def get_backup_vault_access_policy(self: Any) -> str:
    """Answer the policy as it was sent."""
    vault = _vault(self)
    if vault.access_policy is None:
        raise ResourceNotFoundException(msg=f"{vault.backup_vault_name} has no policy")
    return json.dumps(
        {
            "BackupVaultName": vault.backup_vault_name,
            "BackupVaultArn": vault.backup_vault_arn,
            "Policy": vault.access_policy,
        }
    )


@add(BackupResponse)
def delete_backup_vault_access_policy(self: Any) -> str:
    """Delete the policy."""
    _vault(self).access_policy = None
    return "{}"


def _vault(self: Any) -> Any:
    return self.backup_backend.describe_backup_vault(unquote(self.path.split("/backup-vaults/")[1].split("/")[0]))


# --- Restore tests ---------------------------------------------------------------------------------------------------


@add(BackupResponse)
def create_restore_testing_plan(self: Any) -> str:
    """Store the plan, and the tags that come with it."""
    sent = json.loads(self.body)
    document = sent["RestoreTestingPlan"]
    name = document["RestoreTestingPlanName"]
    if name in self.backup_backend.restore_testing_plans:
        raise AlreadyExistsException(msg=f"Restore testing plan {name} already exists")
    arn = f"arn:aws:backup:{self.region}:{self.current_account}:restore-testing-plan:{name}-{uuid.uuid4()}"
    self.backup_backend.restore_testing_plans[name] = {
        "RestoreTestingPlanArn": arn,
        "CreationTime": _now(),
        "document": {"ScheduleExpressionTimezone": "Etc/UTC", "StartWindowHours": 24, **document},
        "selections": {},
    }
    if sent.get("Tags"):
        self.backup_backend.tag_resource(arn, sent["Tags"])
    return json.dumps({"RestoreTestingPlanName": name, "RestoreTestingPlanArn": arn, "CreationTime": _now()})


@add(BackupResponse)
def get_restore_testing_plan(self: Any) -> str:
    """Answer the plan as it was sent."""
    return json.dumps({"RestoreTestingPlan": _described(_restore_plan(self))})


@add(BackupResponse)
def list_restore_testing_plans(self: Any) -> str:
    """Answer all of them."""
    plans = self.backup_backend.restore_testing_plans.values()
    listed = [{k: v for k, v in _described(plan).items() if k != "RecoveryPointSelection"} for plan in plans]
    return json.dumps({"RestoreTestingPlans": listed})


@add(BackupResponse)
def update_restore_testing_plan(self: Any) -> str:
    """Update the attributes that are sent."""
    plan = _restore_plan(self)
    plan["document"].update(json.loads(self.body)["RestoreTestingPlan"])
    described = _described(plan)
    answer = {name: described[name] for name in ("RestoreTestingPlanName", "RestoreTestingPlanArn", "CreationTime")}
    return json.dumps(answer | {"UpdateTime": _now()})


@add(BackupResponse)
def delete_restore_testing_plan(self: Any) -> tuple[int, dict[str, str], str]:
    """Delete the plan once it has no selection."""
    plan = _restore_plan(self)
    if plan["selections"]:
        raise InvalidRequestException(msg="The restore testing plan still has selections")
    del self.backup_backend.restore_testing_plans[plan["document"]["RestoreTestingPlanName"]]
    return 204, {}, ""


@add(BackupResponse)
def create_restore_testing_selection(self: Any) -> str:
    """Store the selection."""
    plan = _restore_plan(self)
    document = json.loads(self.body)["RestoreTestingSelection"]
    name = document["RestoreTestingSelectionName"]
    if name in plan["selections"]:
        raise AlreadyExistsException(msg=f"Restore testing selection {name} already exists")
    plan["selections"][name] = {"CreationTime": _now(), **document}
    return json.dumps(_selected(plan, name))


@add(BackupResponse)
def get_restore_testing_selection(self: Any) -> str:
    """Answer the selection as it was sent."""
    plan, name = _restore_plan(self), _restore_selection(self)
    known = {"RestoreTestingPlanName": plan["document"]["RestoreTestingPlanName"]}
    return json.dumps({"RestoreTestingSelection": known | plan["selections"][name]})


@add(BackupResponse)
def update_restore_testing_selection(self: Any) -> str:
    """Update the attributes that are sent."""
    plan, name = _restore_plan(self), _restore_selection(self)
    plan["selections"][name].update(json.loads(self.body)["RestoreTestingSelection"])
    return json.dumps(_selected(plan, name) | {"UpdateTime": _now()})


@add(BackupResponse)
def delete_restore_testing_selection(self: Any) -> tuple[int, dict[str, str], str]:
    """Delete the selection."""
    plan, name = _restore_plan(self), _restore_selection(self)
    del plan["selections"][name]
    return 204, {}, ""


def _described(plan: dict[str, Any]) -> dict[str, Any]:
    known = {name: plan[name] for name in ("RestoreTestingPlanArn", "CreationTime")}
    described: dict[str, Any] = {**plan["document"], **known}
    return described


def _selected(plan: dict[str, Any], name: str) -> dict[str, Any]:
    described = _described(plan)
    known = {part: described[part] for part in ("RestoreTestingPlanName", "RestoreTestingPlanArn")}
    return {**known, "RestoreTestingSelectionName": name, "CreationTime": plan["selections"][name]["CreationTime"]}


def _restore_plan(self: Any) -> dict[str, Any]:
    name = self.path.split("/plans/")[1].split("/")[0]
    plans: dict[str, dict[str, Any]] = self.backup_backend.restore_testing_plans
    if name not in plans:
        raise ResourceNotFoundException(msg=f"Restore testing plan {name} not found")
    return plans[name]


def _restore_selection(self: Any) -> str:
    name = str(self.path.split("/selections/")[1].rstrip("/"))
    if name not in _restore_plan(self)["selections"]:
        raise ResourceNotFoundException(msg=f"Restore testing selection {name} not found")
    return name


def _now() -> float:
    return datetime.now(UTC).timestamp()
