"""Definition of the state machine that exports a new snapshot, in the Amazon States Language (W3.2).

Every state is one AWS call. An export has the snapshot's name, so that an event that is delivered twice finds the
export that the first one started, and follows it. https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html

The definition contains names that are known before a resource exists, and no Terraform reference: a string with both
quotes and references becomes invalid HCL, and Terraform has AWS validate the definition while it plans. Only the ARN of
the key is not known in advance: the state machine looks it up by the key's alias.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

State = dict[str, Any]

SECONDS_BETWEEN_LOOKS = 300
"""An export takes half an hour at least: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-export-snapshot.html"""

# Errors that RDS's model does not list, throttling and too many exports at a time among them, have this one name; what
# never reached RDS has the other. https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
PASSING_ERRORS = ["Rds.RdsException", "Rds.SdkClientException"]
RETRY = {
    "ErrorEquals": [*PASSING_ERRORS, "Rds.InvalidExportSourceStateException", "States.Timeout"],
    "IntervalSeconds": 60,
    "BackoffRate": 2,
    "MaxDelaySeconds": 900,
    "MaxAttempts": 8,
    "JitterStrategy": "FULL",
}
RETRY_ANY = {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 10, "BackoffRate": 2, "MaxAttempts": 5}


@dataclass(frozen=True, kw_only=True)
class ExportNames:
    """Names in the definition: the cluster, bucket and role of its exports, the key's alias and the alarm topic."""

    cluster: str
    bucket: str
    prefix: str
    role_arn: str
    key_alias: str
    topic_arn: str


def definition(names: ExportNames, *, timeout_seconds: int) -> str:
    """The definition as JSON; an execution that is not over after ``timeout_seconds`` ends as timed out."""
    states = {
        "NameTheExport": _name_the_export(),
        "FindTheSnapshot": _find_the_snapshot(),
        "IsItOurs": _is_it_ours(names),
        "NotOurs": {"Type": "Succeed"},
        "FindTheKey": _find_the_key(names),
        "StartTheExport": _start_the_export(names),
        "Wait": {"Type": "Wait", "Seconds": SECONDS_BETWEEN_LOOKS, "Next": "LookAtTheExport"},
        "LookAtTheExport": _look_at_the_export(),
        "IsItOver": _is_it_over(),
        "KeepTheRecord": _keep_the_record(names),
        "Tell": _tell(names),
        "Failed": {
            "Type": "Fail",
            "Error": "SnapshotExportFailed",
            "Cause": "What was wrong is in the message to the alarm topic and in this execution's history",
        },
    }
    return json.dumps(
        {
            "Comment": f"Exports the automated snapshots of {names.cluster} to S3",
            "StartAt": "NameTheExport",
            "TimeoutSeconds": timeout_seconds,
            "States": states,
        }
    )


def _name_the_export() -> State:
    """An automated snapshot is named rds:CLUSTER-DATE; an export's name may hold no colon."""
    return {
        "Type": "Pass",
        "Parameters": {
            "SnapshotArn.$": "$.detail.SourceArn",
            "SnapshotName.$": "$.detail.SourceIdentifier",
            "Name.$": "States.ArrayGetItem(States.StringSplit($.detail.SourceIdentifier, ':'), 1)",
        },
        "Next": "FindTheSnapshot",
    }


def _find_the_snapshot() -> State:
    """Whose it is: the rule compares the beginning of the snapshot's name, which a longer cluster name has too."""
    return _task(
        "rds:describeDBClusterSnapshots",
        {"DbClusterSnapshotIdentifier.$": "$.SnapshotName"},
        ResultSelector={"Found.$": "$.DbClusterSnapshots[0]"},
        ResultPath="$.Snapshot",
        Next="IsItOurs",
    )


def _is_it_ours(names: ExportNames) -> State:
    ours = {"Variable": "$.Snapshot.Found.DbClusterIdentifier", "StringEquals": names.cluster, "Next": "FindTheKey"}
    return {"Type": "Choice", "Choices": [ours], "Default": "NotOurs"}


def _find_the_key(names: ExportNames) -> State:
    return _task(
        "kms:describeKey",
        {"KeyId": names.key_alias},
        retry=RETRY_ANY,
        ResultSelector={"Arn.$": "$.KeyMetadata.Arn"},
        ResultPath="$.Key",
        Next="StartTheExport",
    )


def _start_the_export(names: ExportNames) -> State:
    begun_before = {
        "ErrorEquals": ["Rds.ExportTaskAlreadyExistsException"],
        "ResultPath": None,
        "Next": "LookAtTheExport",
    }
    return _task(
        "rds:startExportTask",
        {
            "ExportTaskIdentifier.$": "$.Name",
            "SourceArn.$": "$.SnapshotArn",
            "S3BucketName": names.bucket,
            "S3Prefix": names.prefix,
            "IamRoleArn": names.role_arn,
            "KmsKeyId.$": "$.Key.Arn",
        },
        catch=[begun_before],
        ResultPath=None,
        Next="Wait",
    )


def _look_at_the_export() -> State:
    return _task(
        "rds:describeExportTasks",
        {"ExportTaskIdentifier.$": "$.Name"},
        ResultSelector={"Export.$": "$.ExportTasks[0]"},
        ResultPath="$.Seen",
        Next="IsItOver",
    )


def _is_it_over() -> State:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ExportTask.html."""
    status = "$.Seen.Export.Status"
    ended_badly = [{"Variable": status, "StringEquals": bad} for bad in ("FAILED", "CANCELING", "CANCELED")]
    choices = [
        {"Variable": status, "StringEquals": "COMPLETE", "Next": "KeepTheRecord"},
        {"Or": ended_badly, "Next": "Tell"},
    ]
    return {"Type": "Choice", "Choices": choices, "Default": "Wait"}


def _keep_the_record(names: ExportNames) -> State:
    """Write a manifest next to the export's folder: snapshot, cluster, time, key and execution.

    It has the bucket's default encryption. A second execution for the same snapshot writes the same content.
    """
    return _task(
        "s3:putObject",
        {
            "Bucket": names.bucket,
            "Key.$": f"States.Format('{names.prefix}/{{}}.json', $.Name)",
            "ContentType": "application/json",
            "Body": {"Export.$": "$.Seen.Export", "Event.$": "$$.Execution.Input", "Execution.$": "$$.Execution.Id"},
        },
        retry=RETRY_ANY,
        End=True,
    )


def _tell(names: ExportNames) -> State:
    message = (
        "States.Format('The export of {} to S3 has failed. Execution: {}. What was known: {}', "
        "$$.Execution.Input.detail.SourceArn, $$.Execution.Id, States.JsonToString($))"
    )
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sns:publish",
        "Parameters": {"TopicArn": names.topic_arn, "Subject": "A snapshot was not exported", "Message.$": message},
        "Retry": [RETRY_ANY],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed"}],
        "Next": "Failed",
    }


def _task(
    call: str, parameters: State, *, retry: State = RETRY, catch: list[State] | None = None, **fields: Any
) -> State:
    """An AWS call: transient errors are retried, others are notified."""
    otherwise = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.Error", "Next": "Tell"}
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:{call}",
        "Parameters": parameters,
        "TimeoutSeconds": 60,
        "Retry": [retry],
        "Catch": [*(catch or []), otherwise],
        **fields,
    }
