"""Secret with the peppers that merchants' API keys are hashed under (Q3): made here, read by the payments service.

The keys of the database, which is global, are valid in either region, as the secret has a replica. Its first value is
made by Secrets Manager and is in neither plan nor state; an operator adds a pepper and makes it the current one to
rotate it, and Terraform leaves that alone. A pepper may go once no key that is valid was made under it:
`python -m payments merchants keys list` says which.
"""

from __future__ import annotations

from cdktf import Fn
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion
from constructs import Construct

from modules.ephemeral import EphemeralPassword
from modules.payments.replicated_secret import ReplicatedSecret
from settings.naming import Names

FIRST = "first"


class PepperSecret(ReplicatedSecret):
    """Secret in the primary region with its first pepper, and its replica."""

    requirements = ("Q3", "W0.5", "W4.4")
    NAME = "api-key-peppers"
    DESCRIPTION = "The peppers that merchants' API keys are hashed under"
    CONTENT = "ThePeppers"

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
        """As :class:`ReplicatedSecret`."""
        super().__init__(
            scope,
            id_,
            names=names,
            key=key,
            replica_region=replica_region,
            replica_key=replica_key,
            protected=protected,
        )
        pepper = EphemeralPassword(self, "first-pepper")
        self.version = SecretsmanagerSecretVersion(
            self,
            "version",
            secret_id=self.secret.id,
            secret_string_wo=Fn.jsonencode({"current": FIRST, "peppers": {FIRST: pepper.value}}),
            secret_string_wo_version=1,
        )
