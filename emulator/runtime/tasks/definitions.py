"""Builds a box from a task definition of ECS and an image.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.address import HOST
from emulator.runtime.tasks.box import Box, Mount, Way
from emulator.runtime.tasks.image import Image

AGENT_ADDRESS, AGENT_PORT = "169.254.170.2", 80
"""The address of ECS's agent in every task.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html"""
_DEFAULT_MODE = 0o755
_DEFAULT_STOP_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """The health check of a container: its command, and when its result counts. Times are in seconds.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
    """

    command: tuple[str, ...]
    interval: float
    timeout: float
    retries: int
    start_period: float


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The environment of a task: the port of the local AWS, the names that resolve, and the trusted CAs."""

    port: int
    hosts: Mapping[str, str]
    ways: tuple[Way, ...]
    trusted: str
    """CA certificates as PEM."""


def box_of(container: Mapping[str, Any], image: Image, given: Mapping[str, str], around: Surroundings) -> Box:
    """The box of a container definition; ``given`` are variables in addition to its own: secrets and the agent's."""
    environment = {one["name"]: one["value"] for one in container.get("environment") or ()}
    user = str(container.get("user") or image.user).partition(":")[0]
    ports = [int(one["containerPort"]) for one in container.get("portMappings") or ()]
    return Box(
        command=_command(container, image),
        environment={**image.environment, **environment, **given, "AWS_ENDPOINT_URL": f"http://{HOST}:{around.port}"},
        directory=container.get("workingDirectory") or image.directory,
        user=int(user),
        read_only=bool(container.get("readonlyRootFilesystem")),
        folders={**image.folders, **({sys.base_prefix: sys.base_prefix} if image.python else {})},
        files=_files(image, around),
        mounts=tuple(_mounts(container, image)),
        ways=(
            Way(address=HOST, port=around.port, host=HOST, host_port=around.port),
            Way(address=AGENT_ADDRESS, port=AGENT_PORT, host=HOST, host_port=around.port),
            *around.ways,
        ),
        port=ports[0] if ports else None,
        stop_seconds=float(container.get("stopTimeout") or _DEFAULT_STOP_SECONDS),
    )


def health_check_of(container: Mapping[str, Any]) -> HealthCheck | None:
    """The health check of a container definition; ECS ignores that of the image's Dockerfile."""
    said = container.get("healthCheck")
    if not said or said["command"][0] == "NONE":
        return None
    kind, *command = said["command"]
    return HealthCheck(
        command=("/bin/sh", "-c", *command) if kind == "CMD-SHELL" else tuple(command),
        interval=float(said.get("interval") or 30),
        timeout=float(said.get("timeout") or 5),
        retries=int(said.get("retries") or 3),
        start_period=float(said.get("startPeriod") or 0),
    )


def _command(container: Mapping[str, Any], image: Image) -> tuple[str, ...]:
    """The command, as by Docker: with an entry point in the definition the image's command is ignored."""
    if entrypoint := container.get("entryPoint"):
        return (*entrypoint, *(container.get("command") or ()))
    return (*image.entrypoint, *(container.get("command") or image.command))


def _mounts(container: Mapping[str, Any], image: Image) -> list[Mount]:
    """The bind mounts, which on Fargate are owned by root with mode 0755 unless the image declares the path as VOLUME.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
    """
    read_only = {one["containerPath"]: bool(one.get("readOnly")) for one in container.get("mountPoints") or ()}
    declared = dict.fromkeys(image.volumes, False)
    return [
        Mount(path=path, mode=image.volumes.get(path, _DEFAULT_MODE), read_only=is_read_only)
        for path, is_read_only in {**declared, **read_only}.items()
    ]


def _files(image: Image, around: Surroundings) -> dict[str, str]:
    hosts = {"localhost": HOST, **around.hosts}
    files = {
        "/etc/hosts": "".join(f"{address} {name}\n" for name, address in hosts.items()),
        "/etc/nsswitch.conf": "hosts: files\n",
        "/etc/passwd": "root:x:0:0::/:/bin/sh\n",
        "/etc/group": "root:x:0:\n",
        **dict.fromkeys(image.trusted, around.trusted),
    }
    if image.python:
        # Without this machine's packages (-S).
        files[image.python] = f'#!/bin/sh\nexec {sys._base_executable} -S "$@"\n'  # type: ignore[attr-defined] # noqa: SLF001
    return files
