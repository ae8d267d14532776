"""Route 53's types: records."""

from __future__ import annotations

from emulator.cloudformation.calls import Created, Properties, call, gone, without
from emulator.cloudformation.types import made_by

PLACE = ("HostedZoneId", "HostedZoneName", "Comment")


def install() -> None:
    """Register these types."""
    made_by("AWS::Route53::RecordSet", create=_create, update=_update, delete=_delete)


def _create(_logical_id: str, properties: Properties, _stack: str) -> Created:
    call("route53", "ChangeResourceRecordSets", _change("UPSERT", properties))
    return properties["Name"].rstrip("."), {}


def _change(action: str, properties: Properties) -> Properties:
    record = {"EvaluateTargetHealth": False, **properties["AliasTarget"]} if "AliasTarget" in properties else None
    own = {**without(properties, *PLACE), **({"AliasTarget": record} if record else {})}
    return {
        "HostedZoneId": properties["HostedZoneId"],
        "ChangeBatch": {"Changes": [{"Action": action, "ResourceRecordSet": own}]},
    }


def _update(_name: str, old: Properties, new: Properties, stack: str) -> Created:
    if (old["Name"], old["HostedZoneId"]) != (new["Name"], new["HostedZoneId"]):
        _delete("", old)
    return _create("", new, stack)


def _delete(_name: str, properties: Properties) -> None:
    gone("route53", "ChangeResourceRecordSets", **_change("DELETE", properties))
