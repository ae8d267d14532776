"""The authorization decision on a request, and the record of refusals and of the statements that allow.

A refusal is the service's own error in AWS's words; ``refusals.jsonl`` and the log name the missing or the denying
statement.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from moto.core import DEFAULT_ACCOUNT_ID

from emulator.authorization.api import ApiRequest
from emulator.authorization.callers import ADMINISTRATOR, Caller, Network
from emulator.authorization.keys import bucket_region
from emulator.authorization.policies import (
    Endpoint,
    endpoint_of,
    endpoint_service,
    policies_for,
    resource_policy,
    trust_policy,
)
from emulator.authorization.requests import asked
from emulator.authorization.struck import STRUCK
from emulator.authorization.tags import GLOBAL_REGION, tags_of
from emulator.authorization.uses import USES
from emulator.record import RecordedRefusal
from iam.authorization import Policies, Verdict, authorize
from iam.evaluation import Request, applying

_log = logging.getLogger(__name__)
_recorders: list[Callable[[RecordedRefusal], None]] = []
_ways: list[Callable[[Network, str], str]] = []


def record_refusals_with(record: Callable[[RecordedRefusal], None]) -> None:
    """Set the function that records each refusal."""
    _recorders[:] = [record]


class UnreachableError(Exception):
    """A caller's network has no way to the service; on AWS the client's connection would time out."""


def find_ways_with(find: Callable[[Network, str], str]) -> None:
    """Set the function that says why a network has no way to the endpoint of a service; empty where it has one."""
    _ways[:] = [find]


def way_to(network: Network | None, signing_name: str) -> str:
    """The name of the endpoint service that a caller's network has a way to; empty for a caller outside any VPC.

    Raises:
        UnreachableError: it has none.
    """
    if network is None:
        return ""
    service = endpoint_service(network, signing_name)
    for find in _ways:
        if reason := find(network, service):
            raise UnreachableError(f"{service} cannot be reached from {network.vpc_id}: {reason}")
    return service


def refused(api: ApiRequest, caller: Caller, signing_name: str, allowed_by: list[str]) -> Verdict | None:
    """The first refusal among the actions of a request; None where all are allowed.

    The statements that allow an action are added to ``allowed_by``.

    Raises:
        LookupError: an action, policy element or condition operator is unknown here.
    """
    endpoint = endpoint_of(caller.network, signing_name)
    for one in asked(api, caller):
        through = endpoint if one.action.startswith(api.action.partition(":")[0] + ":") else None
        verdict = _decide(one, caller, through)
        if not verdict.is_allowed:
            return verdict
        allowed_by += [f"{one.action}: {said}" for said in verdict.said if said.effect == "Allow"]
    return None


def may_act(caller: Caller, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
    """Whether a role or a service may perform an action on a resource; a refusal is recorded."""
    return decided(caller, action, resource, context).is_allowed


def decided(caller: Caller, action: str, resource: str, context: Mapping[str, str] | None = None) -> Verdict:
    """As :func:`may_act`, with the statements that decide."""
    return _decide(_asked(caller, action, resource, context or {}), caller, None)


def may_assume(service: str, role_arn: str, source_arn: str) -> bool:
    """Whether a role's trust policy allows a service, acting for ``source_arn``, to assume it.

    A refusal is recorded.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-service.html
    """
    context = {"aws:SourceAccount": DEFAULT_ACCOUNT_ID, "aws:SourceArn": source_arn}
    request = Request(action="sts:AssumeRole", resource=role_arn, principal=service, context=context)
    policies = STRUCK.left_of(Policies(resource=trust_policy(role_arn), must_name=True))
    return _recorded(authorize(request, policies), policies).is_allowed


def denies(resource: str, action: str, caller: Caller | None, context: Mapping[str, str]) -> bool:
    """Whether the policy of a resource denies its caller an action; None is the administrator. A denial is recorded.

    An administrator, too, is bound by a denial:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    """
    asks = caller or ADMINISTRATOR
    request = _asked(asks, action, resource, context)
    verdict = authorize(request, Policies(resource=resource_policy(resource)))
    return verdict.denied and not _recorded(verdict, Policies()).is_allowed


def _asked(caller: Caller, action: str, resource: str, context: Mapping[str, str]) -> Request:
    return Request(
        action=action,
        resource=resource,
        principal=caller.principal,
        role=caller.role,
        context=_about(caller, resource) | dict(context),
    )


def _about(caller: Caller, resource: str) -> dict[str, str]:
    """Condition keys of a call within the local AWS: of the caller, and of the resource's account and region."""
    if not caller.principal.startswith("arn:"):
        return {"aws:SourceAccount": DEFAULT_ACCOUNT_ID}
    return {
        "aws:PrincipalArn": caller.role or caller.principal,
        "aws:PrincipalAccount": DEFAULT_ACCOUNT_ID,
        "aws:ResourceAccount": DEFAULT_ACCOUNT_ID,
        "aws:RequestedRegion": region_of(resource),
    }


def region_of(resource: str) -> str:
    """The region that a call for a resource is sent to: ARNs of buckets have none, and global services use one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion
    """
    named = resource.split(":")[3] if resource.startswith("arn:") else ""
    return named or bucket_region(resource) or GLOBAL_REGION


def _decide(request: Request, caller: Caller, endpoint: Endpoint | None) -> Verdict:
    if endpoint is not None:
        way = {"aws:SourceVpce": endpoint.id, "aws:SourceVpc": endpoint.vpc_id}
        request = replace(request, context={**request.context, **way})
    policies = STRUCK.left_of(policies_for(caller, request, endpoint))
    verdict = authorize(request, policies)
    may_decide = not verdict.is_allowed or _passes_without_tags(request, policies)
    if may_decide and (tags := tags_of(request.resource)):
        # Tags are looked up only where they may decide: a look-up walks through all resources with tags.
        verdict = authorize(replace(request, context={**tags, **request.context}), policies)
    return _recorded(verdict, policies)


def _passes_without_tags(request: Request, policies: Policies) -> bool:
    """Whether a statement applies with a test of tags by IfExists, which passes where there are no tags."""
    return any(
        operator.endswith("IfExists") and key.startswith("aws:ResourceTag/")
        for _, one in policies.by_kind()
        for statement in applying(one.document, request)
        for operator, tests in statement.get("Condition", {}).items()
        for key in tests
    )


def _recorded(verdict: Verdict, policies: Policies) -> Verdict:
    if verdict.is_allowed:
        USES.note(verdict, policies)
        return verdict
    _log.warning("%s; missing: %s", verdict.message, verdict.missing)
    asked_for = verdict.request
    for record in _recorders:
        record(
            RecordedRefusal(
                time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                principal=asked_for.principal,
                action=asked_for.action,
                resource=asked_for.resource,
                refused_by=verdict.refused_by,
                message=verdict.message,
                missing=verdict.missing,
            )
        )
    return verdict
