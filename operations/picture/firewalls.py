"""The web ACLs in a picture: CloudFront's, and those of the regions."""

from __future__ import annotations

from collections.abc import Iterator

from operations.picture.model import Box, Icon, View, box, counted, with_unit
from operations.picture.plan import Resource

MANAGED = "AWS\N{NO-BREAK SPACE}managed"


def edge_firewall(view: View) -> Iterator[Box]:
    """The web ACL of CloudFront."""
    acls = [one for one in view.of("aws_wafv2_web_acl") if one.text("scope") == "CLOUDFRONT"]
    for acl in acls:
        logged = view.naming("aws_wafv2_web_acl_logging_configuration", "resource_arn", acl)
        lines = [_rules(acl), "rate limits" if _limits(acl) else "", "logged" if logged else ""]
        yield from box(Icon.FIREWALL, "Web ACL of CloudFront", lines, [acl, *logged])


def regional_firewall(view: View) -> Iterator[Box]:
    """The web ACL of the load balancers."""
    for acl in view.of("aws_wafv2_web_acl"):
        placed = view.naming("aws_wafv2_web_acl_association", "web_acl_arn", acl)
        logged = view.naming("aws_wafv2_web_acl_logging_configuration", "resource_arn", acl)
        if acl.text("scope") != "CLOUDFRONT":
            lines = [_rules(acl), "" if placed else "without association", "logged" if logged else ""]
            yield from box(Icon.FIREWALL, "Web ACL", lines, [acl, *placed, *logged])


def _rules(acl: Resource) -> str:
    rules = acl.blocks("rule")
    managed = sum(_has(rule.get("statement"), "managed_rule_group_statement") for rule in rules)
    return counted(len(rules), "rule") + (f", {with_unit(managed, MANAGED)}" if managed else "")


def _limits(acl: Resource) -> bool:
    return any(_has(rule.get("statement"), "rate_based_statement") for rule in acl.blocks("rule"))


def _has(statement: object, name: str) -> bool:
    """Whether a statement is of this kind; in a plan it is a list with a member for every kind."""
    one = statement[0] if isinstance(statement, list) and statement else statement
    return isinstance(one, dict) and bool(one.get(name))
