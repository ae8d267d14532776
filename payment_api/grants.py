"""Grants, each written here as a complete statement, instead of CDK's own grants.

For an imported key CDK writes no statement at all (https://github.com/aws/aws-cdk/issues/20087), and for a queue it
allows more than is called. The calls of functions and tasks are in their calls.toml; tests compare the roles with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk.aws_iam import IGrantable, PolicyStatement
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import Bucket
from aws_cdk.aws_secretsmanager import ISecret
from aws_cdk.aws_sqs import Queue

READ = ("secretsmanager:GetSecretValue",)
ROTATE = (
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:ListSecretVersionIds",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
)
SEND = ("sqs:SendMessage",)
CONSUME = ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
DECRYPT, ENCRYPT = ("kms:Decrypt",), ("kms:Decrypt", "kms:GenerateDataKey")


def allow_reading(grantee: IGrantable, secret: ISecret) -> None:
    """Grant ``grantee`` reading a secret, and its decryption."""
    _allow_of_secret(grantee, secret, READ, DECRYPT)


def allow_rotating(grantee: IGrantable, secret: ISecret) -> None:
    """Grant ``grantee`` creating versions of a secret and moving its staging labels."""
    _allow_of_secret(grantee, secret, ROTATE, ENCRYPT)


def allow_sending(grantee: IGrantable, queue: Queue) -> None:
    """Grant ``grantee`` sending messages to a queue."""
    _allow_of_queue(grantee, queue, SEND, ENCRYPT)


def allow_consuming(grantee: IGrantable, queue: Queue) -> None:
    """Grant ``grantee`` receiving and deleting messages of a queue, and changing their visibility."""
    _allow_of_queue(grantee, queue, CONSUME, DECRYPT)


def allow_reading_objects(grantee: IGrantable, bucket: Bucket, prefix: str) -> None:
    """Grant ``grantee`` finding and reading the objects of a bucket whose keys begin with ``prefix``."""
    assert bucket.encryption_key is not None  # noqa: S101  # buckets of documents are made with one
    allow(grantee, ["s3:ListBucket"], [bucket.bucket_arn], {"StringEquals": {"s3:prefix": prefix}})
    allow(grantee, ["s3:GetObject"], [bucket.arn_for_objects(f"{prefix}*")])
    _allow_of_key(grantee, bucket.encryption_key, DECRYPT, "s3", bucket)


def allow(
    grantee: IGrantable,
    actions: Sequence[str],
    resources: Sequence[str],
    conditions: dict[str, dict[str, str]] | None = None,
) -> None:
    """Grant ``grantee`` these actions under the conditions."""
    grantee.grant_principal.add_to_principal_policy(
        PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
    )


def _allow_of_secret(grantee: IGrantable, secret: ISecret, actions: Sequence[str], of_key: Sequence[str]) -> None:
    allow(grantee, actions, [f"{secret.secret_arn}-??????"])  # Secrets Manager ends the ARN with six characters
    assert secret.encryption_key is not None  # noqa: S101  # secrets are imported with their key
    _allow_of_key(grantee, secret.encryption_key, of_key, "secretsmanager", secret)


def _allow_of_queue(grantee: IGrantable, queue: Queue, actions: Sequence[str], of_key: Sequence[str]) -> None:
    allow(grantee, actions, [queue.queue_arn])
    assert queue.encryption_master_key is not None  # noqa: S101  # queues are made with one
    _allow_of_key(grantee, queue.encryption_master_key, of_key, "sqs", queue)


def _allow_of_key(
    grantee: IGrantable, key: IKey, actions: Sequence[str], service: str, of: ISecret | Queue | Bucket
) -> None:
    """Only through the service: no principal decrypts with the key directly."""
    via = {"StringEquals": {"kms:ViaService": f"{service}.{Stack.of(of).region}.amazonaws.com"}}
    allow(grantee, actions, [key.key_arn], via)
