"""The backups of a cluster as a stack of their own: what they need of the platform, and a bare cluster."""

from __future__ import annotations

from pathlib import Path

from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.db_subnet_group import DbSubnetGroup
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.rds_cluster import RdsCluster
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from constructs import Construct

from modules.backup.plan import Backups, selection_tags
from modules.backup.restore_test import RestoreTest
from modules.backup.snapshot_export import SnapshotExport
from modules.backup.vault import BackupVault
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.region import LandsInItsRegion, Region
from modules.storage.buckets import Buckets
from settings import Settings
from tests import kept
from tests.synthesized import STACK, Synthesized, read


class BackedUpDatabase(TerraformStack):
    """A cluster without instances, backed up as the platform's is."""

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(scope, id_)
        LandsInItsRegion.apply_to(self)
        names, backups, protected = settings.names, settings.backups, settings.protected
        primary, recovery = self._region("primary", "us-east-2"), self._region("recovery", "us-west-2", "recovery")
        keys, other_keys = (
            Keys(region, "keys", names=names, settings=settings.encryption, protected=protected)
            for region in (primary, recovery)
        )
        topic = AlarmTopic(
            primary, "alarms", names=names, key=keys.logs, settings=settings.observability, email_addresses=()
        )
        buckets = Buckets(
            primary, "buckets", names=names, settings=settings.storage, protected=protected, key=keys.objects
        )
        cluster = self._cluster(primary, settings, keys)
        vault, copies = (
            BackupVault(region, "vault", names=names, settings=backups.lock, key=key.backups, protected=protected)
            for region, key in ((primary, keys), (recovery, other_keys))
        )
        Backups(
            primary,
            "backups",
            names=names,
            settings=backups,
            cluster=cluster,
            vault=vault,
            copies=copies,
            keys=keys,
            copies_key=other_keys.backups,
            topic=topic,
        )
        SnapshotExport(
            primary,
            "snapshot-export",
            names=names,
            settings=backups,
            cluster=cluster,
            bucket=buckets.backups,
            keys=keys,
            topic=topic,
        )
        RestoreTest(primary, "restore-test", names=names, cluster=cluster, vault=vault, keys=keys, topic=topic)

    def _region(self, id_: str, name: str, alias: str | None = None) -> Region:
        return Region(self, id_, name=name, provider=AwsProvider(self, f"aws-{id_}", region=name, alias=alias))

    def _cluster(self, region: Region, settings: Settings, keys: Keys) -> RdsCluster:
        name = settings.names.of("database")
        vpc = Vpc(region, "vpc", cidr_block="10.0.0.0/16")
        subnets = [
            Subnet(region, zone, vpc_id=vpc.id, cidr_block=f"10.0.{number}.0/24", availability_zone=zone)
            for number, zone in enumerate(settings.primary.zones)
        ]
        group = DbSubnetGroup(region, "subnets", name=name, subnet_ids=[subnet.id for subnet in subnets])
        return RdsCluster(
            region,
            "cluster",
            cluster_identifier=name,
            engine="aurora-postgresql",
            engine_version="16.6",
            master_username="administrator",
            master_password="only-of-a-local-cluster",
            db_subnet_group_name=group.name,
            storage_encrypted=True,
            kms_key_id=keys.database.arn,
            skip_final_snapshot=True,
            tags=selection_tags(settings.names),
        )


def synthesize_backups(settings: Settings) -> Synthesized:
    """Synthesize the stack for these settings."""
    return read(kept.directory_of("backups", settings.model_dump_json(), lambda output: _synthesize(settings, output)))


def _synthesize(settings: Settings, output: Path) -> None:
    app = App(outdir=str(output))
    BackedUpDatabase(app, STACK, settings=settings)
    app.synth()
