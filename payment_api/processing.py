"""The functions behind the queue (P3.2), and the one that makes the database ready before them.

Creates `process-payment`, called by the queue with batches of which it reports the messages that failed;
`reconcile-payments`, called every few minutes; `prepare-database`, called by CloudFormation; and
`administer-merchants`, called by who runs the API, for merchants and their credentials. The first two are the only ones
that may leave the network, by NAT, and to the acquirer alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk.aws_ec2 import Peer, Port, SecurityGroup
from aws_cdk.aws_events import Rule, Schedule
from aws_cdk.aws_events_targets import LambdaFunction
from aws_cdk.aws_secretsmanager import ISecret
from constructs import Construct

from payment_api import grants
from payment_api.database import Database
from payment_api.documents import Documents
from payment_api.encryption import Encryption
from payment_api.endpoints import HTTPS, Endpoints
from payment_api.functions import ManagedFunction, packaged
from payment_api.network import Network
from payment_api.queues import Queues
from payment_api.secrets import ImportedSecrets
from payment_api.settings import Settings
from settings.common import FUNCTIONS_CA_FILE, RECONCILE_SECONDS, SETTLEMENT_PREFIX

RECONCILE_MINUTES = 5
PREPARE_SECONDS = 300
ANSWER_SECONDS = 60  # for Lambda to start the function, and for its answer
ADMINISTER_SECONDS = 60


class Processing(Construct):
    """The functions ``process``, ``reconcile``, ``prepare`` and ``administer``; others need ``database_ready``."""

    requirements = ("P3.2", "P3.3", "P3.4", "P4.2")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        network: Network,
        endpoints: Endpoints,
        encryption: Encryption,
        database: Database,
        secrets: ImportedSecrets,
        queues: Queues,
        documents: Documents,
    ) -> None:
        super().__init__(scope, id_)
        self._settings, self._network, self._endpoints = settings, network, endpoints
        self._documents = documents
        self._encryption, self._database, self._queues, self._acquirer = encryption, database, queues, secrets.acquirer
        self.database_clients = self._group("database-clients", "Functions that log in to the database")
        self.acquirer_clients = self._group("acquirer-clients", "Functions that call the acquirer")
        database.admit(self.database_clients, "Functions to the database")
        for block in settings.network.acquirer_networks:
            self.acquirer_clients.add_egress_rule(Peer.ipv4(block), Port.tcp(HTTPS), "HTTPS to the acquirer, by NAT")
        self.prepare, self.database_ready = self._prepare_database(secrets.database)
        self.administer = self._administer_merchants(secrets.peppers)
        self.process = self._process_payments()
        self.reconcile = self._reconcile_payments()

    def _group(self, purpose: str, description: str) -> SecurityGroup:
        return SecurityGroup(
            self,
            purpose,
            vpc=self._network.vpc,
            security_group_name=self._settings.names.of(purpose),
            description=description,
            allow_all_outbound=False,
        )

    def _function(self, name: str, *, environment: Mapping[str, str], **more: Any) -> ManagedFunction:
        return ManagedFunction(
            self,
            name.replace("_", "-"),
            name=name,
            names=self._settings.names,
            network=self._network,
            endpoints=self._endpoints,
            logs_key=self._encryption.logs,
            environment_key=self._encryption.messages,
            log_days=self._settings.observability.log_retention_days,
            environment={
                "ENVIRONMENT_SUFFIX": self._settings.environment_suffix,
                "DATABASE_CA_FILE": FUNCTIONS_CA_FILE,
                **environment,
            },
            **more,
        )

    def _prepare_database(self, master: ISecret) -> tuple[ManagedFunction, CustomResource]:
        function = self._function(
            "prepare_database",
            timeout_seconds=PREPARE_SECONDS,
            memory_mib=512,
            reserved_concurrency=1,
            environment={
                **self._database.variables(""),
                "DATABASE_LOGIN": "secret",
                "DATABASE_SECRET_ARN": master.secret_arn,
            },
            groups=[self.database_clients],
        )
        function.node.add_dependency(self._database.group)
        grants.allow_reading(function, master)
        ready = CustomResource(
            self,
            "database-ready",
            resource_type="Custom::PreparedDatabase",
            service_token=function.function_arn,
            properties={
                "Logins": self._database.settings.logins,
                # Other code, or another step of the schema, is a reason to call it again.
                "Version": hashlib.sha256(packaged("prepare_database").read_bytes()).hexdigest(),
            },
            # The function does nothing on Delete: it is not invoked, and a rollback need not wait for its response.
            removal_policy=RemovalPolicy.RETAIN,
            service_timeout=Duration.seconds(PREPARE_SECONDS + ANSWER_SECONDS),
        )
        ready.node.add_dependency(self._database.cluster, self._database.attachment, function)
        return function, ready

    def _administer_merchants(self, peppers: ISecret) -> ManagedFunction:
        """Called by `make merchant` alone, one command at a time."""
        user = self._database.settings.administration_user
        function = self._function(
            "administer_merchants",
            timeout_seconds=ADMINISTER_SECONDS,
            memory_mib=256,
            reserved_concurrency=1,
            environment={
                **self._database.variables(user),
                "API_KEY_PEPPERS_SECRET_ARN": peppers.secret_arn,
                "API_KEY_MODE": self._settings.service.api_key_mode,
            },
            groups=[self.database_clients],
        )
        self._database.grant_login(function, user)
        grants.allow_reading(function, peppers)
        function.node.add_dependency(self.database_ready, self._database.group)
        return function

    def _process_payments(self) -> ManagedFunction:
        processing = self._settings.processing
        function = self._worker(
            "process_payment",
            timeout_seconds=processing.timeout_seconds,
            memory_mib=processing.memory_mib,
            reserved_concurrency=processing.concurrency,
        )
        grants.allow_consuming(function, self._queues.payments)
        grants.allow_sending(function, self._queues.dead_letters)
        function.add_event_source_mapping(
            "payments",
            event_source_arn=self._queues.payments.queue_arn,
            batch_size=processing.batch_size,
            max_concurrency=processing.concurrency,
            report_batch_item_failures=True,
        )
        return function

    def _reconcile_payments(self) -> ManagedFunction:
        """One run at a time: the next run does the rest. The acquirer's settlement files are among the documents."""
        function = self._worker(
            "reconcile_payments",
            timeout_seconds=RECONCILE_SECONDS,
            memory_mib=self._settings.processing.memory_mib,
            reserved_concurrency=1,
            more_environment={
                "SETTLEMENT_BUCKET": self._documents.bucket.bucket_name,
                "SETTLEMENT_PREFIX": SETTLEMENT_PREFIX,
            },
        )
        grants.allow_sending(function, self._queues.payments)
        grants.allow_reading_objects(function, self._documents.bucket, SETTLEMENT_PREFIX)
        Rule(
            self,
            "reconcile-schedule",
            rule_name=self._settings.names.of("reconcile-payments"),
            description="Looks after payments that nobody has answered",
            schedule=Schedule.rate(Duration.minutes(RECONCILE_MINUTES)),
            targets=[LambdaFunction(function, retry_attempts=0, max_event_age=Duration.minutes(RECONCILE_MINUTES))],
        )
        return function

    def _worker(self, name: str, *, more_environment: Mapping[str, str] | None = None, **more: Any) -> ManagedFunction:
        """A function that calls the acquirer, and stores its decision."""
        processing, database = self._settings.processing, self._database
        function = self._function(
            name,
            environment={
                **database.variables(database.settings.processing_user),
                "DATABASE_CONNECTIONS": str(processing.connections_per_function),
                "QUEUE_URL": self._queues.payments.queue_url,
                "DEAD_LETTER_QUEUE_URL": self._queues.dead_letters.queue_url,
                "PROCESSING_TRIES": str(processing.tries),
                "PROCESSING_CALL_SECONDS": str(processing.call_seconds),
                "ACQUIRER_BASE_URL": self._settings.acquirer.url,
                "ACQUIRER_SECRET_ARN": self._acquirer.secret_arn,
                **self._settings.acquirer.variables,
                **(more_environment or {}),
            },
            groups=[self.database_clients, self.acquirer_clients],
            **more,
        )
        database.grant_login(function, database.settings.processing_user)
        grants.allow_reading(function, self._acquirer)
        function.node.add_dependency(self.database_ready, self._database.group)
        return function
