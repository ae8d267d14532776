"""What becomes of a payment after a service has accepted it (P3.2, Q2).

Creates in a region the queue that the service fills, with its dead letters, and behind it two functions in the private
tier: `process-payment`, which the queue calls with batches and which reports the messages of a batch that are to stay,
and `reconcile-payments`, which a schedule calls to find lost answers and to send lost messages again. Both log in to
their region's database by the application's secret, and reach the acquirer on 443 and nobody else outside.

It is the same in both regions. The queue is worked off where it is, and written wherever the writer is; it is empty
where no requests go. The reconciler works where the writer is: in the other region it finds no instance that writes,
says so in its log, and goes on at the first run after a failover. Nothing has to be switched on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
from modules.function import Function, FunctionSpecification
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Incident
from modules.network.endpoints import Endpoints
from modules.network.security_groups import HTTPS_PORT, Addresses, End, Flow, Internet
from modules.network.vpc import Network
from modules.payments.acquirer_secret import acquirer_secret_arn, to_read_the_acquirers_key
from modules.policy_documents import Statement
from modules.queues.queue import Queue
from modules.region import Region
from settings.common import FUNCTIONS_CA_FILE, RECONCILE_SECONDS, VISIBILITY_PER_TIMEOUT
from settings.naming import PROCESS_PAYMENT, Names
from settings.processing import ProcessingSettings

RECONCILE = "reconcile-payments"
RECONCILE_RUNS_IN_VAIN = 3
MINUTE_SECONDS = 60


class PaymentsProcessing(Construct):
    """The queue as ``queue``; the functions as ``functions`` by purpose, none where the region has no database."""

    requirements = ("P3.2", "Q2", "W5.2", "W5.4")

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
        database: DatabaseAccess | None,
        after: Sequence[ITerraformDependable],
        stands_by: bool,
    ) -> None:
        """``endpoints`` gives the group by which functions call AWS; ``topic`` takes the alarms.

        ``database`` is the region's, if it has one; its schema is as the functions know it ``after`` these. In a region
        that ``stands_by`` nobody is told of a reconciler that finds no writer.
        """
        super().__init__(scope, id_)
        self._names, self._settings = names, settings
        self._region = Region.of(self).name
        self._network, self._endpoints, self._keys, self._topic = network, endpoints, keys, topic
        self._after = after
        self.queue = Queue(
            self,
            "queue",
            names=names,
            purpose=PROCESS_PAYMENT,
            key=keys.objects,
            topic=topic,
            visibility_timeout_seconds=settings.timeout_seconds * VISIBILITY_PER_TIMEOUT,
            attempts=settings.tries,
            incident=Incident.PAYMENTS_NOT_PROCESSED,
        )
        self.functions: dict[str, Function] = {}
        if database:
            self._process(database)
            # Where the writer is, one reconciles: the other region's finds none at its own region's endpoint.
            here = replace(database, global_cluster=None, other_addresses=None)
            self._reconcile(here, None if stands_by else topic)

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
            self.queue.to_work_off,
            self._topic,
        )
        LambdaEventSourceMapping(
            self,
            "messages",
            event_source_arn=self.queue.queue.arn,
            function_name=function.function.function_name,
            batch_size=settings.batch_size,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=LambdaEventSourceMappingScalingConfig(maximum_concurrency=settings.concurrency),
            depends_on=[function.policy],  # Terraform cannot infer it: Lambda looks whether the role may receive
        )

    def _reconcile(self, database: DatabaseAccess, topic: AlarmTopic | None) -> None:
        """One at a time: what one run leaves, the next finds."""
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
                variables=self._variables(database),
            ),
            self.queue.to_send,
            topic,
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
            # The next run does what this one could not.
            retry_policy=CloudwatchEventTargetRetryPolicy(
                maximum_retry_attempts=0, maximum_event_age_in_seconds=minutes * MINUTE_SECONDS
            ),
            depends_on=[permission],  # Terraform cannot infer it: without it the first runs are refused
        )

    def _function(
        self,
        database: DatabaseAccess,
        specification: FunctionSpecification,
        statements: Sequence[Statement],
        topic: AlarmTopic | None,
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
                *to_read_the_acquirers_key(self._names, self._region, self._keys.secrets),
            ],
            network=self._network,
            groups=[self._endpoints.clients],
            topic=topic,
            incident=Incident.PAYMENTS_NOT_PROCESSED,
            after=self._after,
        )
        database.admit(self, f"payments-{purpose}", function.group)
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
        """By the names that services/payments reads. AWS_REGION is Lambda's own."""
        settings = self._settings
        return {
            **database.variables(settings.connections_per_function),
            "DATABASE_CA_FILE": FUNCTIONS_CA_FILE,
            "ENVIRONMENT_SUFFIX": self._names.suffix,
            "QUEUE_URL": self.queue.queue.url,
            "PROCESSING_TRIES": str(settings.tries),
            "PROCESSING_CALL_SECONDS": str(settings.call_seconds),
            "ACQUIRER_BASE_URL": settings.acquirer.url,
            "ACQUIRER_SECRET_ARN": acquirer_secret_arn(self._names, self._region),
        }
