"""A web ACL's decision on one request.

https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-processing.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from emulator.runtime.firewall.components import Inspected
from emulator.runtime.firewall.managed import GROUPS, PREFIX
from emulator.runtime.firewall.statements import Surroundings, matches
from emulator.runtime.forwarding import Answer

_CONTENT_TYPES = {"APPLICATION_JSON": "application/json", "TEXT_HTML": "text/html", "TEXT_PLAIN": "text/plain"}
_GROUPS = ("ManagedRuleGroupStatement", "RuleGroupReferenceStatement")


@dataclass(frozen=True, kw_only=True)
class RuleGroup:
    """A rule group: its rules, in the form of AWS WAF's API, and the prefix of their labels."""

    rules: tuple[Mapping[str, Any], ...]
    prefix: str
    bodies: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WebAcl:
    """A web ACL, in the form of AWS WAF's API, and the rule groups that it refers to, by ARN."""

    name: str
    prefix: str
    rules: tuple[Mapping[str, Any], ...]
    default_action: Mapping[str, Any]
    bodies: Mapping[str, Any]
    groups: Mapping[str, RuleGroup]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a request passes, by which rule, and the response that the rule has of its own, if any."""

    allows: bool
    rule: str
    response: Answer | None = None


def decide(web_acl: WebAcl, inspected: Inspected, around: Surroundings) -> Decision:
    """The decision of a web ACL. Labels are added to the request.

    Raises:
        NotImplementedError: the web ACL has something that is not emulated.
    """
    for rule in _in_order(web_acl.rules):
        named = replace(around, rule=f"{web_acl.name} {rule['Name']}")
        decision = _of_rule(web_acl, rule, inspected, named)
        if decision is not None:
            return decision
    _refuse_request_handling(web_acl.default_action)
    response = _response(web_acl.default_action, web_acl.bodies)
    return Decision(allows="Allow" in web_acl.default_action, rule="default action", response=response)


def _in_order(rules: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rules, key=lambda one: int(one["Priority"]))


def _of_rule(web_acl: WebAcl, rule: Mapping[str, Any], inspected: Inspected, around: Surroundings) -> Decision | None:
    ((kind, options),) = ((name, value) for name, value in rule["Statement"].items() if value is not None)
    if kind not in _GROUPS:
        action = rule["Action"]
        own = RuleGroup(rules=(), prefix=web_acl.prefix, bodies=web_acl.bodies)
        return _done(rule, action, own, inspected, around)
    found = _of_group(_group(web_acl, kind, options), options, inspected, around)
    counts = "Count" in (rule.get("OverrideAction") or {})
    return None if found is None or counts else replace(found, rule=f"{rule['Name']}: {found.rule}")


def _group(web_acl: WebAcl, kind: str, options: Mapping[str, Any]) -> RuleGroup:
    if kind == "RuleGroupReferenceStatement":
        return web_acl.groups[options["ARN"]]
    if options["VendorName"] != "AWS" or options["Name"] not in GROUPS or options.get("ManagedRuleGroupConfigs"):
        raise NotImplementedError(f"the managed rule group {options['VendorName']} {options['Name']}, as configured")
    name, rules = GROUPS[options["Name"]]
    return RuleGroup(rules=rules, prefix=f"{PREFIX}{name}:")


def _of_group(
    group: RuleGroup, options: Mapping[str, Any], inspected: Inspected, around: Surroundings
) -> Decision | None:
    narrowed = options.get("ScopeDownStatement")
    if narrowed and not matches(narrowed, inspected, around):
        return None
    instead = {one["Name"]: one["ActionToUse"] for one in options.get("RuleActionOverrides") or []}
    instead |= {one["Name"]: {"Count": {}} for one in options.get("ExcludedRules") or []}
    for rule in sorted(group.rules, key=lambda one: int(one.get("Priority", 0))):
        named = replace(around, rule=f"{around.rule} {rule['Name']}")
        decision = _done(rule, instead.get(rule["Name"], rule["Action"]), group, inspected, named)
        if decision is not None:
            return decision
    return None


def _done(
    rule: Mapping[str, Any], action: Mapping[str, Any], group: RuleGroup, inspected: Inspected, around: Surroundings
) -> Decision | None:
    """The decision of a rule that acts; None where it does not match, or only counts."""
    if not matches(rule["Statement"], inspected, around):
        return None
    inspected.labels.update(f"{group.prefix}{one['Name']}" for one in rule.get("RuleLabels") or [])
    _refuse_request_handling(action)
    if "Count" in action:
        return None
    return Decision(allows="Allow" in action, rule=rule["Name"], response=_response(action, group.bodies))


def _refuse_request_handling(action: Mapping[str, Any]) -> None:
    ((kind, options),) = action.items()
    if kind not in {"Allow", "Block", "Count"} or (options or {}).get("CustomRequestHandling"):
        raise NotImplementedError(f"the action {kind} of a web ACL, as configured")


def _response(action: Mapping[str, Any], bodies: Mapping[str, Any]) -> Answer | None:
    """https://docs.aws.amazon.com/waf/latest/developerguide/customizing-the-response-for-blocked-requests.html."""
    custom = (action.get("Block") or {}).get("CustomResponse")
    if not custom:
        return None
    headers = tuple((one["Name"], one["Value"]) for one in custom.get("ResponseHeaders") or [])
    key = custom.get("CustomResponseBodyKey")
    body = bodies[key] if key else None
    if body is None:
        return Answer(status=int(custom["ResponseCode"]), headers=headers)
    kind = ("Content-Type", _CONTENT_TYPES[body["ContentType"]])
    return Answer(status=int(custom["ResponseCode"]), headers=(kind, *headers), body=body["Content"].encode())
