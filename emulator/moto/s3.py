"""S3: replication and lifecycle configurations kept whole, the notification of EventBridge, delete markers that go.

moto keeps of a replication rule its id, priority, status and destination, and answers constants for the rest; of a
lifecycle rule it drops the number of noncurrent versions to keep, and the smallest size that is moved.
"""

from __future__ import annotations

import uuid
from typing import Any
from xml.etree import ElementTree as ET

from moto.core.responses import ActionResult
from moto.s3.exceptions import ReplicationConfigurationNotFoundError, S3ClientError
from moto.s3.models import FakeDeleteMarker, S3Backend
from moto.s3.responses import S3Response

from emulator.moto.extend import Method, add, override

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class DestinationNotVersionedError(S3ClientError):  # type: ignore[misc]
    """A rule replicates into a bucket without versioning."""

    code = 400

    def __init__(self) -> None:
        super().__init__("InvalidRequest", "Destination bucket must have versioning enabled.")


DEFAULT_MINIMUM_OBJECT_SIZE = "all_storage_classes_128K"
"""S3's default minimum object size for transitions (PutBucketLifecycleConfiguration, API reference)."""


def _sent(self: Any, action: str) -> dict[str, Any]:
    """The request's parameters as AWS's model reads them."""
    self.data["Action"] = action
    self.parse_parameters(self.normalized_request)
    return self.params  # type: ignore[no-any-return]


@override(S3Response)
def _replication_config_from_xml(_original: Method, self: Any, _xml: str) -> dict[str, Any]:
    """The configuration as AWS's model reads it."""
    return _sent(self, "PutBucketReplication")["ReplicationConfiguration"]  # type: ignore[no-any-return]


@override(S3Backend)
def put_bucket_replication(_original: Method, self: Any, bucket_name: str, replication: dict[str, Any]) -> None:
    """Store the configuration as it was sent."""
    for rule in replication["Rules"]:
        destination = self.get_bucket(rule["Destination"]["Bucket"].rpartition(":")[2])
        if not destination.is_versioned:
            raise DestinationNotVersionedError
        # S3 gives a rule without an id one of its own.
        rule.setdefault("ID", str(uuid.uuid4()))
    self.get_bucket(bucket_name).replication = replication


@override(S3Response)
def get_bucket_replication(_original: Method, self: Any) -> Any:
    """Answer the stored configuration."""
    self.data["Action"] = "GetBucketReplication"
    replication = self.backend.get_bucket_replication(self.bucket_name)
    if not replication:
        raise ReplicationConfigurationNotFoundError(bucket_name=self.bucket_name)
    return self.serialized(ActionResult({"ReplicationConfiguration": replication}))


@override(S3Response)
def get_bucket_notification(original: Method, self: Any) -> Any:
    """Answer EventBridge's notification too, when there is one."""
    configuration = self.backend.get_bucket_notification_configuration(self.bucket_name)
    answer = original(self)
    if configuration is None or configuration.event_bridge is None:
        return answer
    status, headers, body = answer
    ET.register_namespace("", NAMESPACE)
    root = ET.fromstring(body)  # noqa: S314 (moto's own answer)
    ET.SubElement(root, f"{{{NAMESPACE}}}EventBridgeConfiguration")
    return status, headers, ET.tostring(root, encoding="unicode")


@override(S3Response)
def _bucket_response_put(
    original: Method, self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]
) -> Any:
    """Let moto validate a lifecycle configuration, and store it as it was sent."""
    answer = original(self, request, bucket_name, querystring)
    if "lifecycle" in querystring:
        sent = _sent(self, "PutBucketLifecycleConfiguration")
        for rule in sent["LifecycleConfiguration"]["Rules"]:
            rule.setdefault("ID", str(uuid.uuid4()))
        self.backend.get_bucket(bucket_name).lifecycle_as_sent = sent
    return answer


@override(S3Response)
def get_bucket_lifecycle(original: Method, self: Any) -> Any:
    """Answer the stored configuration."""
    original(self)  # which is an error where there is none
    sent = self.backend.get_bucket(self.bucket_name).lifecycle_as_sent
    answer = {
        "Rules": sent["LifecycleConfiguration"]["Rules"],
        "TransitionDefaultMinimumObjectSize": sent.get(
            "TransitionDefaultMinimumObjectSize", DEFAULT_MINIMUM_OBJECT_SIZE
        ),
    }
    return self.serialized(ActionResult(answer))


@add(FakeDeleteMarker)
def dispose(_self: Any) -> None:
    """Nothing: a delete marker has no file. moto calls this for all versions where versioning was suspended."""
