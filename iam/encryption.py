"""KMS permissions for an action on an encrypted resource, used on the caller's behalf by the encrypting service."""

from __future__ import annotations

from collections.abc import Mapping

DECRYPT, GENERATE, ENCRYPT = "kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-config-for-kms-objects.html
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
NEEDS: Mapping[str, tuple[str, ...]] = {
    "s3:GetObject": (DECRYPT,),
    "s3:GetObjectVersion": (DECRYPT,),
    "s3:GetObjectVersionForReplication": (DECRYPT,),
    "s3:PutObject": (GENERATE,),
    "s3:ReplicateObject": (ENCRYPT,),
    "secretsmanager:GetSecretValue": (DECRYPT,),
    "secretsmanager:PutSecretValue": (GENERATE,),
    "sns:Publish": (DECRYPT, GENERATE),
    "sqs:ReceiveMessage": (DECRYPT,),
    "sqs:SendMessage": (DECRYPT, GENERATE),
}
"""Permissions on the key, by action."""

CONTEXTS: Mapping[str, str] = {
    "s3": "kms:EncryptionContext:aws:s3:arn",
    "secretsmanager": "kms:EncryptionContext:SecretARN",
    "sqs": "kms:EncryptionContext:aws:sqs:arn",
}
"""By service, the condition key of the encryption context that names the encrypted resource."""


def key_context(action: str, arn: str, *, region: str, account: str) -> dict[str, str]:
    """The condition keys of a call to KMS that a service makes in the caller's name.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    service = action.partition(":")[0]
    context = {CONTEXTS[service]: arn} if service in CONTEXTS else {}
    return {**context, "kms:ViaService": f"{service}.{region}.amazonaws.com", "kms:CallerAccount": account}
