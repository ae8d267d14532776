"""CloudWatch Logs' types: log groups and metric filters."""

from __future__ import annotations

from emulator.cloudformation.calls import Created, Properties, call, generated, gone, only
from emulator.cloudformation.types import made_by

NAME_LENGTH = 512


def install() -> None:
    """Register these types."""
    made_by("AWS::Logs::LogGroup", create=_create, update=_update, delete=_delete)
    made_by("AWS::Logs::MetricFilter", create=_create_filter, update=_update_filter, delete=_delete_filter)


def _create(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("LogGroupName") or generated(stack, logical_id, NAME_LENGTH)
    sent = only(properties, "KmsKeyId", "Tags", "LogGroupClass")
    call("logs", "CreateLogGroup", {"LogGroupName": name, **sent})
    return _keep(name, properties)


def _keep(name: str, properties: Properties) -> Created:
    if "RetentionInDays" in properties:
        days = properties["RetentionInDays"]
        call("logs", "PutRetentionPolicy", {"LogGroupName": name, "RetentionInDays": days})
    groups = call("logs", "DescribeLogGroups", {"LogGroupNamePrefix": name})["logGroups"]
    (arn,) = [one["arn"] for one in groups if one["logGroupName"] == name]
    return name, {"Arn": arn}


def _update(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if old.get("LogGroupName") != new.get("LogGroupName"):
        made = _create("logs", new, stack)
        _delete(name, old)
        return made
    if "KmsKeyId" in new and old.get("KmsKeyId") != new["KmsKeyId"]:
        call("logs", "AssociateKmsKey", {"LogGroupName": name, "KmsKeyId": new["KmsKeyId"]})
    return _keep(name, new)


def _delete(name: str, _properties: Properties) -> None:
    gone("logs", "DeleteLogGroup", logGroupName=name)


def _create_filter(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("FilterName") or generated(stack, logical_id, NAME_LENGTH)
    call("logs", "PutMetricFilter", {**properties, "FilterName": name})
    return name, {}


def _update_filter(name: str, _old: Properties, new: Properties, _stack: str) -> Created:
    call("logs", "PutMetricFilter", {**new, "FilterName": name})
    return name, {}


def _delete_filter(name: str, properties: Properties) -> None:
    gone("logs", "DeleteMetricFilter", filterName=name, logGroupName=properties["LogGroupName"])
