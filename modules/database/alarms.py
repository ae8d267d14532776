"""Alarms on an Aurora cluster (W5.2): few, each for a condition that an application would soon notice.

Creates the alarms of a cluster, which publish to the region's topic.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
"""

from __future__ import annotations

from collections.abc import Mapping

from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from constructs import Construct

from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.alarms import Alarm, Incident, Missing
from modules.monitoring.metrics import Metric
from settings.database import DatabaseSettings

GIB = 2**30
WRITER = {"Role": "WRITER"}


class DatabaseAlarms(Construct):
    """The alarms of one cluster."""

    requirements = ("W5.2", "W3.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        purpose: str,
        settings: DatabaseSettings,
        cluster: RdsCluster,
        topic: AlarmTopic,
        other_region: str | None = None,
    ) -> None:
        """``purpose`` is what the cluster is for; one of a global database has a cluster in the ``other_region``.

        Either cluster of a global database may have the writer. Metrics that only a writer publishes are missing in
        the other one.
        """
        super().__init__(scope, id_)
        self._purpose = purpose
        self._settings = settings
        self._dimensions = {"DBClusterIdentifier": str(cluster.cluster_identifier)}
        alarms = self._of_writer() | (self._of_secondary(other_region) if other_region else {})
        self.alarms = [topic.watch(self, id_, alarm) for id_, alarm in alarms.items()]

    def _of_writer(self) -> dict[str, Alarm]:
        settings = self._settings
        return {
            "cpu": self._alarm(
                "cpu",
                self._metric("CPUUtilization", "Average", WRITER),
                "The writer has been busy for a quarter of an hour: a larger class, or a query that lost its index",
                bound=80,
                minutes=15,
            ),
            "memory": self._alarm(
                "memory",
                self._metric("FreeableMemory", "Minimum", WRITER),
                "The writer's memory runs out: it will restart",
                bound=settings.memory_gib * GIB * 0.05,
                minutes=5,
                below=True,
            ),
            "connections": self._alarm(
                "connections",
                self._metric("DatabaseConnections", "Maximum", WRITER),
                "The writer has nine tenths of the connections that it takes: logins will be refused",
                bound=int(settings.max_connections * 0.9),
                minutes=3,
                pages=Incident.PAYMENTS_NOT_PROCESSED,
            ),
            "replica-lag": self._alarm(
                "replica-lag",
                self._metric("AuroraReplicaLagMaximum", "Maximum", {}),
                "A reader is behind: what was written is not seen there yet",
                bound=2000,  # ms; usually it is less than 100
                minutes=5,
            ),
            "deadlocks": self._alarm(
                "deadlocks",
                self._metric("Deadlocks", "Maximum", WRITER),
                "Transactions are ended because they wait for each other: code that locks in different orders",
                bound=0,
                minutes=15,  # on end: one is bad luck, and retried
            ),
        }

    def _of_secondary(self, source_region: str) -> dict[str, Alarm]:
        return {
            "global-lag": self._alarm(
                "global-lag",
                self._metric("AuroraGlobalDBReplicationLag", "Maximum", {"SourceRegion": source_region}),
                "This region's copy is behind: as much would be lost if the region that writes were",
                bound=self._settings.recovery_point_seconds * 1000,  # ms; usually it is less than 1000
                minutes=5,
                pages=Incident.DATA_AT_RISK,
            ),
        }

    def _metric(self, name: str, statistic: str, dimensions: Mapping[str, str]) -> Metric:
        return Metric("AWS/RDS", name, statistic, {**self._dimensions, **dimensions})

    def _alarm(
        self,
        name: str,
        metric: Metric,
        meaning: str,
        *,
        bound: float,
        minutes: int,
        below: bool = False,
        pages: Incident | None = None,
    ) -> Alarm:
        return Alarm(
            name=f"{self._purpose}-{name}",
            kind=f"database-{name}",  # whichever cluster it is of, the same is to be done
            meaning=meaning,
            metrics={"value": metric},
            bound=bound,
            below=below,
            periods=minutes,
            missing=Missing.SAYS_NOTHING,  # while a writer fails over there is none
            pages=pages,
        )
