"""Authorization of a request: the decision by all policies that apply, and the missing permission if it is denied.

Within one account, as AWS documents it: an explicit deny in any policy denies; the policy of the VPC endpoint, if any,
must allow; a permissions boundary and a session policy limit identity-based policies; a resource-based policy that
names the caller itself allows alone. Where a resource's own policy must allow (a KMS key, a role that is assumed),
identity-based policies count only if that policy delegates to the account.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html
https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html (the messages)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iam.evaluation import Decision, Request, applying, evaluate, numbered, principal_names, statements_of

IDENTITY = "identity-based policy"
BOUNDARY = "permissions boundary"
SESSION = "session policy"
RESOURCE = "resource-based policy"
ENDPOINT = "VPC endpoint policy"
GRANT = "grant"


@dataclass(frozen=True, kw_only=True)
class Document:
    """A policy document, and the name by which a reader finds it."""

    name: str
    document: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A grant of a KMS key: grantee, operations, encryption context.

    ``context`` has condition keys (``kms:EncryptionContext:NAME``) that the request must carry with these values.
    """

    name: str
    grantee: str
    actions: tuple[str, ...]
    context: Mapping[str, str]

    def allows(self, request: Request) -> bool:
        """Whether the grant allows a request on its key."""
        return (
            self.grantee in request.names
            and request.action in self.actions
            and all(request.context.get(key) == value for key, value in self.context.items())
        )


@dataclass(frozen=True, kw_only=True)
class Policies:
    """All policies that apply to a request.

    ``must_name``: the resource's own policy has to allow, as a key's policy or a role's trust policy must.
    ``endpoint`` is the policy of the VPC endpoint that the request uses; None without one.
    """

    identity: tuple[Document, ...] = ()
    boundary: Document | None = None
    session: Document | None = None
    resource: Document | None = None
    must_name: bool = False
    grants: tuple[Grant, ...] = ()
    endpoint: Document | None = None

    def by_kind(self) -> Iterator[tuple[str, Document]]:
        """Each document, with its kind."""
        if self.endpoint:
            yield ENDPOINT, self.endpoint
        if self.resource:
            yield RESOURCE, self.resource
        for one in self.identity:
            yield IDENTITY, one
        if self.boundary:
            yield BOUNDARY, self.boundary
        if self.session:
            yield SESSION, self.session


@dataclass(frozen=True, kw_only=True)
class Said:
    """A statement that applied: of which document, of which kind, its Sid, and its place in the document from 0."""

    kind: str
    document: str
    sid: str
    effect: str
    place: int = 0

    @property
    def name(self) -> str:
        """The name of the statement within its document: the Sid, or the place of one that has none."""
        return name_of(self.sid, self.place)

    def __str__(self) -> str:
        verb = "allows" if self.effect == "Allow" else "denies"
        return f"{self.kind} {self.document}: statement {self.sid or 'without a Sid'} {verb}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision: ``refused_by`` is the kind of policy that refuses, empty where the request is allowed."""

    request: Request
    refused_by: str
    denied: bool
    said: tuple[Said, ...]

    @property
    def is_allowed(self) -> bool:
        """Whether the request is allowed."""
        return not self.refused_by

    @property
    def message(self) -> str:
        """The refusal in AWS's own words."""
        asked = self.request
        because = (
            f"with an explicit deny in {_with_article(self.refused_by)}"
            if self.denied
            else f"because no {self.refused_by} allows the {asked.action} action"
        )
        on = "" if asked.resource == "*" else f" on resource: {asked.resource}"
        return f"User: {asked.principal} is not authorized to perform: {asked.action}{on} {because}"

    @property
    def missing(self) -> str:
        """The required change, in words."""
        asked = self.request
        if self.denied:
            denials = [str(one) for one in self.said if one.effect == "Deny"]
            return f"{asked.action} on {asked.resource} is denied: {'; '.join(denials)}"
        carried = ", ".join(f"{key}={value}" for key, value in sorted(asked.context.items()))
        return f"a statement in the {self.refused_by}: Allow {asked.action} on {asked.resource} (sent: {carried})"


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def name_of(sid: str, place: int) -> str:
    """The name of a statement within its document: its Sid, or its place (from 0) where it has none."""
    return sid or f"statement {place}"


def needed(verdict: Verdict, policies: Policies) -> frozenset[Said]:
    """Those of the statements that allow a request without which it would be refused.

    Args:
        verdict: that allows the request.
        policies: those that decided on it.
    """
    return frozenset(
        one
        for one in verdict.said
        if one.effect == "Allow" and not authorize(verdict.request, without(policies, one)).is_allowed
    )


def without(policies: Policies, said: Said) -> Policies:
    """The same policies, less one statement, or less a grant."""
    if said.kind == GRANT:
        return replace(policies, grants=tuple(one for one in policies.grants if one.name != said.document))

    def less(one: Document | None, kind: str) -> Document | None:
        return _less(one, said.place) if one and (kind, one.name) == (said.kind, said.document) else one

    return replace(
        policies,
        identity=tuple(found for one in policies.identity if (found := less(one, IDENTITY))),
        boundary=less(policies.boundary, BOUNDARY),
        session=less(policies.session, SESSION),
        resource=less(policies.resource, RESOURCE),
        endpoint=less(policies.endpoint, ENDPOINT),
    )


def places_of(one: Document, names: Collection[str]) -> list[int]:
    """The places of the statements of a document that have one of these names."""
    found = enumerate(statements_of(one.document))
    return [place for place, statement in found if name_of(statement.get("Sid", ""), place) in names]


def _less(one: Document, place: int) -> Document:
    kept = [statement for at, statement in enumerate(statements_of(one.document)) if at != place]
    return Document(name=one.name, document={**one.document, "Statement": kept})


def authorize(request: Request, policies: Policies) -> Verdict:
    """Decide on a request by all policies that apply.

    Raises:
        LookupError: for an element or a condition operator of a policy that is not known here.
    """
    said = tuple(_said(request, policies))
    denial = next((one.kind for one in said if one.effect == "Deny"), "")
    refused_by = denial or _not_allowed(request, policies)
    return Verdict(request=request, refused_by=refused_by, denied=bool(denial), said=said)


def _said(request: Request, policies: Policies) -> Iterator[Said]:
    for kind, one in policies.by_kind():
        for place, statement in numbered(one.document, request):
            sid = statement.get("Sid", "")
            yield Said(kind=kind, document=one.name, sid=sid, effect=statement["Effect"], place=place)
    for grant in policies.grants:
        if grant.allows(request):
            yield Said(kind=GRANT, document=grant.name, sid="", effect="Allow")


def _not_allowed(request: Request, policies: Policies) -> str:
    """The kind of policy that does not allow the request; empty where all that must do. Nothing denies it."""
    if policies.endpoint and not _allows(policies.endpoint, request):
        return ENDPOINT
    if any(grant.allows(request) for grant in policies.grants):
        return ""
    if not request.account:  # a service: only the resource's own policy speaks of it
        return "" if _allows(policies.resource, request) else RESOURCE
    return _not_allowed_to_caller(request, policies)


def _not_allowed_to_caller(request: Request, policies: Policies) -> str:
    named = _most_direct(policies.resource, request)
    if named == request.principal and request.role:
        return ""  # the session itself: nothing else bounds it
    layers: list[tuple[str, tuple[Document, ...]]]
    layers = [(kind, (one,)) for kind, one in ((BOUNDARY, policies.boundary), (SESSION, policies.session)) if one]
    if not named:
        layers.insert(0, (IDENTITY, policies.identity))
        if policies.must_name:
            layers.insert(0, (RESOURCE, (policies.resource,) if policies.resource else ()))
    return next((kind for kind, ones in layers if not any(_allows(one, request) for one in ones)), "")


def _allows(one: Document | None, request: Request) -> bool:
    return one is not None and evaluate(one.document, request) is Decision.ALLOW


def _most_direct(resource: Document | None, request: Request) -> str:
    """The name by which a resource-based policy allows the caller itself; empty where it leaves it to the account."""
    if resource is None:
        return ""
    names = {
        name
        for statement in applying(resource.document, request)
        if statement["Effect"] == "Allow"
        for name in principal_names(statement.get("Principal", {}))
    }
    return next((one for one in (request.principal, request.role, "*") if one and one in names), "")
