"""The services of one region, as settings list them: what they share, and each of them (W1, W2).

Creates the cluster, the image repositories and the canary, and for each service its task: a critical one blue/green
behind the load balancer, any other as a worker on a queue.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdktf_cdktf_provider_aws.ecr_repository import EcrRepository
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.ingress.load_balancer import LoadBalancer
from modules.keys import Keys
from modules.monitoring.alarm_topic import AlarmTopic
from modules.monitoring.metrics import Metric
from modules.network.endpoints import Endpoints
from modules.network.security_groups import HTTPS_PORT, Flow, Internet
from modules.network.vpc import Network
from modules.queues.queue import Queue
from modules.services.alarms import ServiceAlarms
from modules.services.blue_green import BlueGreenService
from modules.services.cluster import Cluster
from modules.services.release import Canary, Release
from modules.services.repositories import Repositories
from modules.services.smoke_test import SmokeTest
from modules.services.task import Task
from modules.services.worker import WorkerService
from settings import Settings
from settings.naming import PROCESS_PAYMENT
from settings.services import ServiceSettings


class Services(Construct):
    """All services of a region."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        services: Mapping[str, ServiceSettings],
        keys: Keys,
        topic: AlarmTopic,
        network: Network,
        endpoints: Endpoints,
        load_balancer: LoadBalancer,
        database: DatabaseAccess | None,
        payments_queue: Queue | None,
    ) -> None:
        """``services`` are those of the settings as they run in this region: how many tasks differs.

        ``endpoints`` gives the group by which tasks may call AWS; ``topic`` takes the alarms.

        ``database`` is for the services that hold connections, where the region has a cluster. ``payments_queue`` is
        for the service that accepts payments, as settings say.
        """
        super().__init__(scope, id_)
        self._settings = settings
        self._names = settings.names
        self._keys = keys
        self._topic = topic
        self._network = network
        self._endpoints = endpoints
        self._load_balancer = load_balancer
        self._database = database
        self._payments_queue = payments_queue
        self.cluster = Cluster(self, "cluster", names=self._names, key=keys.logs)
        self.repositories = Repositories(
            self,
            "repositories",
            names=self._names,
            services=settings.services,
            key=keys.objects,
            protected=settings.protected,
        )
        self.canary = Canary(self, "canary", names=self._names, release=settings.release)
        self.blue_green: dict[str, BlueGreenService] = {}
        self.workers: dict[str, WorkerService] = {}
        self.queues: dict[str, Queue] = {}
        self.smoke_test = SmokeTest(
            self,
            "smoke-test",
            names=self._names,
            services={name: service for name, service in settings.services.items() if service.critical},
            release=settings.release,
            network=network,
            load_balancer=load_balancer,
            endpoint_clients=endpoints.clients,
            key=keys.logs,
            secrets_key=keys.secrets,
        )
        for name, service in services.items():
            self._run(name, service, self.repositories.of[name])
        if database:
            self._scale_on_connections(database)

    def _run(self, name: str, service: ServiceSettings, repository: EcrRepository) -> None:
        database = self._database if service.connections_per_task else None
        own_queue = None if service.critical else self._queue(name)
        processing = self._settings.processing
        filled_queue = self._payments_queue if processing and processing.service == name else None
        queue = filled_queue or own_queue
        task = Task(
            self,
            f"{name}-task",
            names=self._names,
            name=name,
            service=service,
            network=self._network,
            cluster=self.cluster,
            repository=repository,
            key=self._keys.logs,
            database=database,
            queue_url=queue.queue.url if queue else None,
        )
        if filled_queue:
            task.let("payments-queue", filled_queue.to_send)
        if database:
            database.admit(self, name, task.group)
        if service.reaches_internet:
            reason = f"{name} calls out, as settings list it"
            Flow(self, f"{name}-way-out", source=task.group, destination=Internet(), port=HTTPS_PORT, reason=reason)
        if own_queue:
            self._run_worker(name, service, task, own_queue)
        else:
            self._run_blue_green(name, service, task)

    def _queue(self, name: str) -> Queue:
        key = self._keys.objects
        return Queue(self, f"{name}-queue", names=self._names, purpose=name, key=key, topic=self._topic)

    def _run_blue_green(self, name: str, service: ServiceSettings, task: Task) -> None:
        self.blue_green[name] = BlueGreenService(
            self,
            name,
            names=self._names,
            service=service,
            task=task,
            cluster=self.cluster,
            network=self._network,
            load_balancer=self._load_balancer,
            endpoint_clients=self._endpoints.clients,
        )
        Release(
            self,
            f"{name}-release",
            names=self._names,
            release=self._settings.release,
            service=self.blue_green[name],
            cluster=self.cluster,
            load_balancer=self._load_balancer,
            canary=self.canary,
            topic=self._topic,
        )
        ServiceAlarms(
            self,
            f"{name}-alarms",
            name=name,
            service=service,
            scaling=self.blue_green[name].scaling,
            topic=self._topic,
            target_groups=self.blue_green[name].target_groups,
            load_balancer_suffix=self._load_balancer.load_balancer.arn_suffix,
        )

    def _scale_on_connections(self, database: DatabaseAccess) -> None:
        """Critical services get more tasks while too much of all pools is in use.

        The pools are those of the tasks that run, and of the functions that process payments: each task that is added
        makes them larger, so that the share falls.
        """
        scaled = {name: self.blue_green[name].scaling for name in self.blue_green}
        running = {name: one.running_tasks for name, one in scaled.items()}
        running |= {name: one.scaling.running_tasks for name, one in self.workers.items()}
        sizes = {name: self._settings.services[name].connections_per_task for name in running}
        holding = {name: size for name, size in sizes.items() if size}
        if (processing := self._settings.processing) and self._payments_queue:
            function = {"FunctionName": self._names.of(PROCESS_PAYMENT)}
            holding["process_payment"] = processing.connections_per_function  # no service has such a name
            running["process_payment"] = Metric("AWS/Lambda", "ConcurrentExecutions", "Maximum", function)
        pools = " + ".join(f"{size} * FILL({name}, 0)" for name, size in holding.items())
        connections = Metric(
            "AWS/RDS", "DatabaseConnections", "Sum", {"DBClusterIdentifier": database.cluster.cluster_identifier}
        )
        for name in (one for one in scaled if one in holding):
            scaled[name].keep(
                "connections-in-use",
                target=self._settings.services[name].connections_in_use_percent,
                expression=f"100 * FILL(connections, 0) / IF({pools} < 1, 1, {pools})",
                metrics={"connections": connections, **{one: running[one] for one in holding}},
            )

    def _run_worker(self, name: str, service: ServiceSettings, task: Task, queue: Queue) -> None:
        self.workers[name] = WorkerService(
            self,
            name,
            names=self._names,
            service=service,
            task=task,
            cluster=self.cluster,
            network=self._network,
            queue=queue,
            endpoint_clients=self._endpoints.clients,
        )
        self.queues[name] = queue
        ServiceAlarms(
            self,
            f"{name}-alarms",
            name=name,
            service=service,
            scaling=self.workers[name].scaling,
            topic=self._topic,
        )
