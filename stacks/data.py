"""The database and its backups across both regions (W3): written in one of them, kept in both."""

from __future__ import annotations

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster

from modules.backup.plan import Backups, RecoveryCluster
from modules.backup.recovery_plan import RecoveryBackups
from modules.backup.restore_test import RestoreTest
from modules.backup.snapshot_export import OtherExports, SnapshotExport
from modules.database.access import DatabaseAccess
from modules.database.alarms import DatabaseAlarms
from modules.database.cluster import Database
from modules.database.operator_access import OperatorAccess
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.database.reader_scaling import ReaderScaling
from modules.database.rotation import DatabaseRotation
from modules.database.schema import DatabaseSchema
from modules.database.secrets import DatabaseSecrets
from modules.database.standby import RecoveryDatabase
from modules.keys import SecretReplica
from modules.network.security_groups import Addresses, Flow
from modules.payments.acquirer_secret import AcquirerSecret
from modules.payments.notifications_secret import NotificationsSecret
from modules.payments.pepper_secret import PepperSecret
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
        self._let_write(self.database, recovery)
        self._let_write(self.standby, primary)
        self.schemas = self._prepare()
        self._rotate()
        self._let_operators_read()
        ReaderScaling(primary, "reader-scaling", names=self._names, database=self.database)
        self._watch()
        self._back_up()
        self.secrets_ready: list[ITerraformDependable] = [version for _, version in self.secrets.logins.values()]
        if settings.processing:
            self._hold_secrets_of_payments()

    def access(self, region: ServingRegion) -> DatabaseAccess:
        """How the database is reached from ``region``."""
        own, other = (self.database, self.standby) if region is self._primary else (self.standby, self.database)
        clusters = self._clusters(own, other)
        return DatabaseAccess(
            names=self._names,
            region=region.name,
            clusters=clusters,
            own_cluster=own.cluster if own.cluster in clusters else None,
            group=own.group,
            other_addresses=Addresses(other.group.addresses),
            key=region.keys.secrets,
        )

    def _hold_secrets_of_payments(self) -> None:
        secrets: dict[str, type[AcquirerSecret | NotificationsSecret | PepperSecret]] = {
            "payments-acquirer": AcquirerSecret,
            "payments-notifications": NotificationsSecret,
            "payments-peppers": PepperSecret,
        }
        made = {
            id_: secret(
                self._primary,
                id_,
                names=self._names,
                key=self._primary.keys.secrets,
                replica_region=self._recovery.name,
                replica_key=self._recovery.keys.secrets,
                protected=self._settings.protected,
            )
            for id_, secret in secrets.items()
        }
        self.secrets_ready += [
            one.version for one in made.values() if isinstance(one, NotificationsSecret | PepperSecret)
        ]

    @property
    def schema_ready(self) -> list[ITerraformDependable] | None:
        """Dependency of resources that need the schema; None where no payments are processed."""
        return self.schemas[0].ready if self.schemas else None

    def _clusters(self, own: Database | RecoveryDatabase, other: Database | RecoveryDatabase) -> list[RdsCluster]:
        """Those that may have the writer: of a global database both; else the primary's, until one is restored."""
        if self.standby.restored and self.standby.cluster:
            return [self.standby.cluster]
        return [database.cluster for database in (own, other) if database.cluster]

    @property
    def _writers(self) -> list[ITerraformDependable]:
        """The instances of the cluster that writes when all is well."""
        return list(self.standby.instances if self.standby.restored else self.database.instances)

    def _prepare(self) -> list[DatabaseSchema]:
        """In both regions; Terraform invokes the primary's where settings say so."""
        if not (processing := self._settings.processing):
            return []
        called = [self.secrets.master_version, *self._writers, *self._primary.connected]
        needed = called if processing.migrate_on_deploy else None
        return [
            DatabaseSchema(
                region,
                "payments-schema",
                names=self._names,
                access=self.access(region),
                network=region.network,
                endpoints=region.endpoints,
                keys=region.keys,
                operators=self._settings.database.operator_access,
                call_after=needed if region is self._primary else None,
            )
            for region in (self._primary, self._recovery)
        ]

    def _rotate(self) -> None:
        """By the function of the primary region; the recovery region's is for replicas that are promoted."""
        replica = SecretReplica(region=self._recovery.name, key=self._recovery.keys.secrets)
        rotations = [
            DatabaseRotation(
                region,
                "database-rotation",
                names=self._names,
                access=self.access(region),
                replica=replica if region is self._primary else None,
                network=region.network,
                endpoints=region.endpoints,
                keys=region.keys,
                topic=region.alarms,
            )
            for region in (self._primary, self._recovery)
        ]
        rotations[0].rotate(
            self.secrets,
            settings=self._settings.database,
            after=[*self._writers, *self._primary.connected, *(self.schema_ready or [])],
        )

    def _let_operators_read(self) -> None:
        """In both regions, as either may be lost."""
        if not self._settings.database.operator_access:
            return
        for region in (self._primary, self._recovery):
            OperatorAccess(
                region,
                "operator-access",
                names=self._names,
                access=self.access(region),
                network=region.network,
                key=region.keys.logs,
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
        both = self.standby.global_cluster is not None
        for region, purpose, cluster, other in (
            (self._primary, DATABASE, self.database.cluster, self._recovery),
            (self._recovery, RECOVERY_DATABASE, self.standby.cluster, self._primary),
        ):
            if cluster:
                DatabaseAlarms(
                    region,
                    "database-alarms",
                    purpose=purpose,
                    settings=self._settings.database,
                    cluster=cluster,
                    topic=region.alarms,
                    other_region=other.name if both else None,
                )

    def _back_up(self) -> None:
        primary, recovery, backups = self._primary, self._recovery, self._settings.backups
        cluster, other = self.database.cluster, self.standby.cluster
        own = Backups(
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
            recovery=RecoveryCluster(cluster=other, key=recovery.keys.database) if other else None,
        )
        if other:
            RecoveryBackups(
                recovery,
                "backups",
                names=self._names,
                settings=backups,
                cluster=other,
                writes=self.standby.restored,
                vault=recovery.vault,
                backups=own,
                topic=recovery.alarms,
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
            others=OtherExports(cluster=other, bucket=recovery.buckets.backups, key=recovery.keys.objects)
            if other
            else None,
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
