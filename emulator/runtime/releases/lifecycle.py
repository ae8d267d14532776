"""Lifecycle of a blue/green release of an ECS service by CodeDeploy, on the clock of :mod:`emulator.clock`.

The order of events: https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.codedeploy.models import codedeploy_backends
from moto.core.utils import utcnow
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends

from emulator.clock import CLOCK
from emulator.runtime import functions, task_sets
from emulator.runtime.releases import appspec as appspecs
from emulator.runtime.releases import traffic
from emulator.runtime.releases.deployment import EcsDeployment, LifecycleEvent, Status
from emulator.runtime.target_health import are_healthy
from emulator.turns import turn

MINUTES_TO_INSTALL = 1.0
"""How long the replacement tasks take to start."""

MINUTES_UNTIL_HEALTHY = 60.0
"""How long the replacement tasks may take until they are healthy, in CodeDeploy's own words:
https://docs.aws.amazon.com/codedeploy/latest/userguide/troubleshooting-ecs.html"""
SECONDS_BETWEEN_HEALTH_CHECKS = 0.25

MINUTES_TO_ROLL_BACK = 1.0
"""How long the replacement tasks take to end."""

MINUTES_FOR_A_HOOK = 60.0
"""How long a hook's function may take to report its result (CodeDeploy user guide, AppSpec "hooks" section)."""

READY_WAIT, TERMINATION_WAIT = "READY_WAIT", "TERMINATION_WAIT"

_log = logging.getLogger(__name__)


class Halt(Exception):
    """The release stops: its status, the error, and the cause, by which it may be rolled back."""

    def __init__(self, status: Status, code: str, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message}
        self.cause = cause


def start(deployment: EcsDeployment) -> None:
    """Start a deployment in a thread, which ends with the deployment or with the process."""
    threading.Thread(target=Release(deployment).play, daemon=True).start()


def lifecycle_events(group: Any) -> list[LifecycleEvent]:
    """The lifecycle events of a release of ``group``, in order."""
    names = ["BeforeInstall", "Install", "AfterInstall"]
    if "testTrafficRoute" in _pair(group):
        names += ["AllowTestTraffic", "AfterAllowTestTraffic"]
    return [LifecycleEvent(name) for name in [*names, "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"]]


class Release:
    """Runs one deployment."""

    def __init__(self, deployment: EcsDeployment) -> None:
        account_id, region = deployment.account_id, deployment.region
        self._deployment = deployment
        self._group = deployment.deployment_group
        self._elbv2 = elbv2_backends[account_id][region]
        self._ecs = ecs_backends[account_id][region]
        self._alarms = cloudwatch_backends[account_id][region].alarms
        self._functions = lambda_backends[account_id][region]
        self._codedeploy = codedeploy_backends[account_id][region]
        # The state at the start: the service, the two target groups, and the listeners that forward to them.
        self._service: Any = None
        self._task_definition = self._blue = self._green = ""
        self._listeners: list[str] = []
        self._test_listeners: list[str] = []

    def play(self) -> None:
        """Run it to its end."""
        try:
            self._play()
        except Halt as halt:
            self._end(halt)
        except Exception as crash:  # noqa: BLE001 (it ends the thread; the log has it)
            _log.exception("the release %s failed", self._deployment.deployment_id)
            self._end(Halt(Status.FAILED, "INTERNAL_ERROR", repr(crash)))

    def _play(self) -> None:
        steps: dict[str, Callable[[], None]] = {
            "Install": self._install,
            "AllowTestTraffic": self._allow_test_traffic,
            "AllowTraffic": self._allow_traffic,
        }
        self._begin()
        for event in self._deployment.events:
            if event.name == "BeforeAllowTraffic":
                self._wait_until_ready()
            with turn():
                event.begin()
            if event.name in steps:
                steps[event.name]()
            elif event.name in self._deployment.appspec.hooks:
                self._ask(event, self._deployment.appspec.hooks[event.name])
            with turn():
                # An event with a hook was ended by the function's result.
                if event.end_time is None:
                    event.end(Status.SUCCEEDED)
        self._terminate_blue()
        with turn():
            self._deployment.finish(Status.SUCCEEDED)
            self._group.lastSuccessfulDeployment = self._deployment.last_deployment_info()
            self._group.lastAttemptedDeployment = self._deployment.last_deployment_info()
            self._group.targetRevision = self._deployment.revision

    # --- the steps ---

    def _begin(self) -> None:
        with turn():
            self._deployment.status, self._deployment.start_time = Status.IN_PROGRESS, utcnow()
            self._group.lastAttemptedDeployment = self._deployment.last_deployment_info()
            self._find_service()
            self._find_task_definition()
            self._find_listeners()
        self._check()

    def _find_service(self) -> None:
        named = self._deployment.service
        service = self._ecs.services.get(f"{named['clusterName']}:{named['serviceName']}")
        if service is None or service.status != "ACTIVE":
            raise _failed("INVALID_ECS_SERVICE", f"The Amazon ECS service {named['serviceName']} is not active.")
        self._service = service
        self._deployment.blue = next(tasks for tasks in service.task_sets if tasks.status == "PRIMARY")

    def _find_task_definition(self) -> None:
        spec = self._deployment.appspec
        try:
            definition = self._ecs.describe_task_definition(spec.task_definition)
        except Exception:  # noqa: BLE001 (moto has several for a missing resource)
            raise _failed("ECS_UPDATE_ERROR", f"Unable to describe task definition {spec.task_definition}.") from None
        ports = {
            mapping["containerPort"]
            for container in definition.container_definitions
            if container["name"] == spec.container_name
            for mapping in container["portMappings"]
        }
        if definition.status != "ACTIVE" or spec.container_port not in ports:
            raise _failed(
                "ECS_UPDATE_ERROR",
                f"The container {spec.container_name} does not exist in the active task definition "
                f"{definition.arn} with port {spec.container_port}.",
            )
        self._task_definition = definition.arn

    def _find_listeners(self) -> None:
        pair = _pair(self._group)
        arns = {group.name: arn for arn, group in self._elbv2.target_groups.items()}
        self._blue = self._deployment.blue.load_balancers[0]["targetGroupArn"]
        of_pair = [arns.get(named["name"]) for named in pair["targetGroups"]]
        if self._blue not in of_pair or None in of_pair:
            raise _failed("ELASTIC_LOAD_BALANCING_INVALID", "The primary task set uses no target group of the pair.")
        (self._green,) = [str(arn) for arn in of_pair if arn != self._blue]
        self._listeners = pair["prodTrafficRoute"]["listenerArns"]
        self._test_listeners = pair.get("testTrafficRoute", {}).get("listenerArns", [])
        for arn in [*self._listeners, *self._test_listeners]:
            if not traffic.is_behind(self._elbv2, arn, self._blue):
                raise _failed(
                    "ELASTIC_LOAD_BALANCING_INVALID", f"Primary taskset target group must be behind listener {arn}"
                )

    def _install(self) -> None:
        spec, service = self._deployment.appspec, self._service
        with turn():
            for left in [tasks for tasks in service.task_sets if tasks is not self._deployment.blue]:
                task_sets.remove(service, left)
            green = task_sets.task_set(
                service,
                load_balancers=[
                    {
                        "targetGroupArn": self._green,
                        "containerName": spec.container_name,
                        "containerPort": spec.container_port,
                    }
                ],
                status="ACTIVE",
                task_definition=self._task_definition,
                external_id=self._deployment.deployment_id,
                started_by="CODE_DEPLOY",
                capacity_provider_strategy=spec.capacity_provider_strategy,
                # CodeDeploy drops the service's capacity provider strategy, unless the AppSpec repeats it.
                launch_type=None if spec.capacity_provider_strategy else "FARGATE",
            )
            if spec.platform_version:
                green.platform_version = spec.platform_version
            if spec.network_configuration:
                green.network_configuration = spec.network_configuration
            service.task_sets = [*service.task_sets, green]
            task_sets.register_targets(green)
            self._deployment.green = green
        self._wait(MINUTES_TO_INSTALL)
        if not self._wait(MINUTES_UNTIL_HEALTHY - MINUTES_TO_INSTALL, self._is_green_healthy):
            raise _failed(
                "TIMEOUT",
                "The deployment timed out while waiting for the replacement task set to become healthy. This time out "
                "period is 60 minutes.",
            )

    def _is_green_healthy(self) -> bool:
        group, addresses = self._elbv2.target_groups[self._green], list(self._deployment.green.addresses)
        if are_healthy(self._deployment.region, group, addresses):
            return True
        time.sleep(SECONDS_BETWEEN_HEALTH_CHECKS)
        return False

    def _allow_test_traffic(self) -> None:
        with turn():
            traffic.shift(self._elbv2, self._test_listeners, {self._blue: 0, self._green: traffic.ALL})

    def _wait_until_ready(self) -> None:
        option = self._group.blue_green_deployment_configuration.get("deploymentReadyOption", {})
        if option.get("actionOnTimeout") != "STOP_DEPLOYMENT":
            return
        self._deployment.status = Status.READY
        if not self._wait(option.get("waitTimeInMinutes", 0), lambda: READY_WAIT in self._deployment.continued):
            raise Halt(Status.STOPPED, "TIMEOUT", "The deployment was not continued in time.", "DEPLOYMENT_FAILURE")
        self._deployment.status = Status.IN_PROGRESS

    def _allow_traffic(self) -> None:
        for share, minutes in _shares(self._codedeploy.deployment_configs[self._deployment.deployment_config_name]):
            self._shift(share)
            self._wait(minutes)
        with turn():
            task_sets.make_primary(self._service, self._deployment.green)

    def _shift(self, green_share: int) -> None:
        with turn():
            weights = {self._blue: traffic.ALL - green_share, self._green: green_share}
            traffic.shift(self._elbv2, self._listeners, weights)
            self._deployment.green_share = green_share

    def _terminate_blue(self) -> None:
        terminate = self._group.blue_green_deployment_configuration.get("terminateBlueInstancesOnDeploymentSuccess", {})
        if terminate.get("action") == "KEEP_ALIVE":
            return
        self._deployment.is_terminating = True
        minutes = terminate.get("terminationWaitTimeInMinutes", 0)
        self._wait(minutes, lambda: TERMINATION_WAIT in self._deployment.continued)
        with turn():
            task_sets.remove(self._service, self._deployment.blue)

    # --- hooks ---

    def _ask(self, event: LifecycleEvent, name: str) -> None:
        """Invoke a hook's function and wait for its result, which may be reported up to an hour after its end."""
        try:
            function = self._functions.get_function(name)
        except Exception:  # noqa: BLE001 (moto has several for a missing resource)
            raise _failed("INVALID_LAMBDA_FUNCTION", f"The function {name} of {event.name} does not exist.") from None
        told = {
            "DeploymentId": self._deployment.deployment_id,
            "LifecycleEventHookExecutionId": event.await_function(),
        }
        call = threading.Thread(target=functions.run, args=(function, told), daemon=True)
        call.start()
        self._wait(math.inf, lambda: event.end_time is not None or not call.is_alive())
        if not self._wait(MINUTES_FOR_A_HOOK, lambda: event.end_time is not None):
            event.end(Status.FAILED, f"The function {name} did not report a status: {json.dumps(told)}")
        if event.status == Status.FAILED:
            raise _failed(
                "HOOK_EXECUTION_FAILURE",
                f"The deployment failed because the lifecycle event {event.name} failed. {event.message}".strip(),
            )

    # --- stop conditions ---

    def _wait(self, minutes: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Wait for some minutes, or until a condition holds; returns whether it does.

        Raises:
            Halt: the deployment was stopped meanwhile, or an alarm is in ALARM.
        """
        done = CLOCK.wait(minutes, lambda: until() or self._halt() is not None)
        self._check()
        return done

    def _check(self) -> None:
        halt = self._halt()
        if halt:
            raise halt

    def _halt(self) -> Halt | None:
        if self._deployment.stop_requested:
            return Halt(Status.STOPPED, "MANUAL_STOP", "The deployment was stopped.", "DEPLOYMENT_STOP_ON_REQUEST")
        active = sorted(self._active_alarms())
        if active:
            message = (
                "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, "
                f"and the affected deployments have been stopped. Activated alarms: <{', '.join(active)}>"
            )
            return Halt(Status.STOPPED, "ALARM_ACTIVE", message, "DEPLOYMENT_STOP_ON_ALARM")
        return None

    def _active_alarms(self) -> Iterator[str]:
        if not self._deployment.alarms.get("enabled"):
            return
        for named in self._deployment.alarms.get("alarms", []):
            alarm = self._alarms.get(named["name"])
            if alarm is not None and alarm.state_value == "ALARM":
                yield alarm.name

    def _end(self, halt: Halt) -> None:
        """End it, and roll it back if so configured: by a deployment of its own, as on AWS."""
        deployment = self._deployment
        with turn():
            deployment.error = halt.error
            deployment.finish(halt.status)
            self._group.lastAttemptedDeployment = deployment.last_deployment_info()
            if deployment.green is None or not self._is_rolled_back(halt):
                return
            rollback = self._rollback(halt)
            self._codedeploy.deployments[rollback.deployment_id] = rollback
            traffic.shift(
                self._elbv2, [*self._listeners, *self._test_listeners], {self._blue: traffic.ALL, self._green: 0}
            )
            deployment.green_share = 0
            task_sets.make_primary(self._service, deployment.blue)
        CLOCK.wait(MINUTES_TO_ROLL_BACK, lambda: False)
        with turn():
            task_sets.remove(self._service, deployment.green)
            rollback.finish(Status.SUCCEEDED)
            self._group.lastSuccessfulDeployment = rollback.last_deployment_info()
            self._group.lastAttemptedDeployment = rollback.last_deployment_info()
            self._group.targetRevision = rollback.revision

    def _is_rolled_back(self, halt: Halt) -> bool:
        if halt.cause == "DEPLOYMENT_STOP_ON_REQUEST" and self._deployment.stop_rolls_back is not None:
            return self._deployment.stop_rolls_back
        return self._deployment.rolls_back_on(halt.cause)

    def _rollback(self, halt: Halt) -> EcsDeployment:
        failed = self._deployment
        content = appspecs.describing(failed.blue)
        rollback = EcsDeployment(
            account_id=failed.account_id,
            region=failed.region,
            application=failed.application,
            deployment_group=failed.deployment_group,
            revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}},
            appspec=appspecs.parse(content),
            deployment_config_name=failed.deployment_config_name,
            events=[LifecycleEvent("AllowTraffic")],
            auto_rollback={},
            alarms={},
            creator="codeDeployRollback",
            status=Status.IN_PROGRESS,
            start_time=utcnow(),
        )
        rollback.blue, rollback.green = failed.blue, failed.green
        rollback.events[0].begin()
        message = f"Deployment {failed.deployment_id} ended with {halt.error['code']}; it is rolled back."
        rollback.rollback = {"rollbackTriggeringDeploymentId": failed.deployment_id, "rollbackMessage": message}
        failed.rollback = {"rollbackDeploymentId": rollback.deployment_id, "rollbackMessage": message}
        return rollback


def _failed(code: str, message: str) -> Halt:
    return Halt(Status.FAILED, code, message, "DEPLOYMENT_FAILURE")


def _pair(group: Any) -> dict[str, Any]:
    return group.load_balancer_info["targetGroupPairInfoList"][0]  # type: ignore[no-any-return]


def _shares(config: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """The shares of green in percent, each with the minutes until the next."""
    routing = config["trafficRoutingConfig"]
    if routing["type"] == "TimeBasedCanary":
        yield routing["timeBasedCanary"]["canaryPercentage"], routing["timeBasedCanary"]["canaryInterval"]
    if routing["type"] == "TimeBasedLinear":
        step = routing["timeBasedLinear"]["linearPercentage"]
        for share in range(step, traffic.ALL, step):
            yield share, routing["timeBasedLinear"]["linearInterval"]
    yield traffic.ALL, 0
