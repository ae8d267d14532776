"""AWS WAF: attributes of a web ACL that moto drops, and references that prevent deletion.

A rule group or address list that a web ACL references cannot be deleted, nor a web ACL that is associated: resources
that are created by different means must be deleted in the right order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.cloudfront.models import cloudfront_backends
from moto.moto_api._internal import mock_random
from moto.wafv2.exceptions import WAFv2ClientError
from moto.wafv2.models import FakeIPSet, FakeWebACL, WAFV2Backend, wafv2_backends
from moto.wafv2.responses import WAFV2Response

from emulator.moto.extend import Method, override

KEPT = ("DataProtectionConfig", "OnSourceDDoSProtectionConfig", "ApplicationConfig")
"""Members of a web ACL that moto does not store."""


def _in_use(what: str) -> WAFv2ClientError:
    return WAFv2ClientError(
        "WAFAssociatedItemException", f"AWS WAF couldn't perform the operation: the {what} is in use."
    )


@override(WAFV2Response)
def create_web_acl(original: Method, self: Any) -> Any:
    """Store attributes that moto drops."""
    body = json.loads(self.body)
    _refuse_unknown_groups(self, body)
    status, headers, answer = original(self)
    made = self.wafv2_backend.wacls[json.loads(answer)["Summary"]["ARN"]]
    made.kept = {member: body[member] for member in KEPT if member in body}
    return status, headers, answer


@override(WAFV2Response)
def update_web_acl(original: Method, self: Any) -> Any:
    """Store attributes that moto drops, and remove those that are no longer sent."""
    body = json.loads(self.body)
    _refuse_unknown_groups(self, body)
    answer = original(self)
    changed = self.wafv2_backend.get_web_acl(None, body["Name"], body["Id"])
    changed.kept = {member: body[member] for member in KEPT if member in body}
    for member, attribute in (("AssociationConfig", "association_config"), ("Description", "description")):
        if member not in body:
            setattr(changed, attribute, "" if member == "Description" else None)
    return answer


@override(FakeWebACL)
def to_dict(original: Method, self: Any) -> dict[str, Any]:
    """Return what is stored."""
    return {**original(self), **self.kept}


@override(WAFV2Backend)
def delete_web_acl(original: Method, self: Any, name: str, scope: str, _id: str, lock_token: str) -> None:
    """Delete a web ACL that is not associated."""
    for web_acl in self.wacls.values():
        if (web_acl.name, web_acl.id) == (name, _id) and (web_acl.associated_resources or _distributed(self, web_acl)):
            raise _in_use("web ACL")
    original(self, name, scope, _id, lock_token)


@override(WAFV2Backend)
def associate_web_acl(original: Method, self: Any, web_acl_arn: str, resource_arn: str) -> None:
    """A resource has one web ACL: another takes its place."""
    for web_acl in self.wacls.values():
        if resource_arn in web_acl.associated_resources:
            web_acl.associated_resources.remove(resource_arn)
    original(self, web_acl_arn, resource_arn)


@override(WAFV2Backend)
def delete_rule_group(original: Method, self: Any, **sent: Any) -> None:
    """Only one that no web ACL names."""
    found = self.get_rule_group(name=sent["name"], scope=sent["scope"], id=sent["id"], arn=None)
    if found.arn in set(_named(self)):
        raise _in_use("rule group")
    original(self, **sent)


@override(FakeIPSet)
def __init__(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807 (of moto's class)
    """With a lock token in the format that WAF's model requires in an update."""
    original(self, *arguments, **keywords)
    self.lock_token = str(mock_random.uuid4())


@override(FakeIPSet)
def update(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:
    """As above."""
    original(self, *arguments, **keywords)
    self.lock_token = str(mock_random.uuid4())


@override(WAFV2Backend)
def delete_ip_set(original: Method, self: Any, name: str, scope: str, _id: str, lock_token: str) -> None:
    """Only one that no web ACL names."""
    if self.get_ip_set(name=name, scope=scope, _id=_id).arn in set(_named(self)):
        raise _in_use("IP set")
    original(self, name, scope, _id, lock_token)


def _refuse_unknown_groups(self: Any, body: dict[str, Any]) -> None:
    region = "global" if body["Scope"] == "CLOUDFRONT" else self.region
    backend = wafv2_backends[self.current_account][region]
    known = {one.arn for one in (*backend.rule_groups.values(), *backend.ip_sets.values())}
    for arn in _arns(body.get("Rules", [])):
        if arn not in known:
            message = f"AWS WAF couldn't perform the operation: {arn} doesn't exist."
            raise WAFv2ClientError("WAFNonexistentItemException", message)


def _named(backend: Any) -> Iterator[str]:
    for web_acl in backend.wacls.values():
        yield from _arns([rule.statement for rule in web_acl.rules])


def _arns(value: Any) -> Iterator[str]:
    """The ARNs of rule groups and address lists in statements, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "ARN" and isinstance(inner, str) and ":wafv2:" in inner:
                yield inner
            else:
                yield from _arns(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _arns(inner)


def _distributed(backend: Any, web_acl: Any) -> bool:
    distributions = cloudfront_backends[backend.account_id]["aws"].distributions.values()
    return any(one.config.get("WebACLId") == web_acl.arn for one in distributions)
