"""The lifecycle of a canary deployment of an ECS service, on the clock of :mod:`emulator.clock`.

Every load balancer of the service shifts its traffic between its target group and the alternate one, by the rules that
its advanced configuration names, with the permissions of the role there.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/canary-deployment.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow
from moto.elbv2.models import elbv2_backends

from emulator.authorization import gate
from emulator.authorization.callers import Caller
from emulator.clock import CLOCK
from emulator.passages import passing
from emulator.runtime import functions, task_sets
from emulator.runtime.releases import traffic
from emulator.runtime.service_deployments.deployment import ServiceDeployment, Stage, Status
from emulator.runtime.target_health import are_healthy
from emulator.turns import turn

ECS = "ecs.amazonaws.com"
CANARY = "CANARY"
MINUTES_TO_SCALE_UP = 1.0
MINUTES_UNTIL_STEADY = 180.0
"""CloudFormation waits three hours for a service to become steady:
https://repost.aws/knowledge-center/cloudformation-ecs-service-stabilize"""
MINUTES_BETWEEN_CALLS = 0.5
"""Where a hook answers IN_PROGRESS without a callBackDelay:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/lambda-lifecycle-hooks.html"""
SECONDS_BETWEEN_LOOKS = 0.25
STOPPED = "The service deployment was stopped."

_log = logging.getLogger(__name__)


class FailedError(Exception):
    """The deployment fails, and is rolled back; the message says why."""


def start(deployment: ServiceDeployment) -> None:
    """Start a deployment in a thread, which ends with the deployment or with the process."""
    threading.Thread(target=CanaryDeployment(deployment).play, daemon=True).start()


class CanaryDeployment:
    """Plays one deployment."""

    def __init__(self, deployment: ServiceDeployment) -> None:
        service = deployment.service
        self._deployment, self._service = deployment, service
        self._account, self._region = service._account_id, service.region_name  # noqa: SLF001 (moto's own)
        self._elbv2 = elbv2_backends[self._account][self._region]
        self._alarms = cloudwatch_backends[self._account][self._region].alarms

    def play(self) -> None:
        """Play it to its end."""
        try:
            self._play()
        except FailedError as failure:
            self._roll_back(str(failure))
        except Exception as crash:  # noqa: BLE001 (it ends the thread; the log has it)
            _log.exception("the deployment %s failed", self._deployment.arn)
            self._roll_back(repr(crash))

    def _play(self) -> None:
        deployment = self._deployment
        with turn():
            deployment.status, deployment.started = Status.IN_PROGRESS, utcnow()
            deployment.watches_alarms = not self._ringing()
        steps: dict[Stage, Callable[[], None]] = {
            Stage.SCALE_UP: self._scale_up,
            Stage.TEST_TRAFFIC_SHIFT: self._shift_test_traffic,
            Stage.PRODUCTION_TRAFFIC_SHIFT: self._shift_production_traffic,
            Stage.BAKE_TIME: self._bake,
            Stage.CLEAN_UP: self._clean_up,
        }
        for stage in list(Stage)[1:]:  # the first is of a service with several revisions
            deployment.stage = stage
            _log.info("%s: %s", deployment.arn, stage)
            steps.get(stage, lambda: None)()
            self._ask_hooks(stage)
        with turn():
            self._service.revision_arn = deployment.green.arn
            deployment.finish(Status.SUCCESSFUL)

    # --- the stages ---

    def _scale_up(self) -> None:
        service, green = self._service, self._deployment.green
        with turn():
            green.tasks = task_sets.task_set(service, load_balancers=self._other_load_balancers(), status="ACTIVE")
            service.task_sets = [self._deployment.blue.tasks, green.tasks]
            task_sets.register_targets(green.tasks)
        self._wait(MINUTES_TO_SCALE_UP)
        if not self._wait(MINUTES_UNTIL_STEADY, self._is_green_healthy):
            raise FailedError("the tasks of the new revision did not become healthy")

    def _other_load_balancers(self) -> list[dict[str, Any]]:
        """The load balancers with the target groups that the current tasks are not in."""
        used = {one["targetGroupArn"] for one in self._deployment.blue.tasks.load_balancers}
        return [
            {**one, "targetGroupArn": next(arn for arn in _pair(one) if arn not in used)}
            for one in self._service.load_balancers
        ]

    def _is_green_healthy(self) -> bool:
        tasks = self._deployment.green.tasks
        groups = [self._elbv2.target_groups[one["targetGroupArn"]] for one in tasks.load_balancers]
        if all(are_healthy(self._region, group, list(tasks.addresses)) for group in groups):
            return True
        time.sleep(SECONDS_BETWEEN_LOOKS)
        return False

    def _shift_test_traffic(self) -> None:
        self._shift("testListenerRule", traffic.ALL)
        self._deployment.blue.test_weight, self._deployment.green.test_weight = 0.0, 100.0

    def _shift_production_traffic(self) -> None:
        canary = self._deployment.configuration.get("canaryConfiguration") or {}
        self._set_production(int(float(canary.get("canaryPercent", 5))))
        self._wait(float(canary.get("canaryBakeTimeInMinutes", 10)))
        self._set_production(traffic.ALL)

    def _set_production(self, share: int) -> None:
        self._shift("productionListenerRule", share)
        blue, green = self._deployment.blue, self._deployment.green
        blue.production_weight, green.production_weight = float(traffic.ALL - share), float(share)

    def _shift(self, which: str, share: int) -> None:
        """Give the new revision its share of the traffic of the rules that ``which`` names."""
        blue, green = self._deployment.blue.tasks, self._deployment.green.tasks
        with turn():
            for one, before, after in zip(
                self._service.load_balancers, blue.load_balancers, green.load_balancers, strict=True
            ):
                advanced = one.get("advancedConfiguration") or {}
                if rule := advanced.get(which):
                    weights = {before["targetGroupArn"]: traffic.ALL - share, after["targetGroupArn"]: share}
                    self._modify(rule, weights, str(advanced["roleArn"]))

    def _modify(self, rule: str, weights: dict[str, int], role: str) -> None:
        session = _session(role)
        with passing("traffic", self._service.name, f"{rule.rpartition(':')[2]} {sorted(weights.values())}") as passage:
            if not gate.may_assume(ECS, role, self._service.arn):
                passage.outcome = "refused"
                raise FailedError(f"ECS was unable to assume the role {role}")
            if not gate.may_act(session, "elasticloadbalancing:ModifyRule", rule):
                passage.outcome = "refused"
                raise FailedError(f"ECS may not modify {rule} with the role {role}")
            if not traffic.shift_rule(self._elbv2, rule, weights):
                raise FailedError(f"The rule {rule} forwards to none of the service's target groups")
            passage.outcome = "shifted"

    def _bake(self) -> None:
        self._wait(float(self._deployment.configuration.get("bakeTimeInMinutes") or 0))

    def _clean_up(self) -> None:
        """The new tasks take the place of the previous ones, without a moment in which neither are wanted."""
        green = self._deployment.green.tasks
        with turn():
            task_sets.remove(self._service, self._deployment.blue.tasks)
            green.status = "PRIMARY"
            self._service.first_tasks, self._service.task_sets = green, []

    # --- hooks ---

    def _ask_hooks(self, stage: Stage) -> None:
        for hook in self._deployment.configuration.get("lifecycleHooks") or ():
            if stage in hook["lifecycleStages"]:
                self._ask(hook, stage)

    def _ask(self, hook: dict[str, Any], stage: Stage) -> None:
        arn, role = str(hook["hookTargetArn"]), str(hook["roleArn"])
        session = _session(role)
        with turn():
            allowed = gate.may_assume(ECS, role, self._service.arn)
            allowed = allowed and gate.may_act(session, "lambda:InvokeFunction", arn)
            function = lambda_backends[self._account][self._region].get_function_by_arn(arn)
        if not allowed or function is None:
            raise FailedError(f"the hook {arn} of {stage} cannot be invoked with the role {role}")
        event = {
            "executionDetails": self._deployment.details(),
            "executionId": self._deployment.id,
            "lifecycleStage": str(stage),
            "resourceArn": self._deployment.arn,
        }
        for status in self._answers(function, event):
            if status == "SUCCEEDED":
                return
        raise FailedError(f"the hook {arn} of {stage} did not succeed")

    def _answers(self, function: Any, event: dict[str, Any]) -> Iterator[str]:
        """The statuses that a hook returns, until it is no more in progress."""
        while True:
            outcome = functions.run(function, event)
            said = json.loads(outcome.payload) if not outcome.failed else None
            status = str(said.get("hookStatus")) if isinstance(said, dict) else ""
            yield status
            if status != "IN_PROGRESS" or not isinstance(said, dict):
                return
            self._wait(float(said.get("callBackDelay", MINUTES_BETWEEN_CALLS * 60)) / 60)

    # --- what ends it ---

    def _wait(self, minutes: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Wait for some minutes, or until a condition holds; returns whether it does.

        Raises:
            FailedError: an alarm is in ALARM, or somebody has stopped the deployment.
        """
        done = CLOCK.wait(minutes, lambda: until() or bool(self._halt()))
        if reason := self._halt():
            raise FailedError(reason)
        return done

    def _halt(self) -> str:
        if self._deployment.stop_requested:
            return STOPPED
        ringing = self._ringing() if self._deployment.watches_alarms else []
        if not ringing:
            return ""
        self._deployment.triggered = ringing
        return f"Service deployment rolled back because the CloudWatch alarm(s) {', '.join(ringing)} entered ALARM."

    def _ringing(self) -> list[str]:
        found = [self._alarms.get(name) for name in self._deployment.alarm_names]
        return sorted(alarm.name for alarm in found if alarm is not None and alarm.state_value == "ALARM")

    def _roll_back(self, reason: str) -> None:
        """Give all traffic back to the revision before, and end the tasks of the new one."""
        deployment = self._deployment
        deployment.reason, deployment.rolled_back = reason, utcnow()
        deployment.status = Status.ROLLBACK_IN_PROGRESS
        _log.warning("%s: %s", deployment.arn, reason)
        try:
            if deployment.green.tasks is not None:
                self._set_production(0)
                self._shift("testListenerRule", 0)
                with turn():
                    task_sets.remove(self._service, deployment.green.tasks)
        except FailedError as failure:
            deployment.finish(Status.ROLLBACK_FAILED, f"{reason} {failure}")
            return
        with turn():
            self._service.task_sets = []
            self._service.task_definition = deployment.blue.tasks.task_definition
            deployment.finish(Status.ROLLBACK_SUCCESSFUL)


def _pair(load_balancer: dict[str, Any]) -> tuple[str, str]:
    """The two target groups of a load balancer of a service."""
    advanced = load_balancer.get("advancedConfiguration") or {}
    return str(load_balancer["targetGroupArn"]), str(advanced["alternateTargetGroupArn"])


def _session(role: str) -> Caller:
    assumed = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
    return Caller(principal=f"{assumed}/ecs-service-deployment", role=role)
