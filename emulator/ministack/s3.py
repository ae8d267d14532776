"""S3: encryption, lifecycle, replication and access logs of a bucket.

ministack's CloudFormation drops these properties; its S3 stores them when they are sent by S3's operations, as here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import botocore.serialize
import botocore.session
from ministack.services import s3

from emulator.cloudformation.registry import Properties, ask, complete_type, is_true

_MODEL = botocore.session.get_session().get_service_model("s3")
_SERIALIZER = botocore.serialize.create_serializer("rest-xml", include_validation=True)


def install() -> None:
    """Register these additions with ministack."""
    complete_type("AWS::S3::Bucket", _finish)


def _finish(name: str, properties: Properties) -> None:
    if encryption := properties.get("BucketEncryption"):
        rules = [_encryption_rule(rule) for rule in encryption["ServerSideEncryptionConfiguration"]]
        if all(_complete(rule["ApplyServerSideEncryptionByDefault"]) for rule in rules):
            _put(
                s3._put_bucket_encryption,
                "PutBucketEncryption",
                name,
                ServerSideEncryptionConfiguration={"Rules": rules},
            )
    if lifecycle := properties.get("LifecycleConfiguration"):
        rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
        _put(s3._put_bucket_lifecycle, "PutBucketLifecycleConfiguration", name, LifecycleConfiguration={"Rules": rules})
    if replication := properties.get("ReplicationConfiguration"):
        _put(
            s3._put_bucket_replication,
            "PutBucketReplication",
            name,
            ReplicationConfiguration={
                "Role": replication["Role"],
                "Rules": [_replication_rule(rule) for rule in replication["Rules"]],
            },
        )
    if logging := properties.get("LoggingConfiguration"):
        enabled = {"TargetBucket": logging["DestinationBucketName"], "TargetPrefix": logging.get("LogFilePrefix", "")}
        _put(s3._put_bucket_logging, "PutBucketLogging", name, BucketLoggingStatus={"LoggingEnabled": enabled})


def _put(operation: Callable[..., Any], name: str, bucket: str, **parameters: Any) -> None:
    """Send the request of an SDK, validated against S3's model by botocore."""
    request = _SERIALIZER.serialize_to_request({"Bucket": bucket, **parameters}, _MODEL.operation_model(name))
    ask(lambda body: operation(bucket, body), request["body"])


def _complete(default: Mapping[str, Any]) -> bool:
    """The bootstrap's bucket may name no key: that of AWS is meant."""
    return default["SSEAlgorithm"] == "AES256" or bool(default.get("KMSMasterKeyID"))


def _encryption_rule(rule: Properties) -> dict[str, Any]:
    found: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
    if "BucketKeyEnabled" in rule:
        found["BucketKeyEnabled"] = is_true(rule["BucketKeyEnabled"])
    return found


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    found: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        found["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        found["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "Transitions" in rule:
        found["Transitions"] = [
            {"StorageClass": one["StorageClass"], "Days": int(one["TransitionInDays"])} for one in rule["Transitions"]
        ]
    if noncurrent := rule.get("NoncurrentVersionExpiration"):
        found["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(noncurrent["NoncurrentDays"])}
    if unfinished := rule.get("AbortIncompleteMultipartUpload"):
        found["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(unfinished["DaysAfterInitiation"])}
    return found


def _replication_rule(rule: Properties) -> dict[str, Any]:
    destination = {
        key: value for key, value in rule["Destination"].items() if key not in {"ReplicationTime", "Metrics"}
    }
    for name, inner in (("ReplicationTime", "Time"), ("Metrics", "EventThreshold")):
        if timed := rule["Destination"].get(name):
            destination[name] = {"Status": timed["Status"], inner: {"Minutes": int(timed[inner]["Minutes"])}}
    kept = ("Status", "Filter", "DeleteMarkerReplication", "SourceSelectionCriteria")
    return {
        "ID": rule["Id"],
        "Priority": int(rule["Priority"]),
        "Destination": destination,
        **{name: rule[name] for name in kept if name in rule},
    }
