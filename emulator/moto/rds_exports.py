"""RDS: automated snapshots of clusters, and their exports to S3, which take time and can fail.

moto reports an export as complete before it has started, and writes nothing.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

from moto.core.utils import utcnow
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.rds.exceptions import RDSClientError
from moto.rds.models import ExportTask, RDSBackend, rds_backends
from moto.s3.models import s3_backends

from emulator.authorization import gate
from emulator.authorization.callers import Caller
from emulator.authorization.requests import TRANSPORT
from emulator.clock import CLOCK
from emulator.moto.extend import Method, override
from emulator.turns import turn
from iam.authorization import RESOURCE, Verdict

MINUTES_TO_BEGIN, MINUTES_TO_EXPORT = 5.0, 30.0
"""An export takes at least half an hour: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-export-snapshot.html"""

EXPORT = "export.rds.amazonaws.com"
OF_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket")
OF_OBJECTS = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject")
"""What the role of an export must be allowed:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-export-snapshot.Setup.html"""

SNAPSHOT_CREATED = "RDS-EVENT-0169"


@override(ExportTask)
def __init__(original: Method, self: Any, *arguments: Any) -> None:  # noqa: N807
    """Start with RDS's initial status. The source type of a snapshot's export is SNAPSHOT, for clusters too."""
    original(self, *arguments)
    self.status, self.percent_progress, self.source_type = "STARTING", 0, "SNAPSHOT"
    self.task_start_time = utcnow()
    self.task_end_time = self.failure_cause = None
    self.snapshot_time = self.snapshot.snapshot_create_time


@override(RDSBackend)
def start_export_task(original: Method, self: Any, kwargs: dict[str, Any]) -> Any:
    """Reject a bucket, role or key that does not exist; otherwise the export runs in the background."""
    if kwargs["s3_bucket_name"] not in s3_backends[self.account_id]["aws"].buckets:
        raise RDSClientError("InvalidS3BucketFault", f"The S3 bucket {kwargs['s3_bucket_name']} does not exist.")
    if kwargs["iam_role_arn"] not in [role.arn for role in iam_backends[self.account_id]["aws"].roles.values()]:
        raise RDSClientError("IamRoleNotFound", f"The IAM role {kwargs['iam_role_arn']} does not exist.")
    kms = kms_backends[self.account_id][self.region_name]
    sent = kms.get_alias_name(kwargs["kms_key_id"])
    key_id = kms.get_key_id_from_alias(sent) if sent.startswith("alias/") else kms.get_key_id(sent)
    if key_id not in kms.keys:
        raise RDSClientError("KMSKeyNotAccessibleFault", f"The key {kwargs['kms_key_id']} does not exist.")
    task = original(self, kwargs)
    threading.Thread(target=_export, args=(task, kms.keys[key_id].arn), daemon=True).start()
    return task


@override(RDSBackend)
def cancel_export_task(original: Method, self: Any, export_task_identifier: str) -> Any:
    """Set RDS's status of a cancelled export."""
    task = original(self, export_task_identifier)
    task.status, task.task_end_time = "CANCELED", utcnow()
    return task


def _export(task: Any, key_arn: str) -> None:
    for status, minutes in (("STARTING", MINUTES_TO_BEGIN), ("IN_PROGRESS", MINUTES_TO_EXPORT)):
        with turn():
            if task.status != "CANCELED":
                task.status = status
        if CLOCK.wait(minutes, lambda: task.status == "CANCELED"):
            return
    with turn():
        if task.status == "CANCELED":
            return
        refusal = _refusal(task, key_arn)
        if refusal:
            task.status, task.failure_cause = "FAILED", refusal
        else:
            _write(task, key_arn)
            task.status, task.percent_progress = "COMPLETE", 100
        task.task_end_time = utcnow()


def _refusal(task: Any, key_arn: str) -> str:
    """Why the bucket does not accept the export; empty where it does."""
    if s3_backends[task.backend.account_id]["aws"].buckets.get(task.s3_bucket) is None:
        return f"The bucket {task.s3_bucket} does not exist"
    if not gate.may_assume(EXPORT, task.iam_role_arn, task.source_arn):
        return f"The role {task.iam_role_arn} cannot be assumed by {EXPORT}"
    session = f"{task.iam_role_arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/export"
    caller = Caller(principal=session, role=task.iam_role_arn)
    arn, file = f"arn:aws:s3:::{task.s3_bucket}", f"arn:aws:s3:::{task.s3_bucket}/{_path(task)}"
    encryption = {
        "s3:x-amz-server-side-encryption": "aws:kms",
        "s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn,
    }
    for action in (*OF_BUCKET, *OF_OBJECTS):
        verdict = gate.decided(caller, action, arn if action in OF_BUCKET else file, TRANSPORT | encryption)
        if not verdict.is_allowed:
            return _in_words(verdict)
    return ""


def _in_words(verdict: Verdict) -> str:
    by_bucket = verdict.denied and verdict.refused_by == RESOURCE
    return "The bucket's policy refuses the export" if by_bucket else verdict.message


def _path(task: Any) -> str:
    folder = f"{task.s3_prefix}/" if task.s3_prefix else ""
    return f"{folder}{task.export_task_identifier}/export_info_{task.export_task_identifier}.json"


def _write(task: Any, key_arn: str) -> None:
    """Write RDS's files about the export; there is no database here whose tables could be exported."""
    about = {"exportTaskIdentifier": task.export_task_identifier, "sourceArn": task.source_arn, "status": "COMPLETE"}
    s3_backends[task.backend.account_id]["aws"].put_object(
        task.s3_bucket, _path(task), json.dumps(about).encode(), encryption="aws:kms", kms_key_id=key_arn
    )


def take_automated_snapshot(account_id: str, region: str, cluster: str) -> str:
    """Take an automated snapshot of a cluster and send its event, as RDS does every night; returns its name.

    Raises:
        RDSClientError: there is no such cluster.
    """
    rds = rds_backends[account_id][region]
    now = datetime.now(UTC)
    name = f"rds:{cluster}-{now:%Y-%m-%d-%H-%M}"
    if name not in rds.cluster_snapshots:
        rds.create_db_cluster_snapshot(cluster, name, snapshot_type="automated")
    tell_of_snapshot(account_id, region, name)
    return name


def tell_of_snapshot(account_id: str, region: str, name: str) -> None:
    """Send the event of an automated snapshot, in the form of the Aurora user guide, "Monitoring Aurora events"."""
    arn = f"arn:aws:rds:{region}:{account_id}:cluster-snapshot:{name}"
    detail = {
        "EventCategories": ["backup"],
        "SourceType": "CLUSTER_SNAPSHOT",
        "SourceArn": arn,
        "Date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        "SourceIdentifier": name,
        "Message": "Automated cluster snapshot created",
        "EventID": SNAPSHOT_CREATED,
    }
    event = {
        "Source": "aws.rds",
        "DetailType": "RDS DB Cluster Snapshot Event",
        "Resources": [arn],
        "Detail": json.dumps(detail),
    }
    events_backends[account_id][region].put_events([event])
