"""Secrets Manager: a replica keeps the key that was chosen for it."""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.models import FakeSecret

from emulator.services.extend import Method, override


@override(FakeSecret)
def create_replicas(
    original: Method, self: Any, replica_regions: list[dict[str, str]], force_overwrite: bool
) -> list[Any]:
    """Store the key of each replica that names one; the others keep AWS's own."""
    replicas: list[Any] = original(self, replica_regions, force_overwrite)
    for replica, sent in zip(replicas, replica_regions or [], strict=True):
        if "KmsKeyId" in sent:
            replica.config["KmsKeyId"] = sent["KmsKeyId"]
    return replicas
