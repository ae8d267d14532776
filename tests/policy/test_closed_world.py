"""The closed world: all that the shipped environments have is said in the tables, and all that is said is there."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from policy.closed_world import law, permissions
from policy.closed_world.resources import Resource
from policy.closed_world.table import Rule, Type, expanded
from policy.closed_world.terms import Terms, UnknownTermError, terms_of_settings
from policy.closed_world.worlds import permissions_of, platform_problems, types_of
from settings import Settings, load
from tests.synthesized import Synthesized, synthesize

QUEUE = Type(("{primary,recovery}/queue",), {"days": Rule({"primary/*": 14, "recovery/* if protected": "{days}"})})
TERMS = Terms({"protected": True, "days": 7})


def test_rehearsal_is_what_the_tables_say(platform: Synthesized, local_settings: Settings) -> None:
    assert platform.resources("aws_sqs_queue")
    assert platform_problems(platform.configuration, local_settings.model_dump()) == []


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_shipped_environment_is_what_the_tables_say(environment: str) -> None:
    settings = load(environment)
    found = synthesize(settings)
    assert found.resources("aws_sqs_queue")
    assert platform_problems(found.configuration, settings.model_dump()) == []


def test_each_table_is_used(platform: Synthesized) -> None:
    """An attribute that no resource of any shipped environment can have would be a rule about nothing."""
    terms = [terms_of_settings(load(name).model_dump()) for name in ("local", "staging", "production")]
    for name, type_ in types_of("platform").items():
        assert any(type_.expected(one) for one in terms), name
    assert len(types_of("platform")) > 100
    assert len(permissions_of("platform")) > 50
    assert platform.blocks


def problems(*resources: Resource) -> list[str]:
    return list(law.ClosedWorld({"queue": QUEUE}, {}, TERMS).problems(resources))


def queue(path: str, **attributes: Any) -> Resource:
    return Resource(type="queue", path=path, attributes=attributes)


def test_what_the_table_says_is_no_problem() -> None:
    assert problems(queue("primary/queue", days=14), queue("recovery/queue", days=7)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (queue("primary/queue", days=15), "days is 15, not 14"),
        (queue("primary/queue"), "days is not there, not 14"),
        (queue("primary/queue", days=True), "days is True, not 14"),
        (queue("primary/queue", days=14, open=True), "open is True, of which no table knows"),
        (queue("primary/another", days=14), "no table names it"),
    ],
)
def test_what_differs_is_said(changed: Resource, said: str) -> None:
    assert any(said in line for line in problems(changed, queue("recovery/queue", days=7)))


def test_resource_that_is_missing_or_there_twice_is_said() -> None:
    one = queue("primary/queue", days=14)
    assert problems(one) == ["queue recovery/queue: it is not there"]
    assert problems(one, one, queue("recovery/queue", days=7)) == ["queue: two resources have one construct path"]


def test_type_of_no_table_is_said() -> None:
    assert "access_key: no table says what it is" in problems(Resource(type="access_key", path="x", attributes={}))


def test_attribute_that_no_condition_allows_may_not_be_there() -> None:
    terms = Terms({"protected": False, "days": 7})
    found = law.attributes(queue("recovery/queue", days=7), QUEUE, terms)
    assert list(found) == ["queue recovery/queue: days is 7, not not there"]


def test_term_that_no_environment_has_is_refused() -> None:
    with pytest.raises(UnknownTermError, match="another"):
        TERMS.fill("{another}")
    with pytest.raises(UnknownTermError, match="another"):
        TERMS.holds("another = 1")


def test_pattern_names_each_choice() -> None:
    assert list(expanded("serving/{a,b}/x")) == ["primary/a/x", "primary/b/x", "recovery/a/x", "recovery/b/x"]


STATEMENT: dict[str, Any] = {
    "effect": "Allow",
    "actions": ["kms:Decrypt", "kms:Encrypt"],
    "resources": ["key"],
    "condition": [{"test": "StringEquals", "variable": "aws:SourceAccount", "values": ["1"]}],
}
TABLE = {
    "primary/role": [
        {"allow": ["kms:Encrypt"], "on": ["key"], "when": ["aws:SourceAccount StringEquals {account}"]},
        {"allow": ["kms:Decrypt"], "on": ["key"], "when": ["aws:SourceAccount StringEquals {account}"]},
    ]
}


def meaning(*statements: dict[str, Any]) -> list[str]:
    role = Resource(type="document", path="primary/role", attributes={}, statements={"statement": list(statements)})
    return list(permissions.problems(role, permissions.expected(TABLE, Terms({"account": "1"}))))


def test_how_statements_are_cut_means_nothing() -> None:
    assert meaning(STATEMENT) == []
    assert meaning(STATEMENT | {"actions": ["kms:Decrypt"]}, STATEMENT | {"actions": ["kms:Encrypt"]}) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"actions": ["kms:Decrypt", "kms:Encrypt", "kms:*"]},
        {"actions": ["kms:Decrypt"]},
        {"resources": ["*"]},
        {"condition": []},
        {"condition": [{"test": "StringLike", "variable": "aws:SourceAccount", "values": ["1"]}]},
        {"condition": [{"test": "StringEquals", "variable": "aws:SourceAccount", "values": ["1", "2"]}]},
        {"principals": [{"type": "AWS", "identifiers": ["*"]}]},
        {"effect": "Deny"},
        {"actions": [], "not_actions": ["kms:Decrypt"]},
    ],
)
def test_change_of_a_statement_is_said(changed: dict[str, Any]) -> None:
    assert meaning(copy.deepcopy(STATEMENT) | changed)


def test_document_of_no_table_is_said() -> None:
    role = Resource(type="document", path="x/y", attributes={}, statements={"statement": [STATEMENT]})
    assert any(line.startswith("x/y: no table has") for line in permissions.problems(role, {}))


def test_document_that_is_missing_is_said() -> None:
    wanted = permissions.expected(TABLE, Terms({"account": "1"}))
    assert list(law.ClosedWorld({}, wanted, TERMS).problems([])) == ["primary/role: it is not there"]


def test_digest_is_some_digest() -> None:
    code = Type(("x/code",), {"hash": Rule({"*": "{digest}"})})
    terms = TERMS.of("x/code")
    for value, right in (("EyS8JNykhO1w7Exedm6HDpjXWAOxADcT6V0zElq65Tc=", True), ("none", False), ("", False)):
        found = list(law.attributes(Resource(type="code", path="x/code", attributes={"hash": value}), code, terms))
        assert (found == []) is right, value
