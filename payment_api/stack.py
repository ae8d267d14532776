"""The payment API in its region: what it is made of, and how its parts know each other."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Environment, Stack, Tags
from constructs import Construct

from payment_api.documents import AccessLogs, Documents
from payment_api.encryption import Encryption
from payment_api.endpoints import Endpoints
from payment_api.nat import Nat
from payment_api.network import Network
from payment_api.replica import DocumentReplica
from payment_api.settings import Settings


class PaymentApi(Stack):
    """Everything of the API's own region."""

    requirements = ("P6.2", "P6.3", "P6.4")

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(
            scope,
            id_,
            stack_name=settings.names.of("api"),
            description="The payment API",
            env=Environment(account=settings.account_id, region=settings.region),
            termination_protection=settings.protected,
        )
        names, protected = settings.names, settings.protected
        self.encryption = Encryption(
            self, "encryption", names=names, encryption=settings.encryption, protected=protected
        )
        self.network = Network(
            self,
            "network",
            names=names,
            network=settings.network,
            logs_key=self.encryption.logs,
            protected=protected,
        )
        self.endpoints = Endpoints(self, "endpoints", names=names, network=self.network, settings=settings.network)
        self.nat = Nat(
            self,
            "nat",
            names=names,
            network=self.network,
            settings=settings.network,
            disk_key=self.encryption.computers,
        )
        access_logs = AccessLogs(self, "access-logs", names=names, protected=protected)
        self.documents = Documents(
            self,
            "documents",
            names=names,
            documents=settings.documents,
            replica_region=settings.replica_region,
            key=self.encryption.documents,
            access_logs=access_logs,
            protected=protected,
        )
        CfnOutput(self, "DocumentsBucketName", value=self.documents.bucket.bucket_name)


def build(app: App, settings: Settings) -> tuple[PaymentApi, DocumentReplica]:
    """Both stacks of an environment, the replica's first, with its tags on everything that takes tags."""
    zones = f"availability-zones:account={settings.account_id}:region={settings.region}"
    app.node.set_context(zones, settings.network.zones)  # the settings know them: no account is asked
    replica = DocumentReplica(app, "documents-replica", settings=settings)
    api = PaymentApi(app, "payment-api", settings=settings)
    api.add_stack_dependency(replica)
    own = {"platform": settings.name_prefix, "environment_suffix": settings.environment_suffix}
    for key, value in {**settings.tags, **own}.items():
        Tags.of(app).add(key, value)
    return api, replica
