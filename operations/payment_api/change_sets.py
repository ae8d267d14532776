"""Change sets of the payment API's stacks: prepared, described, and exactly these executed, or given up.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from operations.outcome import Refused
from operations.payment_api.cdk import Cdk, Stack

Connect = Callable[[str, str], Any]
"""A client for a service in a region."""
NO_CHANGES = ("The submitted information didn't contain changes.", "No updates are to be performed.")
"""Why CloudFormation fails a change set that would change nothing."""
AVAILABLE = "AVAILABLE"
EXECUTED = "EXECUTE_"
NEW = "REVIEW_IN_PROGRESS"
"""The state of a stack that has a change set and nothing else: it holds no resource."""
FOR_REVIEW = "for-review"
"""The name of those that wait for an approval: newer ones take the place of those before."""


class Action(StrEnum):
    """What happens to a resource, in the order of the page."""

    REPLACE = "replace"
    PERHAPS_REPLACE = "perhaps replace"
    REMOVE = "remove"
    IMPORT = "import"
    UNCERTAIN = "uncertain"
    MODIFY = "modify"
    ADD = "add"


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of one resource; ``before`` and ``after`` are its attributes, None where it does not exist."""

    resource: str
    type: str
    action: Action
    then: str
    """What becomes of the old one where it is removed or replaced: Delete, Retain, Snapshot; empty otherwise."""
    because: tuple[str, ...]
    """The properties that replace it."""
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class ChangeSet:
    """A change set as CloudFormation describes it."""

    stack: Stack
    arn: str
    execution: str
    """The execution status: AVAILABLE if it can be executed."""
    changes: tuple[Change, ...]
    template: Any
    was_protected: bool
    """Whether the stack is protected from termination now."""


def deployed_protection(connect: Connect, stack: Stack) -> bool:
    """Whether a stack is protected from termination; one that does not exist is not."""
    found = _described(connect, stack)
    return bool(found and found.get("EnableTerminationProtection"))


@contextmanager
def prepared(cdk: Cdk, connect: Connect) -> Iterator[list[ChangeSet]]:
    """The change sets of the synthesized stacks that would change; what is not executed in the block is given up."""
    name = f"deploy-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    try:
        yield prepare(cdk, connect, name)
    finally:
        for stack in cdk.stacks():
            give_up(connect, stack, name)


def prepare(cdk: Cdk, connect: Connect, name: str) -> list[ChangeSet]:
    """Make change sets of this name, and describe those that would change anything.

    Raises:
        Failed: the CDK's CLI, or CloudFormation, has failed to.
    """
    every = cdk.stacks()
    cdk.prepare(name, {one.name: deployed_protection(connect, one) for one in every})
    found = [described(connect, one, name) for one in every]
    for one in found:
        if not one.execution:
            give_up(connect, one.stack, name)
    return [one for one in found if one.execution]


def execute(cdk: Cdk, change_sets: Sequence[ChangeSet]) -> None:
    """Execute exactly these, one after the other, and watch each until it has ended. Raises as Cdk.run does."""
    for one in change_sets:
        cdk.execute(one.stack, one.arn)


def described(connect: Connect, stack: Stack, name: str) -> ChangeSet:
    """A change set by its name or ARN; of one that would change nothing ``execution`` is empty.

    Raises:
        Refused: it does not exist any more, or its creation has failed.
    """
    client = connect("cloudformation", stack.region)
    pages = client.get_paginator("describe_change_set")
    try:
        found = list(pages.paginate(StackName=stack.name, ChangeSetName=name, IncludePropertyValues=True))
    except ClientError as error:
        if error.response["Error"].get("Code") in ("ChangeSetNotFound", "ValidationError"):
            raise Refused(f"{stack.name} has no change set {name} any more; prepare another one") from error
        raise
    first, changes = found[0], [change for page in found for change in page.get("Changes", [])]
    reason = first.get("StatusReason", "")
    empty = first["Status"] == "FAILED" and reason.startswith(NO_CHANGES)
    if first["Status"] == "FAILED" and not empty:
        raise Refused(f"{stack.name}: CloudFormation made no change set: {reason}")
    arn = first["ChangeSetId"]
    return ChangeSet(
        stack=stack,
        arn=arn,
        execution="" if empty else first["ExecutionStatus"],
        changes=tuple(_change(one["ResourceChange"]) for one in changes),
        template=_template(client, stack, arn),
        was_protected=deployed_protection(connect, stack),
    )


def refuse_stale(change_sets: Sequence[ChangeSet]) -> None:
    """Make sure that CloudFormation would execute them.

    Raises:
        Refused: one is obsolete, as its stack has changed since, is being executed, or was.
    """
    for one in change_sets:
        if one.execution != AVAILABLE:
            why = ": the stack has changed since" if one.execution == "OBSOLETE" else ""
            raise Refused(f"the change set {one.arn} of {one.stack.name} is {one.execution}{why}; prepare another one")


def give_up(connect: Connect, stack: Stack, name: str) -> None:
    """Delete a change set that was not executed, if there is one, and the stack that was made only for it."""
    client, found = connect("cloudformation", stack.region), _described(connect, stack)
    if found is None:
        return
    pages = client.get_paginator("list_change_sets").paginate(StackName=stack.name)
    left = {one["ChangeSetName"]: one["ExecutionStatus"] for page in pages for one in page["Summaries"]}
    if found["StackStatus"] == NEW and left.keys() <= {name}:
        client.delete_stack(StackName=stack.name)
    elif name in left and not left[name].startswith(EXECUTED):
        client.delete_change_set(StackName=stack.name, ChangeSetName=name)


def outputs(connect: Connect, stacks: Sequence[Stack]) -> dict[str, dict[str, str]]:
    """The outputs of the stacks as they are deployed, by stack."""
    found = {}
    for stack in stacks:
        described = _described(connect, stack) or {}
        found[stack.name] = {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}
    return found


def _described(connect: Connect, stack: Stack) -> dict[str, Any] | None:
    client = connect("cloudformation", stack.region)
    try:
        return dict(client.describe_stacks(StackName=stack.name)["Stacks"][0])
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None


def _template(client: Any, stack: Stack, arn: str) -> Any:
    """The template of a change set; as text where it is not JSON, as the CLI sends one that it does not upload."""
    body = client.get_template(StackName=stack.name, ChangeSetName=arn, TemplateStage="Original")["TemplateBody"]
    if not isinstance(body, str):
        return body
    try:
        return json.loads(body)
    except ValueError:
        return body


def _change(change: dict[str, Any]) -> Change:
    details = [one["Target"] for one in change.get("Details", [])]
    forced = {one.get("Name", one["Attribute"]) for one in details if one.get("RequiresRecreation", "Never") != "Never"}
    action = _action(change)
    return Change(
        resource=change["LogicalResourceId"],
        type=change["ResourceType"],
        action=action,
        then=change.get("PolicyAction", "").removeprefix("ReplaceAnd"),
        because=tuple(sorted(forced)) if action in (Action.REPLACE, Action.PERHAPS_REPLACE) else (),
        before=_context(change, "BeforeContext"),
        after=_context(change, "AfterContext"),
    )


def _action(change: dict[str, Any]) -> Action:
    if change["Action"] == "Modify":
        replaced = {"True": Action.REPLACE, "Conditional": Action.PERHAPS_REPLACE}
        return replaced.get(change.get("Replacement", "False"), Action.MODIFY)
    known = {"Add": Action.ADD, "Remove": Action.REMOVE, "Import": Action.IMPORT, "SyncWithActual": Action.MODIFY}
    return known.get(change["Action"], Action.UNCERTAIN)


def _context(change: dict[str, Any], name: str) -> Any:
    return json.loads(change[name]) if change.get(name) else None
