"""One region that serves customers: foundation first, then, once there is a database, the workloads on it.

Every construct created here is a child of the region, so both regions come from the same lines. Connections between the
two are in stacks/payment_platform.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct

from modules.account.audit import AuditedRegion, uses_of_logs_key
from modules.backup.vault import BackupVault
from modules.dashboards.platform import RegionPanels
from modules.database.access import DatabaseAccess
from modules.database.enhanced_monitoring_log import DatabaseMetricsLog
from modules.ingress.firewall import Firewall
from modules.ingress.load_balancer import LoadBalancer
from modules.ingress.load_balancer_logs import LoadBalancerLogs
from modules.ingress.origin_record import OriginRecord
from modules.ingress.origin_verify import OriginVerify
from modules.ingress.region_alarms import RegionAlarms
from modules.ingress.takeover import Takeover
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.budget import Budget
from modules.monitoring.paging import Paging
from modules.network.endpoints import Endpoints
from modules.network.flow_logs import FlowLogs
from modules.network.network_acls import NetworkAcls
from modules.network.peering import Peering
from modules.network.vpc import Network
from modules.payments.administration import MerchantAdministration
from modules.payments.alarms import PaymentAlarms
from modules.payments.processing import PaymentsProcessing
from modules.policy_documents import Statement
from modules.region import Region
from modules.services.services import Services
from modules.storage.buckets import Buckets
from settings import Settings
from settings.domain import load_balancer_name
from settings.firewall import Scope
from settings.network import RegionSettings
from settings.services import PAYMENTS, ServiceSettings


class ServingRegion(Region):
    """Keys, network, buckets, backup vault, load balancer, services and alarms of one region."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        region_settings: RegionSettings,
        provider: AwsProvider,
        services: Mapping[str, ServiceSettings],
        standby: bool,
    ) -> None:
        """Make the foundation.

        Args:
            scope: the stack.
            id_: ``primary`` or ``recovery``; part of every logical id below.
            settings: of the environment.
            region_settings: the region's own settings: name, addresses, zones.
            provider: of the region.
            services: the services with the sizes they have in this region.
            standby: whether the region is the standby.
        """
        super().__init__(scope, id_, name=region_settings.name, provider=provider)
        self.region_settings = region_settings
        self._settings, self._names = settings, settings.names
        self._services_settings, self._standby = services, standby
        protected, network = settings.protected, settings.network
        self.keys = Keys(
            self,
            "keys",
            names=self._names,
            settings=settings.encryption,
            protected=protected,
            uses_of_logs=self._uses_of_logs(),
        )
        self.alarms = AlarmTopic(
            self,
            "alarms",
            names=self._names,
            key=self.keys.logs,
            settings=settings.observability,
            email_addresses=settings.alarm_email_addresses,
            serves=not standby or settings.both_regions_serve,
        )
        self.network = Network(
            self, "network", names=self._names, settings=region_settings, nat_gateways=network.nat_gateways
        )
        FlowLogs(
            self,
            "flow-logs",
            names=self._names,
            vpc=self.network.vpc,
            key=self.keys.logs,
            aggregation_seconds=network.flow_log_aggregation_seconds,
        )
        self.endpoints = Endpoints(
            self, "endpoints", names=self._names, network=self.network, zone_count=network.interface_endpoint_zones
        )
        self.buckets = Buckets(
            self, "buckets", names=self._names, settings=settings.storage, protected=protected, key=self.keys.objects
        )
        self.vault = BackupVault(
            self, "vault", names=self._names, settings=settings.backups.lock, key=self.keys.backups, protected=protected
        )
        self.metrics_log = (
            DatabaseMetricsLog(self, "database-metrics-log", key=self.keys.logs).log_group
            if settings.owns_account and settings.audit.database_metrics_log
            else None
        )

    def connect(self, other: ServingRegion, peering: Peering) -> None:
        """Make the network ACLs, which allow the peer's addresses, and associate the subnets with complete tables.

        Workloads in the network depend on ``connected``, which Terraform cannot infer.
        """
        acls = NetworkAcls(self, "network-acls", names=self._names, network=self.network, peer=other.network)
        gateways = [self.endpoints.s3]
        associations = self.network.associate(after=[*gateways, *peering.routes[self.network]])
        self.connected: list[ITerraformDependable] = [acls.private, *associations, *self.endpoints.prerequisites]

    def create_workloads(
        self,
        *,
        database: DatabaseAccess,
        schema: Sequence[ITerraformDependable] | None,
        secrets: Sequence[ITerraformDependable],
        zone_id: str,
        origin_names: Sequence[str],
    ) -> None:
        """Make payments processing, load balancer and services.

        Args:
            database: how services reach the database.
            schema: dependency of code that expects the schema; None where no payments are processed.
            secrets: dependency of tasks, which read a secret or its replica when they start.
            zone_id: of the hosted zone.
            origin_names: names under which CloudFront calls the load balancers of both regions.
        """
        names, settings, domain = self._names, self._settings, self._settings.domain.name
        self.processing = (
            PaymentsProcessing(
                self,
                "payments-processing",
                names=names,
                settings=settings.processing,
                network=self.network,
                endpoints=self.endpoints,
                keys=self.keys,
                topic=self.alarms,
                database=database,
                settlement=self.buckets.backups,
                after=schema,
            )
            if settings.processing and schema is not None
            else None
        )
        if settings.processing and schema is not None:
            MerchantAdministration(
                self,
                "merchant-administration",
                names=names,
                settings=settings.processing,
                network=self.network,
                endpoints=self.endpoints,
                keys=self.keys,
                database=database,
                after=schema,
            )
        self.load_balancer = LoadBalancer(
            self,
            "load-balancer",
            names=names,
            network=self.network,
            logs=self.buckets.logs,
            domain_name=load_balancer_name(domain, settings.environment_suffix, self.name),
            shared_names=origin_names,
            zone_id=zone_id,
            protected=settings.protected,
        )
        LoadBalancerLogs(
            self, "load-balancer-logs", names=names, logs=self.buckets.logs, keys=self.keys, topic=self.alarms
        )
        self.services = Services(
            self,
            "services",
            names=names,
            services=self._services_settings,
            release_settings=settings.release,
            processing_settings=settings.processing,
            protected=settings.protected,
            keys=self.keys,
            topic=self.alarms,
            network=self.network,
            endpoints=self.endpoints,
            load_balancer=self.load_balancer,
            database=database,
            payments_queue=self.processing.queue if self.processing else None,
            after=[*self.connected, *secrets],
        )

    def create_web_acl(self, origin_verify: OriginVerify) -> None:
        """Attach a web ACL to the load balancer, which allows only requests with the origin secret."""
        self.firewall = Firewall(
            self,
            "firewall",
            names=self._names,
            settings=self._settings.firewall,
            web_acl_scope=Scope.REGION,
            key=self.keys.logs,
            origin_verify_group_arn=origin_verify.rule_group_arn(self.node.id),
            health_check_path=self._settings.edge.health_check.path,
        )
        self.firewall.protect(self.load_balancer)

    def create_origin_record(self, domain_name: str, zone_id: str, takeover: Takeover | None) -> None:
        """Make the region's record and health check for ``domain_name``, the origin that CloudFront calls."""
        self.origin_record = OriginRecord(
            self,
            "origin",
            names=self._names,
            settings=self._settings.edge,
            load_balancer=self.load_balancer,
            domain_name=domain_name,
            zone_id=zone_id,
            takeover=takeover,
        )

    def create_alarms(self) -> None:
        """Make the alarms that belong to no single module."""
        RegionAlarms(
            self,
            "region-alarms",
            load_balancer=self.load_balancer,
            firewall=self.firewall,
            nat_gateways=self.network.nat_gateways,
            topic=self.alarms,
        )
        if PAYMENTS in self._settings.services:
            processing = self._settings.processing
            PaymentAlarms(
                self,
                "payment-alarms",
                names=self._names,
                topic=self.alarms,
                reconcile_minutes=processing.reconcile_minutes if processing else None,
            )

    def create_composite_alarms(self) -> None:
        """Make the composite alarms that page: after all alarms of the region."""
        self.paging = Paging(self, "paging", names=self._names, key=self.keys.logs, topic=self.alarms)

    @property
    def panels(self) -> RegionPanels:
        """The region's parts on the platform dashboard."""
        return RegionPanels(
            topic=self.alarms,
            paging=self.paging,
            load_balancer=self.load_balancer,
            origin_record=self.origin_record,
        )

    @property
    def audited(self) -> AuditedRegion:
        """The region's parts that the account's audit needs."""
        return AuditedRegion(region=self, keys=self.keys, topic=self.alarms, buckets=self.buckets)

    def outputs(self) -> dict[str, str]:
        """The region's outputs: name without the region's prefix, and value."""
        return {
            "vpc_id": self.network.vpc.id,
            "static_assets_bucket": self.buckets.static_assets.bucket.id,
            "backups_bucket": self.buckets.backups.bucket.id,
            "logs_bucket": self.buckets.logs.bucket.id,
        }

    def _uses_of_logs(self) -> list[Statement]:
        uses = uses_of_logs_key(self._settings, self.name)
        if self._settings.budget.monthly_usd and not self._standby:
            uses.append(Budget.use_of_key(self._names))
        return uses
