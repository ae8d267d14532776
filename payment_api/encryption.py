"""Customer-managed keys, one a class of data, each of one region, that rotate (P4.4)."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import Key
from constructs import Construct

from payment_api.logs import ENHANCED_MONITORING_LOG, container_insights_log, removal
from payment_api.settings.data import EncryptionSettings
from settings.naming import Names


class ManagedKey(Key):
    """A customer-managed key that rotates, under the alias of its purpose."""

    requirements = ("P4.4",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        purpose: str,
        settings: EncryptionSettings,
        protected: bool,
    ) -> None:
        super().__init__(
            scope,
            id_,
            alias=alias_name(names, purpose),
            description=f"Encrypts {purpose} of {names.prefix} {names.suffix}",
            enable_key_rotation=True,
            rotation_period=Duration.days(settings.rotation_period_days),
            pending_window=Duration.days(settings.deletion_window_days),
            removal_policy=removal(protected=protected),
        )


def alias_name(names: Names, purpose: str) -> str:
    """The alias of a purpose's key: ``alias/payapi/staging/documents``."""
    return f"alias/{names.prefix}/{names.suffix}/{purpose}"


class Encryption(Construct):
    """The keys of the API's region, as attributes named after the data that they encrypt.

    ``documents``: the bucket of documents. ``database``: Aurora and its insights. ``messages``: queues, topics and
    tables. ``logs``: log groups and the trail. ``computers``: the disks of NAT instances and of tasks.
    """

    requirements = ("P4.4",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: EncryptionSettings, protected: bool
    ) -> None:
        super().__init__(scope, id_)

        def key(purpose: str) -> Key:
            return ManagedKey(self, purpose, names=names, purpose=purpose, settings=settings, protected=protected)

        self.documents = key("documents")
        self.database = key("database")
        self.messages = key("messages")
        self.computers = key("computers")
        self.logs = key("logs")
        self._let_logs_use_their_key(names)
        self._let_alarms_use_the_messages_key(names)

    def _let_logs_use_their_key(self, names: Names) -> None:
        """CloudWatch Logs sends the log group in the encryption context; only this environment's are allowed.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        """
        stack = Stack.of(self)
        place = f"arn:aws:logs:{stack.region}:{names.account_id}:log-group"
        groups = [
            f"{place}:{names.log_group('*')}",
            f"{place}:/aws/rds/cluster/{names.of('database')}/*",
            *(f"{place}:aws-waf-logs-{names.of(place_)}" for place_ in ("load-balancer", "gateway")),
            # Log groups whose names AWS fixes: by the id of an API, by a cluster, and one in each region.
            f"{place}:API-Gateway-Execution-Logs_*",
            f"{place}:{container_insights_log(names)}",
            f"{place}:{ENHANCED_MONITORING_LOG}",
        ]
        self.logs.add_to_resource_policy(
            PolicyStatement(
                sid="LogGroupsOfThisEnvironment",
                principals=[ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )

    def _let_alarms_use_the_messages_key(self, names: Names) -> None:
        """An alarm publishes to an encrypted topic only if it may use the topic's key.

        https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        """
        self.messages.add_to_resource_policy(
            PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": names.account_id}},
            )
        )
