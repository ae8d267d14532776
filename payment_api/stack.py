"""The payment API in its region: its constructs and their connections."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, CfnResource, Environment, Stack, Tags
from constructs import Construct

from payment_api.api_service import ApiService
from payment_api.audit import Audit
from payment_api.canary import ROLLBACK_ALARMS, Canary
from payment_api.database import Database
from payment_api.documents import AccessLogs, Documents
from payment_api.encryption import Encryption
from payment_api.endpoints import Endpoints
from payment_api.firewall import EdgeFirewall
from payment_api.functions import ManagedFunction
from payment_api.gateway import Gateway
from payment_api.load_balancer import GatewayLoadBalancer, PublicLoadBalancer
from payment_api.logs import ENHANCED_MONITORING_LOG, ServiceLog, container_insights_log
from payment_api.nat import Nat
from payment_api.network import Network
from payment_api.observability import Observability, Watched
from payment_api.processing import Processing
from payment_api.queues import Queues
from payment_api.replica import DocumentReplica
from payment_api.rotation import Rotation
from payment_api.secrets import ImportedSecrets
from payment_api.settings import Settings


class PaymentApi(Stack):
    """Everything of the API's own region."""

    requirements = ("P6.2", "P6.3", "P6.4")

    def __init__(self, scope: Construct, id_: str, *, settings: Settings) -> None:
        super().__init__(
            scope,
            id_,
            stack_name=settings.names.of("api"),
            description="The payment API",
            env=Environment(account=settings.account_id, region=settings.region),
            termination_protection=settings.protected,
        )
        names, protected = settings.names, settings.protected
        self.encryption = Encryption(self, "encryption", names=names, settings=settings.encryption, protected=protected)
        self.network = Network(
            self,
            "network",
            names=names,
            settings=settings.network,
            logs_key=self.encryption.logs,
            protected=protected,
        )
        self.endpoints = Endpoints(self, "endpoints", names=names, network=self.network, settings=settings.network)
        self.nat = Nat(
            self,
            "nat",
            names=names,
            network=self.network,
            settings=settings.network,
            endpoints=self.endpoints,
            disk_key=self.encryption.computers,
        )
        access_logs = AccessLogs(self, "access-logs", names=names, protected=protected)
        self.documents = Documents(
            self,
            "documents",
            names=names,
            settings=settings.documents,
            replica_region=settings.replica_region,
            key=self.encryption.documents,
            access_logs=access_logs,
            protected=protected,
        )
        self.queues = Queues(self, "queues", names=names, settings=settings.processing, key=self.encryption.messages)
        self.secrets = ImportedSecrets(self, "secrets", settings=settings.secrets)
        monitoring_log = self._enhanced_monitoring_log(settings)
        self.database = Database(
            self,
            "database",
            names=names,
            network=self.network,
            settings=settings.database,
            master=self.secrets.database,
            encryption=self.encryption,
            protected=protected,
        )
        if monitoring_log:
            self.database.cluster.node.add_dependency(monitoring_log)
        self.processing = Processing(
            self,
            "processing",
            settings=settings,
            network=self.network,
            endpoints=self.endpoints,
            encryption=self.encryption,
            database=self.database,
            secrets=self.secrets,
            queues=self.queues,
            documents=self.documents,
        )
        self.load_balancer = PublicLoadBalancer(
            self, "load-balancer", settings=settings, network=self.network, access_logs=access_logs
        )
        self.gateway_load_balancer = GatewayLoadBalancer(
            self, "gateway-load-balancer", settings=settings, network=self.network, access_logs=access_logs
        )
        balancers = (self.load_balancer, self.gateway_load_balancer)
        self.canary = Canary(
            self,
            "canary",
            settings=settings,
            network=self.network,
            endpoints=self.endpoints,
            encryption=self.encryption,
            load_balancers=balancers,
            tested=self.gateway_load_balancer,
        )
        self.service = ApiService(
            self,
            "service",
            names=names,
            settings=settings.service,
            network=self.network,
            endpoints=self.endpoints,
            load_balancers=balancers,
            canary=self.canary,
            database=self.database,
            database_ready=self.processing.database_ready,
            queue=self.queues.payments,
            peppers=self.secrets.peppers,
            notifications=self.secrets.notifications,
            log_group=ServiceLog(
                self,
                "service-log",
                name=names.log_group("payments"),
                key=self.encryption.logs,
                days=settings.observability.log_retention_days,
            ),
            insights_log=ServiceLog(
                self,
                "insights-log",
                name=container_insights_log(names),
                key=self.encryption.logs,
                days=settings.observability.log_retention_days,
            ),
            encryption=self.encryption,
        )
        self.show_certificate = ManagedFunction(
            self,
            "show-certificate",
            name="show_certificate",
            names=names,
            network=self.network,
            endpoints=self.endpoints,
            logs_key=self.encryption.logs,
            environment_key=self.encryption.messages,
            log_days=settings.observability.log_retention_days,
            timeout_seconds=5,
            memory_mib=256,
            environment={},
        )
        self.gateway = Gateway(
            self,
            "gateway",
            settings=settings,
            network=self.network,
            load_balancer=self.gateway_load_balancer,
            certificate_function=self.show_certificate,
            logs_key=self.encryption.logs,
        )
        self.rotation = Rotation(
            self,
            "rotation",
            settings=settings,
            network=self.network,
            endpoints=self.endpoints,
            encryption=self.encryption,
            database=self.database,
            database_clients=self.processing.database_clients,
            secrets=self.secrets,
            gateway=self.gateway,
        )
        self.firewall = EdgeFirewall(
            self,
            "firewall",
            names=names,
            requests_per_second=settings.gateway.requests_per_second,
            logs_key=self.encryption.logs,
            protected=protected,
        )
        self.firewall.protect_load_balancer(self.load_balancer.load_balancer.load_balancer_arn)
        self.firewall.protect_gateway(self.gateway.api.deployment_stage.stage_arn)
        self.audit = Audit(
            self,
            "audit",
            names=names,
            documents=self.documents.bucket,
            access_logs=access_logs,
            key=self.encryption.logs,
            protected=protected,
        )
        self.observability = Observability(
            self,
            "observability",
            names=names,
            settings=settings.observability,
            max_connections=settings.database.max_connections,
            watched=Watched(
                api=self.gateway.api,
                load_balancer=self.load_balancer.load_balancer,
                gateway_load_balancer=self.gateway_load_balancer.load_balancer,
                service=self.service.service,
                database=self.database.cluster,
                queue=self.queues.payments,
                dead_letters=self.queues.dead_letters,
                functions={
                    "process-payment": self.processing.process,
                    "reconcile-payments": self.processing.reconcile,
                    "prepare-database": self.processing.prepare,
                    "administer-merchants": self.processing.administer,
                    "rotate-database-secret": self.rotation.database_function,
                    "rotate-api-key": self.rotation.api_key_function,
                    "smoke-test": self.canary.smoke_test,
                    "show-certificate": self.show_certificate,
                },
                former_api_keys_in_use=self.rotation.former_keys_in_use,
            ),
            key=self.encryption.messages,
            email_addresses=settings.alarm_email_addresses,
        )
        self.service.roll_back_on([self.observability.alarms[name] for name in ROLLBACK_ALARMS])
        self._log_what_cdk_runs(settings)
        self._put_out(settings)

    def _enhanced_monitoring_log(self, settings: Settings) -> ServiceLog | None:
        """All databases of the account in this region write to it: the account's owner makes it."""
        if not settings.owns_account:
            return None
        return ServiceLog(
            self,
            "enhanced-monitoring-log",
            name=ENHANCED_MONITORING_LOG,
            key=self.encryption.logs,
            days=settings.observability.log_retention_days,
        )

    def _log_what_cdk_runs(self, settings: Settings) -> None:
        """Log groups for CDK's own functions: Lambda would create them without a key and a retention.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
        """
        log = ServiceLog(
            self,
            "provider-log",
            name=settings.names.log_group("cdk-providers"),
            key=self.encryption.logs,
            days=settings.observability.log_retention_days,
        )
        for one in self.node.find_all():
            if "CustomResourceProvider/Handler" in one.node.path and isinstance(one, CfnResource):
                one.add_property_override("LoggingConfig", {"LogGroup": log.log_group_name})

    def _put_out(self, settings: Settings) -> None:
        """Outputs by which people and tests find the deployment (P6.1)."""
        outputs = {
            "AlbDnsName": self.load_balancer.load_balancer.load_balancer_dns_name,
            "ApiEndpoint": f"https://{settings.domain.api_name}",
            "DashboardUrl": self.observability.dashboard_url,
            "LoadBalancerEndpoint": f"https://{settings.domain.load_balancer_name}",
            "DashboardName": self.observability.dashboard.dashboard_name,
            "RestApiId": self.gateway.api.rest_api_id,
            "StageName": self.gateway.api.deployment_stage.stage_name,
            "UsagePlanId": self.gateway.usage_plan.usage_plan_id,
            "VpcId": self.network.vpc.vpc_id,
            "ClusterName": self.service.cluster.cluster_name,
            "ServiceName": self.service.service.service_name,
            "DatabaseClusterId": self.database.cluster.cluster_identifier,
            "DocumentsBucketName": self.documents.bucket.bucket_name,
            "QueueUrl": self.queues.payments.queue_url,
            "ProcessingFunctionName": self.processing.process.function_name,
            "DeadLetterQueueUrl": self.queues.dead_letters.queue_url,
            "LoadBalancerWebAclArn": self.firewall.load_balancer_acl.attr_arn,
            "GatewayWebAclArn": self.firewall.gateway_acl.attr_arn,
            "TrailName": settings.names.of("audit"),
            "EnvironmentSuffix": settings.environment_suffix,
            "Region": self.region,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value or "")


def build(app: App, settings: Settings) -> tuple[PaymentApi, DocumentReplica]:
    """Both stacks of an environment, the replica's first, with its tags on everything that takes tags."""
    zones = f"availability-zones:account={settings.account_id}:region={settings.region}"
    app.node.set_context(zones, settings.network.zones)  # from the settings: no look-up in an account
    replica = DocumentReplica(app, "documents-replica", settings=settings)
    api = PaymentApi(app, "payment-api", settings=settings)
    api.add_stack_dependency(replica)
    own = {"platform": settings.name_prefix, "environment_suffix": settings.environment_suffix}
    for key, value in {**settings.tags, **own}.items():
        Tags.of(app).add(key, value)
    return api, replica
