"""The database's passwords, in Secrets Manager (W3.3, W0.5).

Creates secrets under the secrets key, replicated to the recovery region under its key there: the master's, and one for
each kind of process of the payments service, which each have a login of their own. Secrets Manager generates their
first values, which Terraform passes to cluster and secret in the same run: they are in neither plan nor state. From
then on the passwords are rotated (modules/database/rotation.py), and Terraform ignores them.

IAM policies of the readers grant access; the secrets' own resource policies grant none. These only deny requests
without TLS and principals of other accounts, whatever an IAM policy may allow by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cdktf import Fn
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret, SecretsmanagerSecretReplica
from cdktf_cdktf_provider_aws.secretsmanager_secret_policy import SecretsmanagerSecretPolicy
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion
from constructs import Construct

from modules.database.cluster import DATABASE_NAME, MASTER_USERNAME, Database
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.ephemeral import EphemeralPassword
from modules.policy_documents import PolicyDocument, Statement, anyone, when
from settings.naming import Names

MASTER, APPLICATION = "master", "application"
PROCESSING, PUBLISHING, ADMINISTRATION = "processing", "publishing", "administration"
USERNAMES: Mapping[str, str] = MappingProxyType(
    {
        APPLICATION: "payments",
        PROCESSING: "payments_processing",
        PUBLISHING: "payments_publishing",
        ADMINISTRATION: "payments_administration",
    }
)
"""The first user of each secret, by its purpose: a rotation alternates it with a second one."""
PROCESSES: Mapping[str, str] = MappingProxyType(
    {user: "api" if purpose == APPLICATION else purpose for purpose, user in USERNAMES.items()}
)
"""The process of the payments service that each user is for (payments.roles.Process)."""
# A protected secret can be restored for this long; any other is deleted at once, so that its name is free again.
RECOVERY_DAYS = 30
NOTHING: Mapping[str, str] = MappingProxyType({})


class DatabaseSecrets(Construct):
    """The master's secret as ``master``, and those of the processes as ``logins``, by purpose."""

    requirements = ("W3.3", "W0.5")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        database: Database,
        key: KmsKey,
        replica_region: str,
        replica_key: KmsKey,
        protected: bool,
    ) -> None:
        super().__init__(scope, id_)
        self._names = names
        self._database = database
        self._key = key
        self._replica = SecretsmanagerSecretReplica(region=replica_region, kms_key_id=replica_key.arn)
        self._recovery_days = RECOVERY_DAYS if protected else 0
        self.master = self._secret(MASTER, "The database's administrator")
        self.master_version = self._version(
            MASTER,
            self.master,
            username=MASTER_USERNAME,
            password=database.master_password,
            version=database.settings.master_password_version,
        )
        self.logins = {purpose: self._login(purpose, username) for purpose, username in USERNAMES.items()}

    def _login(self, purpose: str, username: str) -> tuple[SecretsmanagerSecret, SecretsmanagerSecretVersion]:
        application = purpose == APPLICATION
        who = "The application's user" if application else f"The user for {purpose}"
        secret = self._secret(purpose, f"{who} of the database, one of two in turn")
        version = self._version(
            purpose,
            secret,
            username=username,
            password=EphemeralPassword(self, "first-password" if application else f"first-{purpose}-password"),
            more={"masterarn": self.master.arn},  # the user that creates the others
        )
        return secret, version

    def _secret(self, purpose: str, description: str) -> SecretsmanagerSecret:
        name = secret_name(self._names, purpose)
        secret = SecretsmanagerSecret(
            self,
            purpose,
            name=name,
            description=description,
            kms_key_id=self._key.arn,
            recovery_window_in_days=self._recovery_days,
            replica=[self._replica],
            # A replica that an earlier environment of this name left. A protected one may have been promoted while its
            # region served alone: the passwords in it are those that open the database.
            force_overwrite_replica_secret=self._recovery_days == 0,
            tags={"Name": name},
        )
        policy = PolicyDocument(self, f"{purpose}-document", statement=forbidden_to_others(self._names.account_id))
        SecretsmanagerSecretPolicy(
            self, f"{purpose}-policy", secret_arn=secret.arn, policy=policy.json, block_public_policy=True
        )
        return secret

    def _version(
        self,
        purpose: str,
        secret: SecretsmanagerSecret,
        *,
        username: str,
        password: EphemeralPassword,
        version: int = 1,
        more: Mapping[str, str] = NOTHING,
    ) -> SecretsmanagerSecretVersion:
        """The first value; a greater ``version`` makes another. In the form that AWS's own rotation functions read.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
        """
        value = {
            "engine": "postgres",
            "host": self._database.cluster.endpoint,
            "port": POSTGRESQL_PORT,
            "dbname": DATABASE_NAME,
            "username": username,
            "password": password.value,
            "ssl": True,
            **more,
        }
        return SecretsmanagerSecretVersion(
            self,
            f"{purpose}-version",
            secret_id=secret.id,
            secret_string_wo=Fn.jsonencode(value),
            secret_string_wo_version=version,
        )


def secret_name(names: Names, purpose: str) -> str:
    """The name of the secret of this purpose."""
    return names.secret(f"database/{purpose}")


def forbidden_to_others(account_id: str) -> list[Statement]:
    """That a secret is for this account alone, and by TLS. In its policy "*" is the secret that the policy belongs to.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_resource-policies.html
    """
    return [
        Statement(
            sid="NothingWithoutTls",
            effect="Deny",
            actions=["secretsmanager:*"],
            resources=["*"],
            principals=[anyone()],
            condition=[when("Bool", "aws:SecureTransport", "false")],
        ),
        Statement(
            sid="NobodyOfAnotherAccount",
            effect="Deny",
            actions=["secretsmanager:*"],
            resources=["*"],
            principals=[anyone()],
            condition=[
                when("StringNotEquals", "aws:PrincipalAccount", account_id),
                when("Bool", "aws:PrincipalIsAWSService", "false"),
            ],
        ),
    ]
