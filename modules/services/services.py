"""All services of a region, and what they share (W1, W2).

Creates the ECS cluster, the image repositories, the canary and the smoke test, and for each service its task and ECS
service: a critical service is deployed blue/green behind the load balancer, any other is a worker on its queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.ecr_repository import EcrRepository
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.database.secrets import APPLICATION, PUBLISHING
from modules.ingress.load_balancer import LoadBalancer
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.metrics import Metric, where_present
from modules.network.endpoints import Endpoints
from modules.network.security_groups import HTTPS_PORT, Flow, Internet
from modules.network.vpc import Network
from modules.payments.notifications_secret import NotificationsSecret
from modules.payments.pepper_secret import PepperSecret
from modules.queues.queue import Queue
from modules.region import Region
from modules.services.alarms import ServiceAlarms
from modules.services.blue_green import BlueGreenService
from modules.services.cluster import Cluster
from modules.services.release import Canary, Release, unanswered_requests
from modules.services.repositories import Repositories
from modules.services.smoke_test import SmokeTest
from modules.services.task import Task
from modules.services.worker import WorkerService
from settings.naming import PROCESS_PAYMENT, Names
from settings.processing import ProcessingSettings
from settings.services import ReleaseSettings, ServiceSettings

TRUSTED_PROXIES = "2"
"""CloudFront and the load balancer: each appends to X-Forwarded-For the address that a request came from."""


class Services(Construct):
    """All services of a region."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        services: Mapping[str, ServiceSettings],
        release_settings: ReleaseSettings,
        processing_settings: ProcessingSettings | None,
        protected: bool,
        keys: Keys,
        topic: AlarmTopic,
        network: Network,
        endpoints: Endpoints,
        load_balancer: LoadBalancer,
        database: DatabaseAccess,
        payments_queue: Queue | None,
        after: Sequence[ITerraformDependable],
    ) -> None:
        """Make the cluster, then each service.

        Args:
            scope: a construct below a region.
            id_: of this construct.
            names: of the environment.
            services: settings of the services by name, with the numbers of tasks of this region.
            release_settings: of the CodeDeploy deployments.
            processing_settings: name the service that accepts payments; None where none are processed.
            protected: whether repositories refuse to be deleted while they hold images.
            keys: of the region.
            topic: receives the alarms.
            network: of the region.
            endpoints: provides the security group of endpoint clients.
            load_balancer: of the region.
            database: of the services that hold connections.
            payments_queue: queue of the service that accepts payments.
            after: what tasks need when they start and Terraform cannot infer: routes, endpoints, network ACLs.
        """
        super().__init__(scope, id_)
        self._services, self._release_settings, self._processing = services, release_settings, processing_settings
        self._names = names
        self._keys = keys
        self._topic = topic
        self._network = network
        self._endpoints = endpoints
        self._load_balancer = load_balancer
        self._database = database
        self._payments_queue = payments_queue
        self._after = after
        self.cluster = Cluster(self, "cluster", names=names, key=keys.logs)
        self.repositories = Repositories(
            self,
            "repositories",
            names=names,
            services=services,
            key=keys.objects,
            protected=protected,
        )
        self.canary = Canary(self, "canary", names=names, settings=release_settings)
        alarm = unanswered_requests(load_balancer, release_settings)
        self._unanswered = topic.watch(self, "unanswered-requests", alarm)
        self.blue_green: dict[str, BlueGreenService] = {}
        self.workers: dict[str, WorkerService] = {}
        self.queues: dict[str, Queue] = {}
        self.smoke_test = SmokeTest(
            self,
            "smoke-test",
            names=names,
            services={name: service for name, service in services.items() if service.critical},
            settings=release_settings,
            network=network,
            load_balancer=load_balancer,
            endpoint_clients=endpoints.clients,
            key=keys.logs,
            secrets_key=keys.secrets,
        )
        for name, service in services.items():
            if not service.critical:
                self.queues[name] = self._queue(name)
        for name, service in services.items():
            self._run(name, service, self.repositories.of[name])
        self._scale_on_connections(database)

    def _run(self, name: str, settings: ServiceSettings, repository: EcrRepository) -> None:
        own_queue = self.queues.get(name)
        accepts_payments = self._processing is not None and self._processing.service == name
        reached = self._database.by(APPLICATION, PUBLISHING) if accepts_payments else self._database
        database = reached if settings.connections_per_task else None
        filled_queue = self._payments_queue if accepts_payments else None
        queue = filled_queue or own_queue
        filled = {other: self.queues[other] for other in settings.sends_to}
        urls = {f"QUEUE_URL_{other.upper()}": one.queue.url for other, one in filled.items()}
        region = Region.of(self).name
        keys: dict[str, str] = {}
        if self._processing and accepts_payments:
            keys["API_KEY_PEPPERS_SECRET_ARN"] = PepperSecret.arn(self._names, region)
            keys["API_KEY_MODE"] = self._processing.api_key_mode
            keys["AUDIT_MONTHS"] = str(self._processing.audit_months)  # its publisher drops what is older
            keys["TRUSTED_PROXIES"] = TRUSTED_PROXIES
            keys["ACQUIRER_NOTIFICATION_SECRET_ARN"] = NotificationsSecret.arn(self._names, region)
        task = Task(
            self,
            f"{name}-task",
            names=self._names,
            name=name,
            settings=settings,
            network=self._network,
            cluster=self.cluster,
            repository=repository,
            key=self._keys.logs,
            database=database,
            variables=urls | ({"QUEUE_URL": queue.queue.url} if queue else {}) | keys,
        )
        if filled_queue:
            task.grant("payments-queue", filled_queue.send_statements)
            task.grant("peppers", PepperSecret.read_statements(self._names, region, self._keys.secrets))
            task.grant("notifications", NotificationsSecret.read_statements(self._names, region, self._keys.secrets))
        for other, one in filled.items():
            task.grant(f"{other}-queue", one.send_statements)
        if database:
            database.allow_from(self, name, task.group)
        if settings.reaches_internet:
            reason = f"{name} calls out, as settings list it"
            Flow(self, f"{name}-way-out", source=task.group, destination=Internet(), port=HTTPS_PORT, reason=reason)
        if own_queue:
            self._run_worker(name, settings, task, own_queue)
        else:
            self._run_blue_green(name, settings, task)

    def _queue(self, name: str) -> Queue:
        key = self._keys.objects
        return Queue(self, f"{name}-queue", names=self._names, purpose=name, key=key, topic=self._topic)

    def _run_blue_green(self, name: str, settings: ServiceSettings, task: Task) -> None:
        self.blue_green[name] = BlueGreenService(
            self,
            name,
            names=self._names,
            settings=settings,
            task=task,
            cluster=self.cluster,
            network=self._network,
            load_balancer=self._load_balancer,
            endpoint_clients=self._endpoints.clients,
            after=self._after,
        )
        Release(
            self,
            f"{name}-release",
            names=self._names,
            settings=self._release_settings,
            service=self.blue_green[name],
            cluster=self.cluster,
            load_balancer=self._load_balancer,
            canary=self.canary,
            unanswered=self._unanswered,
            topic=self._topic,
        )
        ServiceAlarms(
            self,
            f"{name}-alarms",
            name=name,
            settings=settings,
            scaling=self.blue_green[name].scaling,
            topic=self._topic,
            target_groups=self.blue_green[name].target_groups,
            load_balancer_suffix=self._load_balancer.load_balancer.arn_suffix,
        )

    def _scale_on_connections(self, database: DatabaseAccess) -> None:
        """Scale critical services on the share of all connection pools that is in use.

        The pools are those of the running tasks and of the functions that process payments: each added task makes them
        larger, so that the share falls.
        """
        scaled = {name: self.blue_green[name].scaling for name in self.blue_green}
        running = {name: one.running_tasks for name, one in scaled.items()}
        running |= {name: one.scaling.running_tasks for name, one in self.workers.items()}
        sizes = {name: self._services[name].connections_per_task for name in running}
        holding = {name: size for name, size in sizes.items() if size}
        if self._processing and self._payments_queue:
            function = {"FunctionName": self._names.of(PROCESS_PAYMENT)}
            holding["process_payment"] = self._processing.connections_per_function  # no service has such a name
            running["process_payment"] = Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum", function)
        pools = " + ".join(f"{size} * {name}" for name, size in holding.items())
        always = [name for name in scaled if name in holding and self._services[name].min_tasks]
        connections = Metric(
            "AWS/RDS", "DatabaseConnections", "Sum", {"DBClusterIdentifier": database.clusters[0].cluster_identifier}
        )
        for name in (one for one in scaled if one in holding):
            scaled[name].track(
                "connections-in-use",
                target=self._services[name].connections_in_use_percent,
                # Workers and functions may have no value, for none run.
                expression=where_present(f"100 * connections / ({pools})", "connections", *always),
                metrics={"connections": connections, **{one: running[one] for one in holding}},
            )

    def _run_worker(self, name: str, settings: ServiceSettings, task: Task, queue: Queue) -> None:
        self.workers[name] = WorkerService(
            self,
            name,
            names=self._names,
            settings=settings,
            task=task,
            cluster=self.cluster,
            network=self._network,
            queue=queue,
            endpoint_clients=self._endpoints.clients,
            after=self._after,
        )
        ServiceAlarms(
            self,
            f"{name}-alarms",
            name=name,
            settings=settings,
            scaling=self.workers[name].scaling,
            topic=self._topic,
        )
