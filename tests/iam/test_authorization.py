"""Authorization by all policies that have a say, against AWS's documented rules for one account."""

from __future__ import annotations

from typing import Any

import pytest

from iam.authorization import (
    BOUNDARY,
    ENDPOINT,
    IDENTITY,
    RESOURCE,
    SESSION,
    Document,
    Grant,
    Policies,
    authorize,
    needed,
)
from iam.evaluation import Decision, Request, evaluate

pytestmark = pytest.mark.requirement("W4.3")

ACCOUNT = "123456789012"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/payments-web-local"
TASK_SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/payments-web-local/task"
KEY = f"arn:aws:kms:us-east-2:{ACCOUNT}:key/one"
SECRET = f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:database-A1b2C3"


def document(name: str, effect: str = "Allow", action: str = "*", **elements: Any) -> Document:
    statement = {"Sid": "Only", "Effect": effect, "Action": action, "Resource": "*", **elements}
    return Document(name=name, document={"Version": "2012-10-17", "Statement": [statement]})


def request(action: str = "secretsmanager:GetSecretValue", resource: str = SECRET, **context: str) -> Request:
    return Request(action=action, resource=resource, principal=TASK_SESSION, role=ROLE, context=context)


ALLOWED = document("allowing")
OTHER = document("of something else", action="s3:*")
NAMES_ROLE = document("resource", Principal={"AWS": ROLE})
NAMES_SESSION = document("resource", Principal={"AWS": TASK_SESSION})
NAMES_ACCOUNT = document("resource", Principal={"AWS": ROOT})


@pytest.mark.parametrize(
    ("policies", "refused_by"),
    [
        pytest.param(Policies(), IDENTITY, id="nothing-allows"),
        pytest.param(Policies(identity=(OTHER, ALLOWED)), "", id="one-identity-policy-allows"),
        pytest.param(Policies(identity=(ALLOWED,), boundary=ALLOWED), "", id="boundary-allows"),
        pytest.param(Policies(identity=(ALLOWED,), boundary=OTHER), BOUNDARY, id="boundary-does-not-allow"),
        pytest.param(Policies(identity=(ALLOWED,), session=OTHER), SESSION, id="session-policy-does-not-allow"),
        pytest.param(Policies(boundary=ALLOWED), IDENTITY, id="a-boundary-grants-nothing"),
        pytest.param(Policies(resource=NAMES_ROLE), "", id="resource-policy-names-the-role"),
        pytest.param(Policies(resource=NAMES_ROLE, boundary=OTHER), BOUNDARY, id="boundary-bounds-the-named-role"),
        pytest.param(Policies(resource=NAMES_SESSION, boundary=OTHER), "", id="the-named-session-is-not-bounded"),
        pytest.param(Policies(resource=NAMES_ACCOUNT), IDENTITY, id="resource-policy-leaves-it-to-the-account"),
        pytest.param(Policies(resource=NAMES_ACCOUNT, identity=(ALLOWED,)), "", id="account-and-identity"),
        pytest.param(Policies(identity=(ALLOWED,), endpoint=OTHER), ENDPOINT, id="endpoint-does-not-allow"),
        pytest.param(Policies(resource=NAMES_SESSION, endpoint=OTHER), ENDPOINT, id="endpoint-bounds-a-session-too"),
        pytest.param(Policies(identity=(ALLOWED,), endpoint=ALLOWED), "", id="endpoint-allows"),
    ],
)
def test_policies_of_each_kind_bound_or_grant_as_documented(policies: Policies, refused_by: str) -> None:
    verdict = authorize(request(), policies)

    assert verdict.refused_by == refused_by
    assert verdict.is_allowed is (refused_by == "")
    assert not verdict.denied


@pytest.mark.parametrize("kind", ["identity", "boundary", "session", "resource", "endpoint"])
def test_explicit_deny_in_any_policy_refuses(kind: str) -> None:
    everything = dict.fromkeys(("boundary", "session", "endpoint"), ALLOWED)
    denies = document("denying", effect="Deny", **({"Principal": "*"} if kind == "resource" else {}))
    policies: dict[str, Any] = {"identity": (ALLOWED,), "resource": NAMES_SESSION, **everything}
    assert authorize(request(), Policies(**policies)).is_allowed

    policies[kind] = (ALLOWED, denies) if kind == "identity" else denies
    verdict = authorize(request(), Policies(**policies))

    assert verdict.denied
    assert "statement Only denies" in verdict.missing
    assert f"with an explicit deny in a{'n' if kind == 'identity' else ''} " in verdict.message


@pytest.mark.parametrize(
    ("key_policy", "identity", "refused_by"),
    [
        pytest.param(None, (ALLOWED,), RESOURCE, id="no-key-policy"),
        pytest.param(NAMES_ACCOUNT, (ALLOWED,), "", id="key-policy-leaves-it-to-the-account"),
        pytest.param(NAMES_ACCOUNT, (), IDENTITY, id="account-alone"),
        pytest.param(NAMES_ROLE, (), "", id="key-policy-names-the-role"),
        pytest.param(document("key", Principal={"AWS": "arn:aws:iam::123456789012:role/x"}), (ALLOWED,), RESOURCE),
    ],
)
def test_key_is_used_only_where_its_own_policy_allows(
    key_policy: Document | None, identity: tuple[Document, ...], refused_by: str
) -> None:
    policies = Policies(resource=key_policy, must_name=True, identity=identity)
    assert authorize(request("kms:Decrypt", KEY), policies).refused_by == refused_by


def test_grant_allows_its_operations_under_its_encryption_context_only() -> None:
    context = {"kms:EncryptionContext:SecretARN": SECRET}
    grant = Grant(name="one", grantee=ROLE, actions=("kms:Decrypt",), context=context)
    policies = Policies(must_name=True, grants=(grant,))

    assert authorize(request("kms:Decrypt", KEY, **context), policies).is_allowed
    assert not authorize(request("kms:Decrypt", KEY), policies).is_allowed
    assert not authorize(request("kms:Encrypt", KEY, **context), policies).is_allowed


def test_service_is_allowed_by_the_resources_policy_alone() -> None:
    to_queue = Request(action="sqs:SendMessage", resource="queue", principal="events.amazonaws.com")
    named = document("queue", Principal={"Service": "events.amazonaws.com"})

    assert authorize(to_queue, Policies(resource=named)).is_allowed
    assert authorize(to_queue, Policies(identity=(ALLOWED,))).refused_by == RESOURCE
    assert authorize(to_queue, Policies(resource=NAMES_ACCOUNT)).refused_by == RESOURCE


def test_refusal_names_the_kind_of_policy_and_the_missing_statement() -> None:
    verdict = authorize(request(), Policies(identity=(OTHER,)))

    assert verdict.message == (
        f"User: {TASK_SESSION} is not authorized to perform: secretsmanager:GetSecretValue on resource: {SECRET} "
        "because no identity-based policy allows the secretsmanager:GetSecretValue action"
    )
    assert verdict.missing.startswith(f"a statement in the identity-based policy: Allow {verdict.request.action}")


@pytest.mark.parametrize(
    ("condition", "context", "decision"),
    [
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["a"]}, Decision.ALLOW),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["a", "c"]}, Decision.SILENT),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, Decision.ALLOW),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ["a", "c"]}, Decision.ALLOW),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, Decision.SILENT),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, Decision.ALLOW),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": "b"}, Decision.SILENT),
        ({"ArnLike": {"k": "arn:aws:iam::*:role/x"}}, {"k": "arn:aws:iam::1:2:role/x"}, Decision.SILENT),
        ({"ArnLike": {"k": "arn:aws:iam::*:role/*"}}, {"k": "arn:aws:iam::1:role/a/b"}, Decision.ALLOW),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "10.1.2.3"}, Decision.ALLOW),
        ({"StringEquals": {"k": "${aws:PrincipalTag/team}"}}, {"k": "x", "aws:PrincipalTag/team": "x"}, Decision.ALLOW),
        ({"StringEquals": {"k": "${aws:PrincipalTag/team}"}}, {"k": "${aws:PrincipalTag/team}"}, Decision.SILENT),
        ({"StringEquals": {"AWS:requestedregion": "r"}}, {"aws:RequestedRegion": "r"}, Decision.ALLOW),
    ],
)
def test_conditions_hold_as_iam_documents_them(
    condition: dict[str, Any], context: dict[str, Any], decision: Decision
) -> None:
    one = document("conditional", Condition=condition).document
    assert evaluate(one, Request(action="s3:GetObject", resource="x", principal=ROLE, context=context)) is decision


def test_not_action_and_single_statements_are_read_as_aws_does() -> None:
    statement = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert evaluate({"Statement": statement}, request()) is Decision.ALLOW
    assert evaluate({"Statement": statement}, request("iam:PassRole")) is Decision.SILENT


def needed_of(policies: Policies, asked: Request) -> set[tuple[str, str, str]]:
    verdict = authorize(asked, policies)
    assert verdict.is_allowed
    return {(one.kind, one.document, one.name) for one in needed(verdict, policies)}


@pytest.mark.requirement("W8.4")
def test_statement_of_each_layer_that_must_allow_is_needed() -> None:
    policies = Policies(
        identity=(OTHER, ALLOWED), boundary=ALLOWED, session=ALLOWED, endpoint=document("endpoint", Principal="*")
    )
    assert needed_of(policies, request()) == {
        (IDENTITY, "allowing", "Only"),
        (BOUNDARY, "allowing", "Only"),
        (SESSION, "allowing", "Only"),
        (ENDPOINT, "endpoint", "Only"),
    }


@pytest.mark.requirement("W8.4")
@pytest.mark.parametrize(
    "policies",
    [
        pytest.param(Policies(identity=(ALLOWED, document("as well"))), id="two-identity-policies"),
        pytest.param(Policies(identity=(ALLOWED,), resource=NAMES_ROLE), id="role-and-resource"),
    ],
)
def test_statement_beside_another_that_suffices_is_not_needed(policies: Policies) -> None:
    assert needed_of(policies, request()) == set()


@pytest.mark.requirement("W8.4")
def test_statement_without_a_sid_is_named_by_its_place() -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    only = Document(name="own", document={"Statement": [{**statement, "Action": "s3:*"}, statement]})
    assert needed_of(Policies(identity=(only,)), request()) == {(IDENTITY, "own", "statement 1")}


@pytest.mark.requirement("W8.4")
def test_grant_that_alone_allows_the_use_of_a_key_is_needed() -> None:
    grant = Grant(name="one", grantee=ROLE, actions=("kms:Decrypt",), context={})
    policies = Policies(grants=(grant,), resource=document("key", action="s3:*"), must_name=True)
    assert needed_of(policies, request("kms:Decrypt", KEY)) == {("grant", "one", "statement 0")}
