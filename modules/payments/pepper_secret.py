"""Secret with the peppers that merchants' API keys are hashed under (Q3): made here, read by the payments service.

Creates the secret, encrypted with the secrets key, replicated to the recovery region under its key there, so that the
keys of the database, which is global, are valid in either region. Its first value is made by Secrets Manager and is in
neither plan nor state; an operator adds a pepper and makes it the current one to rotate it, and Terraform leaves that
alone. A pepper may go once no key that is valid was made under it: `python -m payments merchants keys list` says which.
"""

from __future__ import annotations

from cdktf import Fn
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret, SecretsmanagerSecretReplica
from cdktf_cdktf_provider_aws.secretsmanager_secret_policy import SecretsmanagerSecretPolicy
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion
from constructs import Construct

from modules.database.secrets import RECOVERY_DAYS, forbidden_to_others
from modules.ephemeral import EphemeralPassword
from modules.policy_documents import PolicyDocument, Statement, when
from settings.naming import Names

PEPPERS = "api-key-peppers"
FIRST = "first"


class PepperSecret(Construct):
    """Secret in the primary region, with its replica."""

    requirements = ("Q3", "W0.5", "W4.4")

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
            name=names.secret(PEPPERS),
            description="The peppers that merchants' API keys are hashed under",
            kms_key_id=key.arn,
            recovery_window_in_days=RECOVERY_DAYS if protected else 0,
            replica=[SecretsmanagerSecretReplica(region=replica_region, kms_key_id=replica_key.arn)],
            # A replica that an earlier environment of this name left; a protected one may have been promoted.
            force_overwrite_replica_secret=not protected,
            tags={"Name": names.secret(PEPPERS)},
        )
        policy = PolicyDocument(self, "document", statement=forbidden_to_others(names.account_id))
        SecretsmanagerSecretPolicy(
            self, "policy", secret_arn=self.secret.arn, policy=policy.json, block_public_policy=True
        )
        pepper = EphemeralPassword(self, "first-pepper")
        SecretsmanagerSecretVersion(
            self,
            "version",
            secret_id=self.secret.id,
            secret_string_wo=Fn.jsonencode({"current": FIRST, "peppers": {FIRST: pepper.value}}),
            secret_string_wo_version=1,
        )


def pepper_secret_arn(names: Names, region: str) -> str:
    """The ARN of the secret, or of its replica, in a region, without the six characters that AWS appends to it.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
    """
    return f"arn:aws:secretsmanager:{region}:{names.account_id}:secret:{names.secret(PEPPERS)}"


def read_pepper_secret_statements(names: Names, region: str, key: KmsKey) -> list[Statement]:
    """IAM statements to read the secret; ``key`` encrypts the secret, or its replica, in the region."""
    arn = f"{pepper_secret_arn(names, region)}-??????"
    return [
        Statement(sid="ReadThePeppers", actions=["secretsmanager:GetSecretValue"], resources=[arn]),
        Statement(
            sid="DecryptThePeppers",
            actions=["kms:Decrypt"],
            resources=[key.arn],
            condition=[
                when("StringEquals", "kms:ViaService", f"secretsmanager.{region}.amazonaws.com"),
                when("StringLike", "kms:EncryptionContext:SecretARN", arn),
            ],
        ),
    ]
