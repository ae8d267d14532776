"""The log group of enhanced monitoring (W5.3): one for all databases of an account in a region, with RDS's fixed name.

Creates it before RDS would create it without a key of ours. In an account that has it already, import it or set
audit.database_metrics_log to false.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Monitoring.OS.CloudWatchLogs.html
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.logs import RETENTION_DAYS
from modules.policy_documents import Statement, service, when
from settings.naming import Names

METRICS_LOG = "RDSOSMetrics"


class DatabaseMetricsLog(Construct):
    """The log group."""

    requirements = ("W5.3",)

    def __init__(self, scope: Construct, id_: str, *, key: KmsKey) -> None:
        """``key`` is the logs key; its policy has ``use_of_key``."""
        super().__init__(scope, id_)
        self.log_group = CloudwatchLogGroup(
            self, "log-group", name=METRICS_LOG, retention_in_days=RETENTION_DAYS, kms_key_id=key.arn
        )

    @staticmethod
    def use_of_key(names: Names, region: str) -> Statement:
        """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html."""
        group = f"arn:aws:logs:{region}:{names.account_id}:log-group:{METRICS_LOG}"
        return Statement(
            sid="UseByMetricsOfDatabases",
            actions=["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            resources=["*"],  # in a key policy the key itself
            principals=[service(f"logs.{region}.amazonaws.com")],
            condition=[when("ArnLike", "kms:EncryptionContext:aws:logs:arn", group)],
        )
