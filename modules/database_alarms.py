"""When somebody must look at the database (W5.2): few alarms, each for what an application would soon feel.

Creates the alarms of a cluster, which publish to the region's topic.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from constructs import Construct

from modules.alarm_topic import AlarmTopic
from settings.database import DatabaseSettings
from settings.naming import Names

GIB = 2**30
WRITER = {"Role": "WRITER"}


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A metric that must not be beyond a bound for some minutes on end, and what it means if it is."""

    metric: str
    meaning: str
    bound: float
    minutes: int
    below: bool = False
    statistic: str = "Maximum"
    dimensions: Mapping[str, str]


class DatabaseAlarms(Construct):
    """The alarms of one cluster."""

    requirements = ("W5.2", "W3.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        purpose: str,
        settings: DatabaseSettings,
        cluster: RdsCluster,
        topic: AlarmTopic,
        source_region: str | None = None,
    ) -> None:
        """``purpose`` is what the cluster is for; the secondary of a global database has a ``source_region``."""
        super().__init__(scope, id_)
        thresholds = _of_secondary(source_region) if source_region else _of_primary(settings)
        self.alarms = [
            CloudwatchMetricAlarm(
                self,
                name,
                alarm_name=names.alarm(f"{purpose}-{name}"),
                alarm_description=f"{one.meaning}: docs/runbooks/database-recovery.md",
                namespace="AWS/RDS",
                metric_name=one.metric,
                dimensions={"DBClusterIdentifier": cluster.cluster_identifier, **one.dimensions},
                statistic=one.statistic,
                period=60,
                evaluation_periods=one.minutes,
                comparison_operator="LessThanThreshold" if one.below else "GreaterThanThreshold",
                threshold=one.bound,
                treat_missing_data="missing",  # neither good nor bad: while a writer fails over there is none
                alarm_actions=[topic.topic.arn],
            )
            for name, one in thresholds.items()
        ]


def _of_primary(settings: DatabaseSettings) -> dict[str, Threshold]:
    return {
        "cpu": Threshold(
            metric="CPUUtilization",
            meaning="The writer has been busy for a quarter of an hour: a larger class, or a query that lost its index",
            bound=80,
            minutes=15,
            statistic="Average",
            dimensions=WRITER,
        ),
        "memory": Threshold(
            metric="FreeableMemory",
            meaning="The writer's memory runs out: it will restart",
            bound=settings.memory_gib * GIB * 0.05,
            minutes=5,
            below=True,
            statistic="Minimum",
            dimensions=WRITER,
        ),
        "connections": Threshold(
            metric="DatabaseConnections",
            meaning="The writer has nine tenths of the connections that it takes: logins will be refused",
            bound=int(settings.max_connections * 0.9),
            minutes=3,
            dimensions=WRITER,
        ),
        "replica-lag": Threshold(
            metric="AuroraReplicaLagMaximum",
            meaning="A reader is behind: what was written is not seen there yet",
            bound=2000,  # ms; usually it is less than 100
            minutes=5,
            dimensions={},
        ),
        "deadlocks": Threshold(
            metric="Deadlocks",
            meaning="Transactions are ended because they wait for each other: code that locks in different orders",
            bound=0,
            minutes=15,  # on end: one is bad luck, and retried
            dimensions=WRITER,
        ),
    }


def _of_secondary(source_region: str) -> dict[str, Threshold]:
    return {
        "global-lag": Threshold(
            metric="AuroraGlobalDBReplicationLag",
            meaning="The recovery region is behind: as much would be lost if the primary region were",
            bound=5000,  # ms; usually it is less than 1000
            minutes=5,
            dimensions={"SourceRegion": source_region},
        ),
    }
