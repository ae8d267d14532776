"""WAF: rule groups, associations and logging by CloudFormation; ministack's WAF itself keeps the first two."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import waf

from emulator.cloudformation.registry import Created, Properties, add_type, ask
from emulator.ministack import front

LOGGING: Any = AccountRegionScopedDict()
"""Logging configurations by the ARN of the web ACL."""


def install() -> None:
    """Register these additions with ministack."""
    add_type("AWS::WAFv2::RuleGroup", create=_create_group, delete=_delete_group, update=_update_group)
    add_type("AWS::WAFv2::WebACLAssociation", create=_associate, delete=_disassociate)
    add_type("AWS::WAFv2::LoggingConfiguration", create=_put_logging, delete=_delete_logging)
    front.add_target("AWSWAF_20190729.GetLoggingConfiguration", _get_logging)


def _create_group(_logical_id: str, properties: Properties, _stack: str) -> Created:
    summary = ask(waf._create_rule_group, {**properties, "Capacity": int(properties["Capacity"])})["Summary"]
    return _id(summary["Name"], summary["Id"], properties["Scope"]), {"Arn": summary["ARN"], "Id": summary["Id"]}


def _update_group(id_: str, _old: Properties, new: Properties, _stack: str) -> Created:
    """Rules change in place; a capacity cannot, as on AWS."""
    name, uid, scope = id_.split("|")
    group = ask(waf._get_rule_group, {"Name": name, "Id": uid, "Scope": scope})
    if int(new["Capacity"]) != group["RuleGroup"]["Capacity"]:
        raise ValueError("the capacity of a rule group cannot be changed")
    ask(waf._update_rule_group, {**new, "Id": uid, "LockToken": group["LockToken"]})
    return id_, {"Arn": group["RuleGroup"]["ARN"], "Id": uid}


def _delete_group(id_: str, _properties: Properties) -> None:
    name, uid, scope = id_.split("|")
    token = ask(waf._get_rule_group, {"Name": name, "Id": uid, "Scope": scope})["LockToken"]
    ask(waf._delete_rule_group, {"Name": name, "Id": uid, "Scope": scope, "LockToken": token})


def _id(name: str, uid: str, scope: str) -> str:
    return f"{name}|{uid}|{scope}"


def _associate(_logical_id: str, properties: Properties, _stack: str) -> Created:
    ask(waf._associate_web_acl, properties)
    return f"{properties['ResourceArn']}|{properties['WebACLArn']}", {}


def _disassociate(_id: str, properties: Properties) -> None:
    ask(waf._disassociate_web_acl, {"ResourceArn": properties["ResourceArn"]})


def _put_logging(_logical_id: str, properties: Properties, _stack: str) -> Created:
    LOGGING[properties["ResourceArn"]] = properties
    return properties["ResourceArn"], {}


def _delete_logging(id_: str, _properties: Properties) -> None:
    LOGGING.pop(id_, None)


def _get_logging(request: dict[str, Any]) -> tuple[int, Any]:
    found = LOGGING.get(request["ResourceArn"])
    if found is None:
        return 400, {"__type": "WAFNonexistentItemException", "message": "AWS WAF couldn't find the resource."}
    return 200, {"LoggingConfiguration": found}
