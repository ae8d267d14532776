"""CloudWatch: alarms on metric math, which ministack refuses. They are kept; none changes by itself."""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import provisioners

from emulator.ministack.registry import Properties


def install() -> None:
    """Register these additions with ministack.

    Raises:
        AttributeError: this version of ministack creates alarms in another way.
    """
    own = provisioners._cw_metric_alarm_record

    def record(name: str, properties: Properties) -> dict[str, Any]:
        if not properties.get("Metrics"):
            return own(name, properties)  # type: ignore[no-any-return]
        alarm = own(name, {**properties, "Metrics": None, "MetricName": "-", "Namespace": "-"})
        return {**alarm, "MetricName": "", "Namespace": "", "Metrics": properties["Metrics"]}

    provisioners._cw_metric_alarm_record = record
