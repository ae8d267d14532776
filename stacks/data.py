"""The database and its backups: written in the primary region, kept in both (W3)."""

from __future__ import annotations

from modules.backup.plan import Backups
from modules.backup.restore_test import RestoreTest
from modules.backup.snapshot_export import SnapshotExport
from modules.database.access import DatabaseAccess
from modules.database.alarms import DatabaseAlarms
from modules.database.cluster import Database
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.database.reader_scaling import ReaderScaling
from modules.database.rotation import DatabaseRotation
from modules.database.schema import DatabaseSchema
from modules.database.secrets import DatabaseSecrets
from modules.database.standby import RecoveryDatabase
from modules.network.security_groups import Addresses, Flow
from modules.payments.acquirer_secret import AcquirerSecret
from settings import Settings
from settings.naming import DATABASE, RECOVERY_DATABASE
from stacks.serving_region import ServingRegion


class Data:
    """The database of both regions, its secrets, rotation, scaling, alarms and backups.

    Not a construct: each part is a child of its region, so that its logical id names the region.
    """

    def __init__(self, *, settings: Settings, primary: ServingRegion, recovery: ServingRegion) -> None:
        self._settings, self._names = settings, settings.names
        self._primary, self._recovery = primary, recovery
        self.database = Database(
            primary,
            "database",
            names=self._names,
            settings=settings.database,
            network=primary.network,
            keys=primary.keys,
            zones=primary.region_settings.zones,
            protected=settings.protected,
            metrics_log=primary.metrics_log,
        )
        self.standby = RecoveryDatabase(
            recovery,
            "database",
            names=self._names,
            settings=settings.database,
            primary=self.database,
            network=recovery.network,
            keys=recovery.keys,
            zones=recovery.region_settings.zones,
            protected=settings.protected,
            metrics_log=recovery.metrics_log,
        )
        self.secrets = DatabaseSecrets(
            primary,
            "database-secrets",
            names=self._names,
            database=self.database,
            key=primary.keys.secrets,
            replica_region=recovery.name,
            replica_key=recovery.keys.secrets,
            protected=settings.protected,
        )
        self.schema = self._prepare()
        DatabaseRotation(
            primary,
            "database-rotation",
            names=self._names,
            database=self.database,
            secrets=self.secrets,
            network=primary.network,
            endpoints=primary.endpoints,
            keys=primary.keys,
            topic=primary.alarms,
            after=self.schema.ready if self.schema else [],
        )
        if self.standby.global_cluster:
            self._let_write(self.database, recovery)
            self._let_write(self.standby, primary)
        ReaderScaling(primary, "reader-scaling", names=self._names, database=self.database)
        self._watch()
        self._back_up()
        if settings.processing and self.schema:
            AcquirerSecret(
                primary,
                "payments-acquirer",
                names=self._names,
                key=primary.keys.secrets,
                replica_region=recovery.name,
                replica_key=recovery.keys.secrets,
                protected=settings.protected,
            )

    def access(self, region: ServingRegion) -> DatabaseAccess | None:
        """How services of ``region`` reach their database; None where no cluster runs until a snapshot is restored."""
        own, other = (self.database, self.standby) if region is self._primary else (self.standby, self.database)
        if own.cluster is None:
            return None
        return DatabaseAccess(
            names=self._names,
            region=region.name,
            cluster=own.cluster,
            group=own.group,
            key=region.keys.secrets,
            global_cluster=self.standby.global_cluster if self._settings.database.global_endpoint else None,
            other_addresses=Addresses(other.group.addresses) if self.standby.global_cluster else None,
        )

    def _prepare(self) -> DatabaseSchema | None:
        if not (processing := self._settings.processing):
            return None
        return DatabaseSchema(
            self._primary,
            "payments-schema",
            names=self._names,
            database=self.database,
            secrets=self.secrets,
            network=self._primary.network,
            endpoints=self._primary.endpoints,
            keys=self._primary.keys,
            on_deploy=processing.migrate_on_deploy,
        )

    @staticmethod
    def _let_write(database: Database | RecoveryDatabase, other: ServingRegion) -> None:
        """Allow the private subnets of ``other``: security groups of another region cannot be referenced."""
        Flow(
            database,
            "from-the-other-region",
            source=Addresses(other.network.private.block),
            destination=database.group,
            port=POSTGRESQL_PORT,
            reason="Services of the other region write while the writer is here",
        )

    def _watch(self) -> None:
        for region, purpose, cluster in (
            (self._primary, DATABASE, self.database.cluster),
            (self._recovery, RECOVERY_DATABASE, self.standby.cluster),
        ):
            if cluster:
                DatabaseAlarms(
                    region,
                    "database-alarms",
                    purpose=purpose,
                    settings=self._settings.database,
                    cluster=cluster,
                    topic=region.alarms,
                    source_region=None if region is self._primary else self._primary.name,
                )

    def _back_up(self) -> None:
        primary, recovery, backups = self._primary, self._recovery, self._settings.backups
        cluster = self.database.cluster
        Backups(
            primary,
            "backups",
            names=self._names,
            settings=backups,
            cluster=cluster,
            vault=primary.vault,
            copies=recovery.vault,
            keys=primary.keys,
            copies_key=recovery.keys.backups,
            topic=primary.alarms,
        )
        SnapshotExport(
            primary,
            "snapshot-export",
            names=self._names,
            settings=backups,
            cluster=cluster,
            bucket=primary.buckets.backups,
            keys=primary.keys,
            topic=primary.alarms,
        )
        if backups.restore_tests:
            RestoreTest(
                primary,
                "restore-test",
                names=self._names,
                cluster=cluster,
                vault=primary.vault,
                keys=primary.keys,
                topic=primary.alarms,
            )
