"""The firewalls in a picture: that of CloudFront, and those of the regions."""

from __future__ import annotations

from collections.abc import Iterator

from operations.picture.model import Box, Kind, View, box, counted, with_unit
from operations.picture.plan import Resource

BY_AWS = "by\N{NO-BREAK SPACE}AWS"


def edge_firewall(view: View) -> Iterator[Box]:
    """What filters requests before CloudFront answers."""
    acls = [one for one in view.of("aws_wafv2_web_acl") if one.text("scope") == "CLOUDFRONT"]
    for acl in acls:
        logged = view.naming("aws_wafv2_web_acl_logging_configuration", "resource_arn", acl)
        lines = [_rules(acl), "rates and sizes are limited" if _limits(acl) else "", "logged" if logged else ""]
        yield from box(Kind.SECURITY, "Firewall of CloudFront", lines, [acl, *logged])


def regional_firewall(view: View) -> Iterator[Box]:
    """What filters requests before the load balancer takes them."""
    for acl in view.of("aws_wafv2_web_acl"):
        placed = view.naming("aws_wafv2_web_acl_association", "web_acl_arn", acl)
        logged = view.naming("aws_wafv2_web_acl_logging_configuration", "resource_arn", acl)
        if acl.text("scope") != "CLOUDFRONT":
            lines = [_rules(acl), "" if placed else "protects nothing", "logged" if logged else ""]
            yield from box(Kind.SECURITY, "Firewall", lines, [acl, *placed, *logged])


def _rules(acl: Resource) -> str:
    rules = acl.blocks("rule")
    managed = sum(_has(rule.get("statement"), "managed_rule_group_statement") for rule in rules)
    return counted(len(rules), "rule") + (f", {with_unit(managed, BY_AWS)}" if managed else "")


def _limits(acl: Resource) -> bool:
    return any(_has(rule.get("statement"), "rate_based_statement") for rule in acl.blocks("rule"))


def _has(statement: object, name: str) -> bool:
    """Whether a statement, which a plan has in a list with all of its kinds, is of this kind."""
    one = statement[0] if isinstance(statement, list) and statement else statement
    return isinstance(one, dict) and bool(one.get(name))
