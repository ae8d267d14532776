"""The rule groups of AWS WAF, one in each region, that block requests without an accepted value."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from shared.origin_secret import aws

SCOPE = "REGIONAL"
REFUSAL_HEADER = "x-refused-by"
REFUSAL = "origin-verify"
DESCRIPTION = "Lets in what the distribution of the platform sends"


def regions() -> dict[str, str]:
    """The regions of rule groups, by their keys in the result."""
    regions: dict[str, str] = json.loads(os.environ["REGIONS"])
    return regions


def accept(values: Iterable[str | None], *, and_no_others: bool = True) -> dict[str, str]:
    """Have every region accept these values, by default no others; returns the rule groups' ARNs."""
    accepted = {value for value in values if value}
    return {
        f"{name}_rule_group_arn": str(aws.again(lambda region=region: _write_group(region, accepted, and_no_others)))  # type: ignore[misc]
        for name, region in regions().items()
    }


def _write_group(region: str, accepted: set[str], and_no_others: bool) -> str:
    waf = aws.client("wafv2", region)
    rules = [_rule(sorted(accepted if and_no_others else accepted | accepted_by(region)))]
    shown = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": REFUSAL}
    group = _find_group(region)
    if group is None:
        made = waf.create_rule_group(
            Name=os.environ["RULE_GROUP"],
            Scope=SCOPE,
            Capacity=int(os.environ["RULE_GROUP_CAPACITY"]),
            Description=DESCRIPTION,
            Rules=rules,
            VisibilityConfig=shown,
            Tags=[{"Key": key, "Value": value} for key, value in json.loads(os.environ["TAGS"]).items()],
        )
        return str(made["Summary"]["ARN"])
    found = waf.get_rule_group(Name=group["Name"], Scope=SCOPE, Id=group["Id"])
    if found["RuleGroup"]["Rules"] != rules:
        waf.update_rule_group(
            Name=group["Name"],
            Scope=SCOPE,
            Id=group["Id"],
            Description=DESCRIPTION,
            Rules=rules,
            VisibilityConfig=shown,
            LockToken=found["LockToken"],
        )
    return str(group["ARN"])


def _rule(accepted: list[str]) -> dict[str, Any]:
    own = [_equals({"SingleHeader": {"Name": os.environ["HEADER"]}}, value) for value in accepted]
    health = [_equals({"UriPath": {}}, os.environ["HEALTH_PATH"]), _equals({"Method": {}}, "GET")]
    admitted = {"OrStatement": {"Statements": [*own, {"AndStatement": {"Statements": health}}]}}
    refusal = {"ResponseCode": 403, "ResponseHeaders": [{"Name": REFUSAL_HEADER, "Value": REFUSAL}]}
    return {
        "Name": REFUSAL,
        "Priority": 0,
        "Statement": {"NotStatement": {"Statement": admitted}},
        "Action": {"Block": {"CustomResponse": refusal}},
        "VisibilityConfig": {
            # Samples show the headers of blocked requests, a value that was just replaced among them.
            "SampledRequestsEnabled": False,
            "CloudWatchMetricsEnabled": True,
            "MetricName": REFUSAL,
        },
    }


def _equals(field: dict[str, Any], value: str) -> dict[str, Any]:
    match = {
        "SearchString": value.encode(),
        "FieldToMatch": field,
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        "PositionalConstraint": "EXACTLY",
    }
    return {"ByteMatchStatement": match}


def _find_group(region: str) -> dict[str, str] | None:
    waf = aws.client("wafv2", region)
    marker: dict[str, str] = {}
    while True:
        answer = waf.list_rule_groups(Scope=SCOPE, **marker)
        for group in answer["RuleGroups"]:
            if group["Name"] == os.environ["RULE_GROUP"]:
                return dict(group)
        if not answer.get("NextMarker"):
            return None
        marker = {"NextMarker": answer["NextMarker"]}


def accepted_by(region: str) -> set[str]:
    """The values that a region accepts."""
    group = _find_group(region)
    if group is None:
        return set()
    found = aws.client("wafv2", region).get_rule_group(Name=group["Name"], Scope=SCOPE, Id=group["Id"])
    admitted = found["RuleGroup"]["Rules"][0]["Statement"]["NotStatement"]["Statement"]["OrStatement"]["Statements"]
    matches = [one["ByteMatchStatement"] for one in admitted if "ByteMatchStatement" in one]
    return {match["SearchString"].decode() for match in matches}


def delete() -> None:
    """Delete the rule groups of all regions, as far as there are any."""
    for region in regions().values():
        if group := _find_group(region):
            aws.again(lambda region=region, group=group: _delete_group(region, group["Id"]))  # type: ignore[misc]


def _delete_group(region: str, id_: str) -> None:
    waf, name = aws.client("wafv2", region), os.environ["RULE_GROUP"]
    token = waf.get_rule_group(Name=name, Scope=SCOPE, Id=id_)["LockToken"]
    waf.delete_rule_group(Name=name, Scope=SCOPE, Id=id_, LockToken=token)
