"""CloudWatch Logs: the source and the destination of a delivery are not deleted before it.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteDeliverySource.html
"""

from __future__ import annotations

from typing import Any

from moto.logs.exceptions import LogsClientError
from moto.logs.models import LogsBackend

from emulator.moto.extend import Method, override


@override(LogsBackend)
def delete_delivery_source(original: Method, self: Any, name: str) -> None:
    """Only one that no delivery has."""
    if any(one.delivery_source_name == name for one in self.deliveries.values()):
        raise _in_use("source")
    original(self, name)


@override(LogsBackend)
def delete_delivery_destination(original: Method, self: Any, name: str) -> None:
    """Only one that no delivery has."""
    arn = self.delivery_destinations[name].arn if name in self.delivery_destinations else ""
    if any(one.delivery_destination_arn == arn for one in self.deliveries.values()):
        raise _in_use("destination")
    original(self, name)


def _in_use(what: str) -> LogsClientError:
    message = f"Cannot delete this delivery {what}: a delivery is associated with it."
    return LogsClientError("ConflictException", message)
