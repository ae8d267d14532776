"""The payment platform of one environment: two regions, in one stack (W0.1).

Read it as a table of contents: what there is, where it stands, and how its parts are joined. How a part is made is in
modules/; what differs between environments is in settings/.
"""

from __future__ import annotations

from typing import Any

from cdktf import S3Backend, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.data_aws_route53_zone import DataAwsRoute53Zone
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from cdktf_cdktf_provider_aws.route53_zone import Route53Zone
from constructs import Construct

from modules.acquirer_secret import AcquirerSecret
from modules.alarm_topic import AlarmTopic
from modules.audit import Audit, WatchedRegion, uses_of_logs_key
from modules.backup_vault import BackupVault
from modules.backups import Backups
from modules.buckets import Buckets
from modules.budget import Budget
from modules.business_dashboard import BusinessDashboard
from modules.database import Database
from modules.database_access import DatabaseAccess
from modules.database_alarms import DatabaseAlarms
from modules.database_metrics_log import DatabaseMetricsLog
from modules.database_rotation import DatabaseRotation
from modules.database_schema import DatabaseSchema
from modules.database_secrets import DatabaseSecrets
from modules.database_surroundings import POSTGRESQL_PORT
from modules.delivery import Delivery
from modules.delivery_permissions import Reach
from modules.distribution import Distribution
from modules.distribution_logs import DistributionLogs
from modules.edge_alarms import EdgeAlarms
from modules.endpoints import Endpoints
from modules.ephemeral import as_hcl
from modules.firewall import Firewall
from modules.flow_logs import FlowLogs
from modules.keys import Keys, LogsKey
from modules.load_balancer import LoadBalancer
from modules.load_balancer_logs import LoadBalancerLogs
from modules.network import Network
from modules.network_acls import NetworkAcls
from modules.origin_record import OriginRecord
from modules.origin_verify import OriginVerify
from modules.paging import Paging
from modules.payment_alarms import PaymentAlarms
from modules.payments_processing import PaymentsProcessing
from modules.peering import Peering
from modules.permissions_boundary import BoundsItsRoles
from modules.platform_dashboard import Place, PlatformDashboard
from modules.queue import Queue
from modules.reader_scaling import ReaderScaling
from modules.recovery_database import RecoveryDatabase
from modules.region import LandsInItsRegion, Region
from modules.region_alarms import RegionAlarms
from modules.replication import Replication
from modules.restore_test import RestoreTest
from modules.security_groups import Addresses, Flow
from modules.services import Services
from modules.snapshot_export import SnapshotExport
from modules.statement_blocks import with_statement_blocks
from modules.takeover import Takeover
from settings import Settings
from settings.edge import OriginRouting
from settings.firewall import Scope
from settings.naming import DATABASE, RECOVERY_DATABASE
from settings.network import RegionSettings
from settings.platform import GLOBAL_REGION
from settings.services import PAYMENTS


class PaymentPlatform(TerraformStack):
    """The one stack."""

    requirements = (
        "W0.1",
        "W0.2",
        "W0.3",
        "W0.4",
        "W0.5",
        "W8.2",
    )

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(scope, id_)
        self._settings = settings
        self._names = settings.names
        self._keep_state()
        LandsInItsRegion.apply_to(self)

        self.primary = self._region("primary", settings.primary.name)
        self.recovery = self._region("recovery", settings.recovery.name, alias="recovery")
        self.global_ = self._region("global", GLOBAL_REGION, alias="global")

        self.primary_keys = self._keys(self.primary)
        self.recovery_keys = self._keys(self.recovery)
        self.global_keys = self._logs_key(self.global_)

        both_serve = settings.edge.origin_routing is OriginRouting.LATENCY
        self.primary_alarm_topic = self._alarm_topic(self.primary, self.primary_keys)
        self.recovery_alarm_topic = self._alarm_topic(self.recovery, self.recovery_keys, serves=both_serve)
        self.global_alarm_topic = self._alarm_topic(self.global_, self.global_keys)

        self.primary_network = self._network(self.primary, settings.primary, self.primary_keys)
        self.recovery_network = self._network(self.recovery, settings.recovery, self.recovery_keys)
        self._join_networks()
        self.primary_endpoints = self._endpoints(self.primary, self.primary_network)
        self.recovery_endpoints = self._endpoints(self.recovery, self.recovery_network)

        self.primary_buckets = self._buckets(self.primary, self.primary_keys)
        self.recovery_buckets = self._buckets(self.recovery, self.recovery_keys)
        self._replicate_buckets()

        self._keep_data()
        self._back_up()
        self.payments_processing = self._process_payments()

        self.zone_id = self._zone_id()
        self.host_names = settings.edge.names_in(settings.domain.name, settings.environment_suffix)
        self.origin_names = settings.edge.origin_names(settings.domain.name, settings.environment_suffix)
        self.primary_load_balancer = self._load_balancer(self.primary, self.primary_network, self.primary_buckets)
        self.recovery_load_balancer = self._load_balancer(self.recovery, self.recovery_network, self.recovery_buckets)
        self._forward_logs(self.primary, self.primary_buckets, self.primary_keys, self.primary_alarm_topic)
        self._forward_logs(self.recovery, self.recovery_buckets, self.recovery_keys, self.recovery_alarm_topic)
        self._run_services()
        self.origin_verify = self._origin_verify()
        self._put_up_firewalls()
        self._distribute()
        self._watch_account()
        self._keep_to_the_budget()
        self._watch()
        self._let_workflows_deploy()

        self._show_outputs()

    def _keep_state(self) -> None:
        """State lives in the bucket that `make bootstrap` makes (W0.3)."""
        state = self._settings.state
        backend = S3Backend(
            self,
            bucket=state.bucket,
            key=f"{self._settings.name_prefix}/{self._settings.environment_suffix}/terraform.tfstate",
            region=self._settings.primary.name,
            # No `encrypt`: it would ask for SSE-S3. Without it the bucket's default holds, which is its own KMS key.
        )
        backend.add_override("use_lockfile", True)  # the construct is older than the option

    def _region(self, id_: str, name: str, alias: str | None = None) -> Region:
        provider = AwsProvider(
            self,
            f"aws-{id_}",
            region=name,
            alias=alias,
            allowed_account_ids=[self._settings.account_id],
            default_tags=[AwsProviderDefaultTags(tags=self._tags())],
        )
        return Region(self, id_, name=name, provider=provider)

    def _tags(self) -> dict[str, str]:
        """On every resource that takes tags."""
        own = {"platform": self._settings.name_prefix, "environment_suffix": self._settings.environment_suffix}
        return self._settings.tags | own

    def _keys(self, region: Region) -> Keys:
        settings = self._settings
        uses_of_logs = uses_of_logs_key(settings, region.name)
        if settings.budget.monthly_usd and region is self.primary:
            uses_of_logs.append(Budget.use_of_key(self._names))
        return Keys(
            region,
            "keys",
            names=self._names,
            settings=settings.encryption,
            protected=settings.protected,
            uses_of_logs=uses_of_logs,
        )

    def _logs_key(self, region: Region) -> LogsKey:
        settings = self._settings
        return LogsKey(region, "keys", names=self._names, settings=settings.encryption, protected=settings.protected)

    def _alarm_topic(self, region: Region, keys: Keys | LogsKey, *, serves: bool = True) -> AlarmTopic:
        return AlarmTopic(
            region,
            "alarms",
            names=self._names,
            key=keys.logs,
            settings=self._settings.observability,
            email_addresses=self._settings.alarm_email_addresses,
            serves=serves,
        )

    def _network(self, region: Region, place: RegionSettings, keys: Keys) -> Network:
        settings = self._settings.network
        network = Network(region, "network", names=self._names, region=place, nat_gateways=settings.nat_gateways)
        FlowLogs(
            region,
            "flow-logs",
            names=self._names,
            vpc=network.vpc,
            key=keys.logs,
            aggregation_seconds=settings.flow_log_aggregation_seconds,
        )
        return network

    def _endpoints(self, region: Region, network: Network) -> Endpoints:
        zone_count = self._settings.network.interface_endpoint_zones
        return Endpoints(region, "endpoints", names=self._names, network=network, zone_count=zone_count)

    def _join_networks(self) -> None:
        primary, recovery = self.primary_network, self.recovery_network
        self.peering = Peering(self, "peering", names=self._names, requester=primary, accepter=recovery)
        NetworkAcls(self.primary, "network-acls", names=self._names, network=primary, peer=recovery)
        NetworkAcls(self.recovery, "network-acls", names=self._names, network=recovery, peer=primary)

    def _buckets(self, region: Region, keys: Keys) -> Buckets:
        settings = self._settings
        return Buckets(
            region,
            "buckets",
            names=self._names,
            storage=settings.storage,
            protected=settings.protected,
            key=keys.objects,
        )

    def _replicate_buckets(self) -> None:
        sources, replicas = self.primary_buckets, self.recovery_buckets
        for source, destination in (
            (sources.static_assets, replicas.static_assets),
            (sources.backups, replicas.backups),
            (sources.logs, replicas.logs),
        ):
            replication = Replication(
                self.primary,
                f"{source.purpose}-replication",
                names=self._names,
                storage=self._settings.storage,
                source=source,
                destination=destination,
            )
            replication.alarm_on_lag(self.recovery_alarm_topic)
            replication.alarm_on_failure(self.primary_alarm_topic)

    def _keep_data(self) -> None:
        settings = self._settings
        self.database = Database(
            self.primary,
            "database",
            names=self._names,
            settings=settings.database,
            network=self.primary_network,
            keys=self.primary_keys,
            zones=settings.primary.zones,
            protected=settings.protected,
            metrics_log=self._metrics_log(self.primary, self.primary_keys),
        )
        self.recovery_database = RecoveryDatabase(
            self.recovery,
            "database",
            names=self._names,
            settings=settings.database,
            primary=self.database,
            network=self.recovery_network,
            keys=self.recovery_keys,
            zones=settings.recovery.zones,
            protected=settings.protected,
            metrics_log=self._metrics_log(self.recovery, self.recovery_keys),
        )
        self.database_secrets = DatabaseSecrets(
            self.primary,
            "database-secrets",
            names=self._names,
            database=self.database,
            key=self.primary_keys.secrets,
            replica_region=settings.recovery.name,
            replica_key=self.recovery_keys.secrets,
            protected=settings.protected,
        )
        self.database_schema = self._prepare_database()
        DatabaseRotation(
            self.primary,
            "database-rotation",
            names=self._names,
            database=self.database,
            secrets=self.database_secrets,
            network=self.primary_network,
            endpoints=self.primary_endpoints,
            keys=self.primary_keys,
            topic=self.primary_alarm_topic,
            after=self.database_schema.ready if self.database_schema else [],
        )
        if self.recovery_database.global_cluster:
            self._let_the_other_region_write(self.database, self.recovery_network)
            self._let_the_other_region_write(self.recovery_database, self.primary_network)
        ReaderScaling(self.primary, "reader-scaling", names=self._names, database=self.database)
        self._watch_database()

    def _prepare_database(self) -> DatabaseSchema | None:
        if not (processing := self._settings.processing):
            return None
        return DatabaseSchema(
            self.primary,
            "payments-schema",
            names=self._names,
            database=self.database,
            secrets=self.database_secrets,
            network=self.primary_network,
            endpoints=self.primary_endpoints,
            keys=self.primary_keys,
            on_deploy=processing.migrate_on_deploy,
        )

    @staticmethod
    def _let_the_other_region_write(database: Database | RecoveryDatabase, other: Network) -> None:
        """One way in for all: rules that name addresses, as across regions, would be the same for each service."""
        Flow(
            database,
            "from-the-other-region",
            source=Addresses(other.private.block),
            destination=database.group,
            port=POSTGRESQL_PORT,
            reason="Services of the other region write while the writer is here",
        )

    def _metrics_log(self, region: Region, keys: Keys) -> CloudwatchLogGroup | None:
        """The account's log group of enhanced monitoring, if this environment makes what the account has once."""
        if not (self._settings.owns_account and self._settings.audit.database_metrics_log):
            return None
        return DatabaseMetricsLog(region, "database-metrics-log", key=keys.logs).log_group

    def _watch_database(self) -> None:
        DatabaseAlarms(
            self.primary,
            "database-alarms",
            purpose=DATABASE,
            settings=self._settings.database,
            cluster=self.database.cluster,
            topic=self.primary_alarm_topic,
        )
        if cluster := self.recovery_database.cluster:
            DatabaseAlarms(
                self.recovery,
                "database-alarms",
                purpose=RECOVERY_DATABASE,
                settings=self._settings.database,
                cluster=cluster,
                topic=self.recovery_alarm_topic,
                source_region=self._settings.primary.name,
            )

    def _database_access(
        self,
        region: Region,
        database: Database | RecoveryDatabase,
        keys: Keys,
        other: Database | RecoveryDatabase,
    ) -> DatabaseAccess | None:
        """How services reach the database of their region, if there is one: not where snapshots would be restored."""
        if database.cluster is None:
            return None
        return DatabaseAccess(
            names=self._names,
            region=region.name,
            cluster=database.cluster,
            group=database.group,
            key=keys.secrets,
            global_cluster=self.recovery_database.global_cluster if self._settings.database.global_endpoint else None,
            other_addresses=Addresses(other.group.addresses) if self.recovery_database.global_cluster else None,
        )

    def _process_payments(self) -> dict[Region, PaymentsProcessing]:
        """By region; in none where settings do not say how."""
        processing, schema = self._settings.processing, self.database_schema
        if not processing or not schema:
            return {}
        AcquirerSecret(
            self.primary,
            "payments-acquirer",
            names=self._names,
            key=self.primary_keys.secrets,
            replica_region=self.recovery.name,
            replica_key=self.recovery_keys.secrets,
            protected=self._settings.protected,
        )
        return {
            region: PaymentsProcessing(
                region,
                "payments-processing",
                names=self._names,
                settings=processing,
                network=network,
                endpoints=endpoints,
                keys=keys,
                topic=topic,
                database=self._database_access(region, database, keys, other),
                after=schema.ready,
                stands_by=region is self.recovery,
            )
            for region, network, endpoints, keys, topic, database, other in (
                (
                    self.primary,
                    self.primary_network,
                    self.primary_endpoints,
                    self.primary_keys,
                    self.primary_alarm_topic,
                    self.database,
                    self.recovery_database,
                ),
                (
                    self.recovery,
                    self.recovery_network,
                    self.recovery_endpoints,
                    self.recovery_keys,
                    self.recovery_alarm_topic,
                    self.recovery_database,
                    self.database,
                ),
            )
        }

    def _payments_queue(self, region: Region) -> Queue | None:
        processing = self.payments_processing.get(region)
        return processing.queue if processing else None

    def _back_up(self) -> None:
        cluster, backups = self.database.cluster, self._settings.backups
        vault = self._vault(self.primary, self.primary_keys)
        Backups(
            self.primary,
            "backups",
            names=self._names,
            settings=backups,
            cluster=cluster,
            vault=vault,
            copies=self._vault(self.recovery, self.recovery_keys),
            keys=self.primary_keys,
            copies_key=self.recovery_keys.backups,
            topic=self.primary_alarm_topic,
        )
        SnapshotExport(
            self.primary,
            "snapshot-export",
            names=self._names,
            settings=backups,
            cluster=cluster,
            bucket=self.primary_buckets.backups,
            keys=self.primary_keys,
            topic=self.primary_alarm_topic,
        )
        if backups.restore_tests:
            RestoreTest(
                self.primary,
                "restore-test",
                names=self._names,
                cluster=cluster,
                vault=vault,
                keys=self.primary_keys,
                topic=self.primary_alarm_topic,
            )

    def _vault(self, region: Region, keys: Keys) -> BackupVault:
        lock, protected = self._settings.backups.lock, self._settings.protected
        return BackupVault(region, "vault", names=self._names, lock=lock, key=keys.backups, protected=protected)

    def _zone_id(self) -> str:
        """The hosted zone of the platform's domain: made here, or one that exists."""
        domain = self._settings.domain
        if domain.create_zone:
            return Route53Zone(self.primary, "zone", name=domain.name, comment=self._names.of("zone")).zone_id
        return DataAwsRoute53Zone(self.primary, "zone", name=domain.name).zone_id

    def _load_balancer(self, region: Region, network: Network, buckets: Buckets) -> LoadBalancer:
        return LoadBalancer(
            region,
            "load-balancer",
            names=self._names,
            network=network,
            logs=buckets.logs,
            # With the suffix, as environments may share a domain.
            domain_name=f"origin-{self._settings.environment_suffix}-{region.name}.{self._settings.domain.name}",
            shared_names=list(self.origin_names.values()),
            zone_id=self.zone_id,
            protected=self._settings.protected,
        )

    def _forward_logs(self, region: Region, buckets: Buckets, keys: Keys, topic: AlarmTopic) -> None:
        LoadBalancerLogs(region, "load-balancer-logs", names=self._names, logs=buckets.logs, keys=keys, topic=topic)

    def _origin_verify(self) -> OriginVerify:
        return OriginVerify(
            self.primary,
            "origin-verify",
            names=self._names,
            edge=self._settings.edge,
            host_name=self.host_names[0],
            recovery=self.recovery,
            keys=self.primary_keys,
            recovery_keys=self.recovery_keys,
            topic=self.primary_alarm_topic,
            tags=self._tags(),
            protected=self._settings.protected,
        )

    def _put_up_firewalls(self) -> None:
        self.edge_firewall = Firewall(
            self.global_,
            "firewall",
            names=self._names,
            firewall=self._settings.firewall,
            stands_at=Scope.EDGE,
            key=self.global_keys.logs,
        )
        for place, region, keys, load_balancer in (
            ("primary", self.primary, self.primary_keys, self.primary_load_balancer),
            ("recovery", self.recovery, self.recovery_keys, self.recovery_load_balancer),
        ):
            Firewall(
                region,
                "firewall",
                names=self._names,
                firewall=self._settings.firewall,
                stands_at=Scope.REGION,
                key=keys.logs,
                origin_verify_group_arn=self.origin_verify.rule_group_arn(place),
            ).protect(load_balancer)

    def _distribute(self) -> None:
        edge = self._settings.edge
        origin_name = self.origin_names[edge.origin_routing]
        takeover = Takeover(
            self.recovery, "takeover", names=self._names, edge=edge, load_balancer=self.recovery_load_balancer
        )
        self.origin_records = [
            OriginRecord(
                region,
                "origin",
                names=self._names,
                edge=edge,
                load_balancer=load_balancer,
                domain_name=origin_name,
                zone_id=self.zone_id,
                takeover=takeover if region is self.primary else None,
            )
            for region, load_balancer in (
                (self.primary, self.primary_load_balancer),
                (self.recovery, self.recovery_load_balancer),
            )
        ]
        sources, replicas = self.primary_buckets, self.recovery_buckets
        self.distribution = Distribution(
            self.global_,
            "distribution",
            names=self._names,
            edge=edge,
            host_names=self.host_names,
            zone_id=self.zone_id,
            origin_name=origin_name,
            origin_records=self.origin_records,
            static_assets=sources.static_assets,
            replica=replicas.static_assets,
            web_acl_arn=self.edge_firewall.web_acl.arn,
            viewer_function_arn=self.origin_verify.viewer_function_arn,
        )
        for bucket in (sources.static_assets, replicas.static_assets):
            bucket.let_cloudfront_read(self.distribution.distribution)
        DistributionLogs(
            self.global_,
            "distribution-logs",
            names=self._names,
            distribution=self.distribution,
            key=self.global_keys.logs,
        )

    def _run_services(self) -> None:
        self.primary_services = Services(
            self.primary,
            "services",
            settings=self._settings,
            services=self._settings.services,
            keys=self.primary_keys,
            topic=self.primary_alarm_topic,
            network=self.primary_network,
            endpoints=self.primary_endpoints,
            load_balancer=self.primary_load_balancer,
            database=self._database_access(self.primary, self.database, self.primary_keys, self.recovery_database),
            payments_queue=self._payments_queue(self.primary),
        )
        self.recovery_services = Services(
            self.recovery,
            "services",
            settings=self._settings,
            services=self._settings.recovery_services,
            keys=self.recovery_keys,
            topic=self.recovery_alarm_topic,
            network=self.recovery_network,
            endpoints=self.recovery_endpoints,
            load_balancer=self.recovery_load_balancer,
            database=self._database_access(self.recovery, self.recovery_database, self.recovery_keys, self.database),
            payments_queue=self._payments_queue(self.recovery),
        )
        if self._settings.owns_registry_settings:
            self.primary_services.repositories.replicate_to(self._settings.recovery.name)

    def _watch_account(self) -> None:
        """What an account has once, so that only one of its environments makes it."""
        if self._settings.owns_account:
            primary, recovery = (
                WatchedRegion(region=region, keys=keys, topic=topic, buckets=buckets)
                for region, keys, topic, buckets in (
                    (self.primary, self.primary_keys, self.primary_alarm_topic, self.primary_buckets),
                    (self.recovery, self.recovery_keys, self.recovery_alarm_topic, self.recovery_buckets),
                )
            )
            Audit(settings=self._settings, primary=primary, recovery=recovery)

    def _keep_to_the_budget(self) -> None:
        budget = self._settings.budget
        if budget.monthly_usd:
            Budget(
                self.primary,
                "budget",
                names=self._names,
                settings=budget,
                usd=budget.monthly_usd,
                topic=self.primary_alarm_topic,
            )

    def _watch(self) -> None:
        """What no part watches by itself; then, when all alarms are there, who is woken, and what is seen."""
        primary, recovery = self.primary_alarm_topic, self.recovery_alarm_topic
        for region, network, load_balancer, topic in (
            (self.primary, self.primary_network, self.primary_load_balancer, primary),
            (self.recovery, self.recovery_network, self.recovery_load_balancer, recovery),
        ):
            RegionAlarms(
                region, "region-alarms", load_balancer=load_balancer, nat_gateways=network.nat_gateways, topic=topic
            )
            if PAYMENTS in self._settings.services:
                PaymentAlarms(region, "payment-alarms", names=self._names, topic=topic)
        EdgeAlarms(
            self.global_,
            "edge-alarms",
            distribution=self.distribution,
            origin_records=dict(zip(("primary", "recovery"), self.origin_records, strict=True)),
            serving=[place for place, one in (("primary", primary), ("recovery", recovery)) if one.serves],
            topic=self.global_alarm_topic,
        )
        self._show(
            *(
                Paging(region, "paging", names=self._names, key=keys.logs, alarms=topic)
                for region, keys, topic in (
                    (self.primary, self.primary_keys, primary),
                    (self.recovery, self.recovery_keys, recovery),
                    (self.global_, self.global_keys, self.global_alarm_topic),
                )
            )
        )

    def _show(self, primary: Paging, recovery: Paging, edge: Paging) -> None:
        """The boards, which show what is watched."""
        observability = self._settings.observability
        if PAYMENTS in self._settings.services:
            BusinessDashboard(
                self.primary,
                "payments-dashboard",
                names=self._names,
                settings=observability,
                regions={"primary": self.primary_alarm_topic, "recovery": self.recovery_alarm_topic},
            )
        first, second = self.origin_records
        PlatformDashboard(
            self.primary,
            "platform-dashboard",
            names=self._names,
            settings=observability,
            distribution=self.distribution,
            places={
                "primary": Place(
                    topic=self.primary_alarm_topic,
                    paging=primary,
                    load_balancer=self.primary_load_balancer,
                    origin_record=first,
                ),
                "recovery": Place(
                    topic=self.recovery_alarm_topic,
                    paging=recovery,
                    load_balancer=self.recovery_load_balancer,
                    origin_record=second,
                ),
            },
            edge=self.global_alarm_topic,
            edge_paging=edge,
        )

    def _let_workflows_deploy(self) -> None:
        settings = self._settings
        if settings.delivery.repository is None:
            return
        regions = (self.primary.name, self.recovery.name, self.global_.name)
        reach = Reach(names=self._names, state_bucket=settings.state.bucket, regions=regions)
        self.delivery = Delivery(self.primary, "delivery", reach=reach, settings=settings.delivery)
        BoundsItsRoles.apply_to(self, self.delivery.role_boundary)
        self._output("plan_role_arn", self.delivery.plan_role.arn)
        self._output("deploy_role_arn", self.delivery.deploy_role.arn)

    def _show_outputs(self) -> None:
        for id_, network, buckets in (
            ("primary", self.primary_network, self.primary_buckets),
            ("recovery", self.recovery_network, self.recovery_buckets),
        ):
            self._output(f"{id_}_vpc_id", network.vpc.id)
            self._output(f"{id_}_static_assets_bucket", buckets.static_assets.bucket.id)
            self._output(f"{id_}_backups_bucket", buckets.backups.bucket.id)
            self._output(f"{id_}_logs_bucket", buckets.logs.bucket.id)
        for id_, record in zip(("primary", "recovery"), self.origin_records, strict=True):
            self._output(f"{id_}_health_check_id", record.health_check.id)
        self._output("distribution_id", self.distribution.distribution.id)
        self._output("url", f"https://{self.host_names[0]}")

    def to_hcl_terraform(self) -> Any:
        """As CDKTF writes the stack in HCL, with the blocks that it leaves out or takes for values."""
        written = super().to_hcl_terraform()
        hcl = with_statement_blocks(written["hcl"])
        return {**written, "hcl": hcl + as_hcl(self.to_terraform()["ephemeral"])}

    def _output(self, name: str, value: str) -> None:
        output = TerraformOutput(self, f"output-{name}", value=value)
        output.override_logical_id(name)
