"""Deletions that AWS refuses while something is in use are refused here, and no others.

A law over the stack: for each resource type that another's attribute refers to, either the refusal is tried, or AWS's
model says that the deletion succeeds.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import botocore.session
import pytest
from botocore.exceptions import ClientError

from emulator.process import Server
from tests.emulator.in_use import edge, networks, parts_of_networks, services, storage
from tests.emulator.in_use.refusals import REFUSALS, Refusal, World
from tests.emulator.in_use.table import ALLOWED, NOTHING, REPRESENTED_BY, Allowed
from tests.synthesized import ADDRESS, Synthesized

pytestmark = pytest.mark.requirement("W8.2")

assert all((edge, networks, parts_of_networks, services, storage))  # each registers its refusals
META = ("//", "depends_on", "lifecycle", "provider")
IN_USE = re.compile("InUse|Conflict|Contains|NotEmpty|Associated|InvalidState|StateFault")
COMMON_ERRORS = {
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html
    ("events:DeleteRule", "ValidationException"),
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
    ("cloudwatch:DeleteAlarms", "ValidationError"),
}
"""Errors that any operation of the service may have, so that the model of none names them."""
SECONDS_OF_PATIENCE = 60.0


@pytest.fixture
def world(aws: Server) -> Iterator[World]:
    made = World(aws)
    yield made
    made.set_back()


def refusal_of(delete: Callable[[], object]) -> tuple[str, str, int]:
    """Operation, code and status of the error that a deletion gives; it must give one."""
    with pytest.raises(ClientError) as raised:
        delete()
    answer = raised.value.response
    return raised.value.operation_name, answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def delete_with_patience(delete: Callable[[], object], code: str) -> None:
    """What Lambda holds becomes free minutes after the function: as AWS's clients do, ask again."""
    last = time.monotonic() + SECONDS_OF_PATIENCE
    while True:
        try:
            delete()
        except ClientError as error:
            if error.response["Error"]["Code"] != code or time.monotonic() > last:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_deletion_is_refused_as_aws_refuses_it_until_the_use_ends(refusal: Refusal, world: World) -> None:
    use = refusal.make(world)
    operation = refusal.operation.partition(":")[2]
    assert refusal_of(use.delete) == (operation, refusal.code, refusal.status)
    use.end()
    delete_with_patience(use.delete, refusal.code)


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_refusal_is_an_error_of_the_operation_in_awss_model(refusal: Refusal) -> None:
    if refusal.operation.partition(":")[0] in {"ec2", "s3"}:
        return  # their models have no errors; the files name their pages
    if (refusal.operation, refusal.code) in COMMON_ERRORS:
        return
    statuses = {
        error.get("code", name): error.get("httpStatusCode", 400)
        for name, error in errors_of(refusal.operation).items()
    }
    assert statuses[refusal.code] == refusal.status


@pytest.mark.parametrize("type_", ALLOWED)
def test_deletion_that_is_not_refused_is_so_in_awss_model(type_: str) -> None:
    allowed: Allowed = ALLOWED[type_]
    if allowed.says:
        assert allowed.says in documentation_of(allowed.operation)
    else:
        assert [name for name in errors_of(allowed.operation) if IN_USE.search(name)] == []


def test_each_reference_of_the_stack_is_tried_or_known_not_to_hold(platform: Synthesized) -> None:
    tried, held = users_by_refusal(), users_in(platform)
    assert held
    unknown = []
    for type_, users in held.items():
        if type_ in NOTHING:
            continue
        allowed = ALLOWED.get(type_)
        if allowed and not allowed.by:
            continue
        unknown += [(type_, user) for user in users - tried[type_] - set(allowed.by if allowed else ())]
    assert sorted(unknown) == []


def test_nothing_is_listed_that_the_stack_does_not_have(platform: Synthesized) -> None:
    held = users_in(platform)
    stale = [type_ for type_ in (*ALLOWED, *NOTHING) if type_ not in held]
    stale += [f"{type_} {user}" for type_, one in ALLOWED.items() for user in one.by if user not in held[type_]]
    assert stale == []


def test_what_never_holds_is_not_tried_as_a_refusal() -> None:
    tried = users_by_refusal()
    assert [f"{type_} {user}" for type_, one in ALLOWED.items() for user in one.by if user in tried[type_]] == []


def users_by_refusal() -> dict[str, set[str]]:
    """By type those that hold it, as tried."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in REFUSALS:
        found[one.type] |= set(one.by)
    return found


def users_in(platform: Synthesized) -> dict[str, set[str]]:
    """By resource type the types of which an attribute refers to it."""
    found: dict[str, set[str]] = defaultdict(set)
    for type_, blocks in platform.configuration["resource"].items():
        for block in blocks.values():
            attributes = {name: value for name, value in block.items() if name not in META}
            for referred in types_in(attributes):
                found[REPRESENTED_BY.get(referred, referred)].add(type_)
    return found


def types_in(value: object) -> Iterator[str]:
    """The types of the resources that a value refers to, however deep and in whatever expression."""
    if isinstance(value, str):
        addresses = ADDRESS.findall(value)
        yield from (one.partition(".")[0] for one in addresses if one.startswith("aws_"))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from types_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from types_in(inner)


def errors_of(operation: str) -> dict[str, dict[str, object]]:
    """The errors of an operation in its model, with what the model says of their code and status."""
    return {one.name: one.metadata.get("error") or {} for one in _model(operation).error_shapes}


def documentation_of(operation: str) -> str:
    """The operation's documentation in its model, without markup."""
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", "", _model(operation).documentation))


def _model(operation: str) -> botocore.model.OperationModel:
    service, _, name = operation.partition(":")
    return botocore.session.get_session().get_service_model(service).operation_model(name)
