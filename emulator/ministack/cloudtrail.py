"""CloudTrail by CloudFormation; ministack's CloudTrail itself keeps trails."""

from __future__ import annotations

from ministack.services import cloudtrail

from emulator.cloudformation.registry import Created, Properties, add_type, ask, is_true

FLAGS = {
    "IncludeGlobalServiceEvents": "IncludeGlobalServiceEvents",
    "IsMultiRegionTrail": "IsMultiRegionTrail",
    "EnableLogFileValidation": "EnableLogFileValidation",
}
KEPT = {"CloudWatchLogsLogGroupArn": "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn": "CloudWatchLogsRoleArn"}


def install() -> None:
    """Register these additions with ministack."""
    add_type("AWS::CloudTrail::Trail", create=_create, delete=_delete, update=_update)


def _create(_logical_id: str, properties: Properties, _stack: str) -> Created:
    name = properties["TrailName"]
    flags = {ours: is_true(properties.get(theirs, False)) for theirs, ours in FLAGS.items()}
    kept = {"KmsKeyId": properties.get("KMSKeyId", ""), "S3KeyPrefix": properties.get("S3KeyPrefix", "")}
    ask(cloudtrail._create_trail, {"Name": name, "S3BucketName": properties["S3BucketName"], **flags, **kept})
    return _finish(name, properties)


def _update(name: str, _old: Properties, new: Properties, _stack: str) -> Created:
    ask(cloudtrail._update_trail, {"Name": name, "S3BucketName": new["S3BucketName"]})
    return _finish(name, new)


def _finish(name: str, properties: Properties) -> Created:
    trail = cloudtrail._trails[name]
    trail |= {inner: properties[outer] for outer, inner in KEPT.items() if outer in properties}
    if selectors := properties.get("EventSelectors"):
        ask(cloudtrail._put_event_selectors, {"TrailName": name, "EventSelectors": selectors})
    if is_true(properties["IsLogging"]):
        ask(cloudtrail._start_logging, {"Name": name})
    return name, {"Arn": trail["TrailARN"]}


def _delete(name: str, _properties: Properties) -> None:
    ask(cloudtrail._delete_trail, {"Name": name})
