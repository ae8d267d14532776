"""Asynchronous processing of payments: an SQS queue and the Lambda functions behind it (P3.2, Q2).

Creates in a region the queue that the payments service sends to, with its dead-letter queue, and two functions in the
private tier: `process-payment`, invoked with batches of the queue, which reports partial batch failures, and
`reconcile-payments`, invoked by a schedule, which looks up lost decisions, resends lost messages and reads the
acquirer's settlement files (Q6), which are put into the bucket of backups: it is versioned, and replicated to the other
region. Both log in to their region's database with the secret for processing; the acquirer on 443 is their only egress
to the internet.

Both regions are the same. Each queue is consumed in its region; the functions write to the writer wherever it is. The
reconciler works in the region of the writer: in the other region it finds the writer elsewhere, does nothing, and
starts working at the first run after a failover. Nothing has to be switched on.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import CloudwatchEventTarget, CloudwatchEventTargetRetryPolicy
from cdktf_cdktf_provider_aws.lambda_event_source_mapping import (
    LambdaEventSourceMapping,
    LambdaEventSourceMappingScalingConfig,
)
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.database.secrets import PROCESSING
from modules.function import Function, FunctionSpecification
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Incident
from modules.network.endpoints import Endpoints
from modules.network.security_groups import HTTPS_PORT, Addresses, End, Flow, Internet
from modules.network.vpc import Network
from modules.payments.acquirer_secret import AcquirerSecret
from modules.policy_documents import Statement, when
from modules.queues.queue import Queue
from modules.region import Region
from modules.storage.buckets import Bucket
from settings.common import (
    FUNCTIONS_CA_FILE,
    MAX_RECEIVES,
    RECONCILE_SECONDS,
    SETTLEMENT_PREFIX,
    VISIBILITY_PER_TIMEOUT,
)
from settings.naming import PROCESS_PAYMENT, Names
from settings.processing import ProcessingSettings

RECONCILE = "reconcile-payments"
RECONCILE_RUNS_IN_VAIN = 3
MINUTE_SECONDS = 60


class PaymentsProcessing(Construct):
    """Queue as ``queue``, functions as ``functions`` by purpose, in either region."""

    requirements = ("P3.2", "Q2", "Q6", "W5.2", "W5.4")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ProcessingSettings,
        network: Network,
        endpoints: Endpoints,
        keys: Keys,
        topic: AlarmTopic,
        database: DatabaseAccess,
        settlement: Bucket,
        after: Sequence[ITerraformDependable],
    ) -> None:
        """``endpoints`` provides the security group of endpoint clients; ``topic`` receives the alarms.

        ``settlement`` is the region's bucket that has settlement files.

        The schema of the ``database`` is migrated ``after`` these resources.
        """
        super().__init__(scope, id_)
        self._names, self._settings = names, settings
        self._region = Region.of(self).name
        self._network, self._endpoints, self._keys, self._topic = network, endpoints, keys, topic
        self._after, self._settlement = after, settlement
        self.queue = Queue(
            self,
            "queue",
            names=names,
            purpose=PROCESS_PAYMENT,
            key=keys.objects,
            topic=topic,
            visibility_timeout_seconds=settings.timeout_seconds * VISIBILITY_PER_TIMEOUT,
            attempts=MAX_RECEIVES,
            incident=Incident.PAYMENTS_NOT_PROCESSED,
        )
        self.functions: dict[str, Function] = {}
        self._process(database.by(PROCESSING))
        self._reconcile(database.by(PROCESSING))

    def _process(self, database: DatabaseAccess) -> None:
        settings = self._settings
        function = self._function(
            database,
            FunctionSpecification(
                purpose=PROCESS_PAYMENT,
                title="processing of payments",
                description="Asks the acquirer for what a message wants, and stores the answer",
                timeout_seconds=settings.timeout_seconds,
                memory_mib=settings.memory_mib,
                reserved_concurrency=settings.concurrency if settings.reserve_concurrency else None,
                traced=True,
                variables=self._variables(database),
            ),
            [*self.queue.consume_statements, *self.queue.give_up_statements],
        )
        LambdaEventSourceMapping(
            self,
            "messages",
            event_source_arn=self.queue.queue.arn,
            function_name=function.function.function_name,
            batch_size=settings.batch_size,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=LambdaEventSourceMappingScalingConfig(maximum_concurrency=settings.concurrency),
            depends_on=[function.policy],  # not inferable: Lambda checks whether the role may receive
        )

    def _reconcile(self, database: DatabaseAccess) -> None:
        """Run the reconciler on a schedule, one run at a time: the next run finds what one leaves."""
        settings, minutes = self._settings, self._settings.reconcile_minutes
        function = self._function(
            database,
            FunctionSpecification(
                purpose=RECONCILE,
                title="reconciliation of payments",
                description="Looks after payments that nobody has answered",
                timeout_seconds=RECONCILE_SECONDS,
                memory_mib=settings.memory_mib,
                reserved_concurrency=1 if settings.reserve_concurrency else None,
                traced=True,
                failing_calls=RECONCILE_RUNS_IN_VAIN,
                failing_minutes=RECONCILE_RUNS_IN_VAIN * minutes,
                # Where the region has no cluster that could have the writer, nothing is reconciled there.
                variables=self._variables(database)
                | {
                    "RECONCILIATION_WRITER_HOST": database.own_host or "none",
                    "SETTLEMENT_BUCKET": self._settlement.bucket.id,
                    "SETTLEMENT_PREFIX": SETTLEMENT_PREFIX,
                },
            ),
            [*self.queue.send_statements, *self._read_settlement_files()],
        )
        rule = CloudwatchEventRule(
            self,
            "schedule",
            name=self._names.of(RECONCILE),
            description="Looks after payments that nobody has answered",
            schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
            tags={"Name": self._names.of(RECONCILE)},
        )
        permission = LambdaPermission(
            self,
            "schedule-permission",
            function_name=function.function.function_name,
            action="lambda:InvokeFunction",
            principal="events.amazonaws.com",
            source_account=self._names.account_id,
            source_arn=rule.arn,
        )
        CloudwatchEventTarget(
            self,
            "schedule-target",
            rule=rule.name,
            arn=function.function.arn,
            # The next run does the rest.
            retry_policy=CloudwatchEventTargetRetryPolicy(
                maximum_retry_attempts=0, maximum_event_age_in_seconds=minutes * MINUTE_SECONDS
            ),
            depends_on=[permission],  # Terraform cannot infer it: without it the first runs are refused
        )

    def _read_settlement_files(self) -> list[Statement]:
        bucket, key = self._settlement.bucket.arn, self._settlement.key
        return [
            Statement(
                sid="FindSettlementFiles",
                actions=["s3:ListBucket"],
                resources=[bucket],
                condition=[when("StringEquals", "s3:prefix", SETTLEMENT_PREFIX)],
            ),
            Statement(
                sid="ReadSettlementFiles", actions=["s3:GetObject"], resources=[f"{bucket}/{SETTLEMENT_PREFIX}*"]
            ),
            Statement(
                sid="DecryptSettlementFiles",
                actions=["kms:Decrypt"],
                resources=[key.arn] if key else [],
                condition=[when("StringEquals", "kms:ViaService", f"s3.{self._region}.amazonaws.com")],
            ),
        ]

    def _function(
        self,
        database: DatabaseAccess,
        specification: FunctionSpecification,
        statements: Sequence[Statement],
    ) -> Function:
        purpose = specification.purpose
        function = Function(
            self,
            purpose,
            names=self._names,
            specification=specification,
            key=self._keys.logs,
            statements=[
                *statements,
                *database.statements,
                *AcquirerSecret.read_statements(self._names, self._region, self._keys.secrets),
            ],
            network=self._network,
            groups=[self._endpoints.clients],
            topic=self._topic,
            incident=Incident.PAYMENTS_NOT_PROCESSED,
            after=self._after,
        )
        database.allow_from(self, f"payments-{purpose}", function.group)
        reason = f"{purpose} calls the acquirer, through NAT"
        blocks: list[End] = [Addresses(block) for block in self._settings.acquirer.networks]
        for number, destination in enumerate(blocks or [Internet()]):
            Flow(
                self,
                f"{purpose}-to-acquirer-{number}",
                source=function.group,
                destination=destination,
                port=HTTPS_PORT,
                reason=reason,
            )
        self.functions[purpose] = function
        return function

    def _variables(self, database: DatabaseAccess) -> dict[str, str]:
        """Environment variables by the names that services/payments reads; Lambda sets AWS_REGION itself."""
        settings = self._settings
        return {
            **database.variables(settings.connections_per_function),
            "DATABASE_CA_FILE": FUNCTIONS_CA_FILE,
            "ENVIRONMENT_SUFFIX": self._names.suffix,
            "QUEUE_URL": self.queue.queue.url,
            "DEAD_LETTER_QUEUE_URL": self.queue.dead_letters.url,
            "PROCESSING_TRIES": str(settings.tries),
            "PROCESSING_CALL_SECONDS": str(settings.call_seconds),
            "ACQUIRER_BASE_URL": settings.acquirer.url,
            "ACQUIRER_SECRET_ARN": AcquirerSecret.arn(self._names, self._region),
            **settings.acquirer.variables,
        }
