"""The payment platform of one environment: one stack in two regions and the edge (W0.1).

Read it as a table of contents: which regions there are and how they are connected. One region is in
stacks/serving_region.py, the edge in stacks/edge.py, the database in stacks/data.py; the constructs are in modules/,
the differences between environments in settings/.
"""

from __future__ import annotations

from typing import Any

from cdktf import S3Backend, TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_route53_zone import DataAwsRoute53Zone
from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from cdktf_cdktf_provider_aws.route53_zone import Route53Zone
from constructs import Construct

from modules.account.audit import Audit
from modules.dashboards.business import BusinessDashboard
from modules.dashboards.platform import PlatformDashboard
from modules.delivery.permissions.grants import Reach
from modules.delivery.permissions_boundary import BoundsItsRoles
from modules.delivery.roles import Delivery
from modules.ephemeral import as_hcl
from modules.ingress.origin_verify import OriginVerify
from modules.ingress.takeover import Takeover
from modules.monitoring.budget import Budget
from modules.network.peering import Peering
from modules.region import LandsInItsRegion
from modules.statement_blocks import with_bare_references, with_statement_blocks
from modules.storage.replication import Replication
from settings import Settings
from settings.edge import OriginRouting
from settings.platform import GLOBAL_REGION
from settings.services import PAYMENTS
from stacks.data import Data
from stacks.edge import Edge
from stacks.serving_region import ServingRegion


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
        self._settings, self._names = settings, settings.names
        self._tags = settings.tags | {
            "platform": settings.name_prefix,
            "environment_suffix": settings.environment_suffix,
        }
        self._create_backend()
        LandsInItsRegion.apply_to(self)
        providers = {
            "primary": self._provider("primary", settings.primary.name),
            "recovery": self._provider("recovery", settings.recovery.name, alias="recovery"),
            "global": self._provider("global", GLOBAL_REGION, alias="global"),
        }
        self.primary = ServingRegion(
            self,
            "primary",
            settings=settings,
            region_settings=settings.primary,
            provider=providers["primary"],
            services=settings.services,
            standby=False,
        )
        self.recovery = ServingRegion(
            self,
            "recovery",
            settings=settings,
            region_settings=settings.recovery,
            provider=providers["recovery"],
            services=settings.recovery_services,
            standby=True,
        )
        self.edge = Edge(self, "global", settings=settings, provider=providers["global"])
        self.regions = (self.primary, self.recovery)

        self._peer_networks()
        self._replicate_buckets()
        self.data = Data(settings=settings, primary=self.primary, recovery=self.recovery)
        zone_id = self._zone_id()
        for region in self.regions:
            region.create_workloads(
                database=self.data.access(region),
                schema=self.data.schema_ready,
                secrets=self.data.secrets_ready,
                zone_id=zone_id,
                origin_names=list(self._origin_names.values()),
            )
        if settings.owns_account and settings.account.registry_replication:
            self.primary.services.repositories.replicate_to(self.recovery.name)
        self._create_edge(zone_id)
        self._create_alarms()
        self._create_delivery()
        self._create_outputs()

    def _create_backend(self) -> None:
        """State lives in the bucket that `make bootstrap` makes, or continues in its replica (W0.3)."""
        settings, state = self._settings, self._settings.state
        there = state.in_recovery_region
        backend = S3Backend(
            self,
            bucket=state.replica if there else state.bucket,
            key=settings.continued_state_key if there else settings.state_key,
            region=settings.recovery.name if there else settings.primary.name,
            # No `encrypt`: it would request SSE-S3. Without it the bucket's default applies, which is its own KMS key.
        )
        backend.add_override("use_lockfile", True)  # the construct is older than the option

    def _provider(self, id_: str, region: str, alias: str | None = None) -> AwsProvider:
        return AwsProvider(
            self,
            f"aws-{id_}",
            region=region,
            alias=alias,
            allowed_account_ids=[self._settings.account_id],
            default_tags=[AwsProviderDefaultTags(tags=self._tags)],
        )

    @property
    def _origin_names(self) -> dict[OriginRouting, str]:
        return self._settings.edge.origin_names(self._settings.domain.name, self._settings.environment_suffix)

    def _peer_networks(self) -> None:
        primary, recovery = self.regions
        peering = Peering(self, "peering", names=self._names, requester=primary.network, accepter=recovery.network)
        primary.connect(recovery, peering)
        recovery.connect(primary, peering)

    def _replicate_buckets(self) -> None:
        sources, replicas = self.primary.buckets, self.recovery.buckets
        for source, destination in (
            (sources.static_assets, replicas.static_assets),
            (sources.backups, replicas.backups),
            (sources.logs, replicas.logs),
        ):
            replication = Replication(
                self.primary,
                f"{source.purpose}-replication",
                names=self._names,
                settings=self._settings.storage,
                source=source,
                destination=destination,
            )
            replication.alarm_on_lag(self.recovery.alarms)
            replication.alarm_on_failure(self.primary.alarms)

    def _zone_id(self) -> str:
        """The hosted zone of the platform's domain: created here, or an existing one."""
        domain = self._settings.domain
        if domain.create_zone:
            return Route53Zone(self.primary, "zone", name=domain.name, comment=self._names.of("zone")).zone_id
        return DataAwsRoute53Zone(self.primary, "zone", name=domain.name).zone_id

    def _create_edge(self, zone_id: str) -> None:
        settings, edge = self._settings, self._settings.edge
        host_names = edge.names_in(settings.domain.name, settings.environment_suffix)
        origin_verify = OriginVerify(
            self.primary,
            "origin-verify",
            names=self._names,
            settings=settings.edge,
            host_name=host_names[0],
            recovery=self.recovery,
            keys=self.primary.keys,
            recovery_keys=self.recovery.keys,
            topic=self.primary.alarms,
            tags=self._tags,
            protected=settings.protected,
        )
        takeover = Takeover(
            self.recovery,
            "takeover",
            names=self._names,
            settings=settings.edge,
            load_balancer=self.recovery.load_balancer,
        )
        origin_name = self._origin_names[edge.origin_routing]
        for region in self.regions:
            region.create_web_acl(origin_verify)
            region.create_origin_record(origin_name, zone_id, takeover if region is self.primary else None)
        self.edge.create_distribution(
            host_names=host_names,
            zone_id=zone_id,
            origin_name=origin_name,
            origin_records=[region.origin_record for region in self.regions],
            static_assets=self.primary.buckets.static_assets,
            replica=self.recovery.buckets.static_assets,
            origin_verify=origin_verify,
        )
        origin_verify.rotate(after=self.edge.distribution.records)
        self._url = f"https://{host_names[0]}"

    def _create_alarms(self) -> None:
        """Make the alarms across regions, then the composites that page on them, then the dashboards."""
        settings = self._settings
        if settings.owns_account:  # singletons of the account: one environment makes them
            Audit(settings=settings, primary=self.primary.audited, recovery=self.recovery.audited)
        if settings.budget.monthly_usd:
            Budget(
                self.primary,
                "budget",
                names=self._names,
                settings=settings.budget,
                usd=settings.budget.monthly_usd,
                topic=self.primary.alarms,
            )
        for region in self.regions:
            region.create_alarms()
        for region in self.regions:
            region.create_composite_alarms()
        self.edge.create_alarms(
            {region.node.id: region.origin_record for region in self.regions},
            serving=[region.node.id for region in self.regions if region.alarms.serves],
        )
        if PAYMENTS in settings.services:
            BusinessDashboard(
                self.primary,
                "payments-dashboard",
                names=self._names,
                settings=settings.observability,
                topics={region.node.id: region.alarms for region in self.regions},
            )
        PlatformDashboard(
            self.primary,
            "platform-dashboard",
            names=self._names,
            settings=settings.observability,
            distribution=self.edge.distribution,
            regions={region.node.id: region.panels for region in self.regions},
            edge_topic=self.edge.alarms,
            edge_paging=self.edge.paging,
        )

    def _create_delivery(self) -> None:
        settings = self._settings
        if settings.delivery.repository is None:
            return
        regions = tuple(region.name for region in (self.primary, self.recovery, self.edge))
        reach = Reach(names=self._names, state_bucket=settings.state.bucket, regions=regions)
        delivery = Delivery(
            self.primary,
            "delivery",
            reach=reach,
            settings=settings.delivery,
            owns_provider=settings.owns_account and settings.account.identity_provider,
        )
        BoundsItsRoles.apply_to(self, delivery.role_boundary)
        self._output("plan_role_arn", delivery.plan_role.arn)
        self._output("deploy_role_arn", delivery.deploy_role.arn)

    def _create_outputs(self) -> None:
        for region in self.regions:
            for name, value in region.outputs().items():
                self._output(f"{region.node.id}_{name}", value)
        for region in self.regions:
            self._output(f"{region.node.id}_health_check_id", region.origin_record.health_check.id)
        self._output("distribution_id", self.edge.distribution.distribution.id)
        self._output("url", self._url)

    def to_hcl_terraform(self) -> Any:
        """As CDKTF writes the stack in HCL, with the blocks that it leaves out or takes for values."""
        written = super().to_hcl_terraform()
        hcl = with_bare_references(with_statement_blocks(written["hcl"]))
        return {**written, "hcl": hcl + as_hcl(self.to_terraform()["ephemeral"])}

    def _output(self, name: str, value: str) -> None:
        output = TerraformOutput(self, f"output-{name}", value=value)
        output.override_logical_id(name)
