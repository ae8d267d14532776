"""Secret with the keys that the acquirer signs its notifications with (Q7): made here, read by the payments service.

Its first key is made by Secrets Manager and is in neither plan nor state: until an operator has exchanged a key with
the acquirer, nobody can sign a notification. A key is rotated by hand, as the acquirer has to take part: two keys are
in the secret for a while, and the service accepts either; it reads them again within a minute. Terraform leaves that
alone.
"""

from __future__ import annotations

from cdktf import Fn
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion
from constructs import Construct

from modules.ephemeral import EphemeralPassword
from modules.payments.replicated_secret import ReplicatedSecret
from settings.naming import Names


class NotificationsSecret(ReplicatedSecret):
    """Secret in the primary region with its first key, and its replica."""

    requirements = ("Q7", "W0.5", "W4.4")
    NAME = "acquirer-notifications"
    DESCRIPTION = "The keys that the acquirer signs its notifications with, as notification_keys"
    CONTENT = "TheNotificationKeys"

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
        first = EphemeralPassword(self, "first-key")
        self.version = SecretsmanagerSecretVersion(
            self,
            "version",
            secret_id=self.secret.id,
            secret_string_wo=Fn.jsonencode({"notification_keys": [first.value]}),
            secret_string_wo_version=1,
        )
