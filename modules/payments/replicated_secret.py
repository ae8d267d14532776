"""Secret of the payments software that both regions read: the acquirer's key, the peppers of API keys.

Creates the secret, encrypted with the secrets key, its policy, and its replica in the recovery region under the secrets
key there. Who reads it names the ARN in its own region.
"""

from __future__ import annotations

from typing import ClassVar

from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret, SecretsmanagerSecretReplica
from cdktf_cdktf_provider_aws.secretsmanager_secret_policy import SecretsmanagerSecretPolicy
from constructs import Construct

from modules.database.secrets import RECOVERY_DAYS, forbidden_to_others
from modules.policy_documents import PolicyDocument, Statement, when
from settings.naming import Names


class ReplicatedSecret(Construct):
    """Secret in the primary region, with its replica. A subclass says which one."""

    NAME: ClassVar[str]
    DESCRIPTION: ClassVar[str]
    CONTENT: ClassVar[str]
    """What is in it, as the ids of IAM statements spell it."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        key: KmsKey,
        replica_region: str,
        replica_key: KmsKey,
        protected: bool,
    ) -> None:
        """A ``protected`` secret can be restored for 30 days after deletion; any other is deleted at once."""
        super().__init__(scope, id_)
        self.secret = SecretsmanagerSecret(
            self,
            "secret",
            name=names.secret(self.NAME),
            description=self.DESCRIPTION,
            kms_key_id=key.arn,
            recovery_window_in_days=RECOVERY_DAYS if protected else 0,
            replica=[SecretsmanagerSecretReplica(region=replica_region, kms_key_id=replica_key.arn)],
            # A replica that an earlier environment of this name left; a protected one may have been promoted.
            force_overwrite_replica_secret=not protected,
            tags={"Name": names.secret(self.NAME)},
        )
        policy = PolicyDocument(self, "document", statement=forbidden_to_others(names.account_id))
        SecretsmanagerSecretPolicy(
            self, "policy", secret_arn=self.secret.arn, policy=policy.json, block_public_policy=True
        )

    @classmethod
    def arn(cls, names: Names, region: str) -> str:
        """The ARN of the secret, or of its replica, in a region, without the six characters that AWS appends to it.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
        """
        return f"arn:aws:secretsmanager:{region}:{names.account_id}:secret:{names.secret(cls.NAME)}"

    @classmethod
    def read_statements(cls, names: Names, region: str, key: KmsKey) -> list[Statement]:
        """IAM statements to read the secret; ``key`` encrypts the secret, or its replica, in the region."""
        arn = f"{cls.arn(names, region)}-??????"
        return [
            Statement(sid=f"Read{cls.CONTENT}", actions=["secretsmanager:GetSecretValue"], resources=[arn]),
            Statement(
                sid=f"Decrypt{cls.CONTENT}",
                actions=["kms:Decrypt"],
                resources=[key.arn],
                condition=[
                    when("StringEquals", "kms:ViaService", f"secretsmanager.{region}.amazonaws.com"),
                    when("StringLike", "kms:EncryptionContext:SecretARN", arn),
                ],
            ),
        ]
