"""The small stack of the replica region (P4.3): the replica of the documents, its key, and its access logs."""

from __future__ import annotations

from aws_cdk import Environment, Stack
from constructs import Construct

from payment_api.documents import REPLICA_PURPOSE, AccessLogs, DocumentBucket
from payment_api.encryption import ManagedKey
from payment_api.settings import Settings


class DocumentReplica(Stack):
    """Deployed before the API's stack, which references its bucket and key by name."""

    requirements = ("P4.3", "P4.4", "P6.2")

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(
            scope,
            id_,
            stack_name=settings.names.of("documents-replica"),
            description="The replica of the payment API's documents",
            env=Environment(account=settings.account_id, region=settings.replica_region),
            termination_protection=settings.protected,
        )
        names = settings.names
        key = ManagedKey(
            self,
            "key",
            names=names,
            purpose=REPLICA_PURPOSE,
            settings=settings.encryption,
            protected=settings.protected,
        )
        self.bucket = DocumentBucket(
            self,
            "bucket",
            name=names.bucket(REPLICA_PURPOSE, settings.replica_region),
            key=key,
            settings=settings.documents,
            access_logs=AccessLogs(self, "access-logs", names=names, protected=settings.protected),
            protected=settings.protected,
        )
