"""What runs in a local AWS, for tests and commands: tasks, load balancers, and what stands on the internet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.process import Server, control


def describe_image(server: Server, repository: str, image: Mapping[str, object]) -> None:
    """Let the tasks of a repository's images run as ``image`` says (emulator/runtime/tasks/image.py), from now on.

    Raises:
        EmulatorError: it is no image, or the server does not answer.
    """
    control(server, "containers", {"repository": repository, "image": image})


def keep_tasks(server: Server, most: int) -> None:
    """Let at most so many tasks of a service run, as processes; 0 are none. A fork begins with none.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "tasks", {"most": most})


def ring_alarms(server: Server, *, ring: bool = True) -> None:
    """Publish metrics and evaluate alarms from now on, or no more. A fork begins without.

    Raises:
        EmulatorError: the server does not answer.
    """
    control(server, "alarms", {"ring": ring})


def tasks(server: Server) -> list[dict[str, object]]:
    """The tasks of a local AWS: of each ``arn``, ``service``, ``state``, ``reason``, ``url``, ``pid`` and others.

    Raises:
        EmulatorError: the server does not answer.
    """
    found: list[dict[str, object]] = control(server, "tasks", {})["tasks"]  # type: ignore[assignment]
    return found


def stand_on_the_internet(server: Server, name: str, url: str) -> None:
    """Let the server at ``url`` answer for a name of the internet, by HTTPS on 443.

    Raises:
        EmulatorError: it is no URL, or the server does not answer.
    """
    control(server, "internet", {"name": name, "url": url})


def run_on_the_internet(server: Server, name: str, command: Sequence[str], variables: Mapping[str, str]) -> str:
    """As :func:`stand_on_the_internet`, of a server that ``command`` with ``--port`` is, until the local AWS ends.

    Returns:
        Its URL on this machine. One that runs already goes on.

    Raises:
        EmulatorError: the server does not answer.
    """
    asked: dict[str, object] = {"name": name, "command": list(command), "variables": dict(variables)}
    return str(control(server, "internet", asked)["url"])


def execute(server: Server, task: str, command: Sequence[str], seconds: float = 30.0) -> tuple[int, str]:
    """Run a command in a task's container, as ECS Exec would; returns its exit code, and what it wrote.

    Raises:
        EmulatorError: no such task runs, or the command did not end in time.
    """
    asked: dict[str, object] = {"task": task, "command": list(command), "seconds": seconds}
    said: dict[str, Any] = control(server, "execute", asked, seconds=seconds + 5)
    return int(said["code"]), str(said["output"])


def listeners(server: Server) -> list[dict[str, str]]:
    """The listeners of load balancers: of each ``region``, ``load_balancer``, ``port`` there and ``url`` here.

    Raises:
        EmulatorError: the server does not answer.
    """
    found: list[dict[str, str]] = control(server, "listeners", {})["listeners"]  # type: ignore[assignment]
    return found


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The edge of a name: its distribution, the ports of 127.0.0.1 that stand for 443 and 80, and the CA's PEM."""

    distribution: str
    https: int
    http: int
    authority: str


def edge(server: Server, name: str) -> Edge:
    """The edge of a name that a record of Route 53 leads to a distribution.

    Raises:
        EmulatorError: there is no such record, or the server does not answer.
    """
    said: dict[str, Any] = control(server, "edge", {"name": name})
    return Edge(**said)


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """API Gateway at a custom domain: its API, the port of 127.0.0.1 that stands for 443, and the CA's PEM."""

    api: str
    https: int
    authority: str


def gateway(server: Server, region: str, name: str) -> Gateway:
    """API Gateway at a custom domain.

    Raises:
        EmulatorError: there is none, or the server does not answer.
    """
    said: dict[str, Any] = control(server, "gateway", {"name": name, "region": region})
    return Gateway(**said)
