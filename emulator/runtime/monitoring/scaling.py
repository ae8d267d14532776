"""Application Auto Scaling: target tracking of ECS services by the metrics that are published here.

A policy has two alarms: above its target for three minutes, and below nine tenths of it for fifteen. While one is in
ALARM the capacity follows the metric in proportion, within the bounds of the target, once its cooldown is over.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html

Not played: step and scheduled scaling, and targets other than services of ECS.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.ecs.models import ecs_backends

from alarms.definitions import MetricAlarm, State
from alarms.evaluation import values_of
from alarms.metrics import MINUTE
from emulator.passages import passing
from emulator.runtime.metering import METERING
from emulator.runtime.monitoring.definitions import metric_alarm, state
from emulator.turns import turn

DEFAULT_COOLDOWN = 300
"""Seconds (ScaleOutCooldown and ScaleInCooldown of ECS services in the API reference)."""
Resize = Callable[[Any, int], None]
_resizes: list[Resize] = []


def resize_with(resize: Resize) -> None:
    """Set the function that gives a service (one of moto's) another desired count."""
    _resizes[:] = [resize]


def capacity_for(current: int, value: float, target: float) -> int:
    """The capacity with which a metric that falls with it would be at its target."""
    return math.ceil(current * value / target)


@dataclass(frozen=True)
class _Tracked:
    """A policy with the scalable target and the service that it is of."""

    policy: Any
    target: Any
    service: Any

    @property
    def configuration(self) -> dict[str, Any]:
        return self.policy.target_tracking_scaling_policy_configuration  # type: ignore[no-any-return]


class Scaler:
    """Scales the services of a local AWS; remembers when it has scaled each."""

    def __init__(self) -> None:
        self._scaled: dict[str, float] = {}

    def scale(self, now: float) -> None:
        """Change the capacity of services whose policies' alarms are in ALARM. ``now`` is AWS's time, in seconds."""
        with turn():
            for region in list(applicationautoscaling_backends[ACCOUNT_ID]):
                wanted: dict[str, list[tuple[_Tracked, int]]] = {}
                for tracked in _tracked(region):
                    if (capacity := self._wanted(region, tracked, now)) is not None:
                        wanted.setdefault(tracked.service.arn, []).append((tracked, capacity))
                for found in wanted.values():
                    # Of several policies the one that provides the most capacity decides.
                    self._resize(*max(found, key=lambda one: one[1]), now)

    def _wanted(self, region: str, tracked: _Tracked, now: float) -> int | None:
        current = int(tracked.service.desired_count)
        suspended = tracked.target.suspended_state or {}
        for alarm in tracked.policy.alarms:
            known = cloudwatch_backends[ACCOUNT_ID][region].alarms.get(alarm.name)
            if known is None or state(known) is not State.ALARM:
                continue
            grows = "-AlarmHigh-" in known.name
            if suspended.get("DynamicScalingOutSuspended" if grows else "DynamicScalingInSuspended"):
                continue
            if not grows and tracked.configuration.get("DisableScaleIn"):
                continue
            cooldown = tracked.configuration.get("ScaleOutCooldown" if grows else "ScaleInCooldown", DEFAULT_COOLDOWN)
            if now - self._scaled.get(tracked.service.arn, -math.inf) < cooldown:
                continue
            return _within(tracked, capacity_for(current, _value(region, known, now), _target(tracked)))
        return None

    def _resize(self, tracked: _Tracked, capacity: int, now: float) -> None:
        service = tracked.service
        if capacity == service.desired_count:
            return
        what = f"{service.desired_count} -> {capacity} tasks"
        with passing("scaling", service.name, what) as passage:
            passage.way, passage.outcome = tracked.policy.policy_name, "Successful"
            for resize in _resizes:
                resize(service, capacity)
        self._scaled[service.arn] = now


def _target(tracked: _Tracked) -> float:
    return float(tracked.configuration["TargetValue"])


def _within(tracked: _Tracked, capacity: int) -> int:
    return max(int(tracked.target.min_capacity or 0), min(int(tracked.target.max_capacity), capacity))


def _value(region: str, alarm: Any, now: float) -> float:
    """The newest value of the metric of an alarm."""
    definition: MetricAlarm = metric_alarm(alarm)
    end = int(now // MINUTE) * MINUTE
    times = [end - definition.period * number for number in range(definition.periods, 0, -1)]
    with METERING.of(region) as metrics:
        series = values_of(definition, metrics, times)
    return series[max(series)] if series else float(definition.threshold or 0)


def _tracked(region: str) -> Iterator[_Tracked]:
    backend = applicationautoscaling_backends[ACCOUNT_ID][region]
    services = {
        f"service/{one.cluster_name}/{one.name}": one for one in ecs_backends[ACCOUNT_ID][region].services.values()
    }
    for policy in backend.policies.values():
        service = services.get(policy.resource_id)
        targets = backend.targets.get(policy.scalable_dimension, {})
        if service is not None and service.status == "ACTIVE" and policy.resource_id in targets:
            yield _Tracked(policy, targets[policy.resource_id], service)
