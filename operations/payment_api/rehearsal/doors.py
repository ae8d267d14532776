"""Doors of the payment API, as the clients of a rehearsal come to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from operations.pay.platform import FrontDoor
from operations.payment_api.pay import Client


@dataclass(frozen=True, kw_only=True)
class KeyedDoor:
    """A client's door, with the API key of the usage plan on every request."""

    door: FrontDoor
    api_key: str

    @classmethod
    def of(cls, client: Client) -> KeyedDoor:
        """A client's."""
        return cls(door=client.door, api_key=client.plan_key)

    def client(self, headers: Mapping[str, str]) -> httpx.Client:
        """A client that connects there."""
        return self.door.client({"x-api-key": self.api_key, **headers})
