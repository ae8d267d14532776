"""The KMS keys of resources in the local AWS, by their ARNs."""

from __future__ import annotations

from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from emulator.authorization.api import ApiRequest


def resolve_key(account: str, region: str, name: str) -> str:
    """The ARN of a key that is named by id, ARN, alias or the alias's ARN; a guess where the key does not exist.

    AWS rejects an unknown key before it evaluates any policy but the caller's.
    """
    if name.startswith("arn:"):
        region, name = name.split(":")[3], name.split(":", 5)[5].removeprefix("key/")
    backend: Any = kms_backends[account][region]
    id_ = backend.get_key_id_from_alias(name) if name.startswith("alias/") else name
    return str(backend.keys[id_].arn) if id_ in backend.keys else f"arn:aws:kms:{region}:{account}:key/{id_ or name}"


def is_own(arn: str) -> bool:
    """Whether a key is customer managed. AWS's own keys require no permission of the caller."""
    account, region, name = arn.split(":")[4], arn.split(":")[3], arn.rpartition("/")[2]
    key: Any = kms_backends[account][region].keys.get(name)
    return key is not None and key.key_manager == "CUSTOMER"


def key_of(api: ApiRequest, resource: str) -> str:
    """The ARN of the key that a resource is encrypted with; empty where it is owned by AWS or there is none."""
    service = resource.split(":")[2]
    named = _NAMES[service](api, resource) if service in _NAMES else ""
    if not named or named.startswith("alias/aws/"):
        return ""
    arn = resolve_key(api.account, resource.split(":")[3] or api.region, named)
    return arn if is_own(arn) else ""


def _of_secret(api: ApiRequest, resource: str) -> str:
    secret: Any = secretsmanager_backends[api.account][api.region].secrets.get(resource)
    if secret is None:
        return ""
    config = getattr(secret, "config", None)  # a replica has a key of its own
    return str((config or {}).get("KmsKeyId") or getattr(secret, "kms_key_id", None) or "")


def _of_queue(api: ApiRequest, resource: str) -> str:
    queue: Any = sqs_backends[api.account][api.region].queues.get(resource.rpartition(":")[2])
    return str(getattr(queue, "kms_master_key_id", None) or "")


def _of_topic(api: ApiRequest, resource: str) -> str:
    topic: Any = sns_backends[api.account][api.region].topics.get(resource)
    return str(getattr(topic, "kms_master_key_id", None) or "")


def _of_bucket(api: ApiRequest, resource: str) -> str:
    """The key that the request names or that the object has; otherwise the bucket's default."""
    name, _, key = resource.rpartition(":")[2].partition("/")
    bucket: Any = s3_backends[api.account]["aws"].buckets.get(name)
    if bucket is None:
        return ""
    reads = api.operation.startswith(("Get", "Head"))
    sent = "" if reads else api.headers.get("x-amz-server-side-encryption-aws-kms-key-id", "")
    stored = getattr(bucket.keys.get(key), "kms_key_id", None) if reads else None
    return str(sent or stored or _default_of(bucket))


def bucket_region(arn: str) -> str:
    """The region of the bucket of an ARN, or of an object's ARN; empty where there is no such bucket."""
    if not arn.startswith("arn:aws:s3:::"):
        return ""
    bucket: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(arn.rpartition(":")[2].partition("/")[0])
    return str(bucket.region_name) if bucket else ""


def encrypts_by_bucket(account: str, arn: str) -> bool:
    """Whether a bucket has a bucket key: the encryption context is then the bucket, and not each object.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    """
    bucket: Any = s3_backends[account]["aws"].buckets.get(arn.rpartition(":")[2].partition("/")[0])
    if bucket is None:
        return False
    return str(_rule_of(bucket).get("BucketKeyEnabled", "")).lower() == "true"


def _rule_of(bucket: Any) -> dict[str, Any]:
    rules = (bucket.encryption or {}).get("Rule") or {}
    return dict(rules[0] if isinstance(rules, list) else rules)


def _default_of(bucket: Any) -> str:
    default = _rule_of(bucket).get("ApplyServerSideEncryptionByDefault") or {}
    return str(default.get("KMSMasterKeyID") or "")


_NAMES = {"s3": _of_bucket, "secretsmanager": _of_secret, "sns": _of_topic, "sqs": _of_queue}
