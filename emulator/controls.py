"""What a rehearsal asks of the local AWS itself, and of no service: to hurry, to lose a region, to take a snapshot.

Each path takes JSON by PUT; :mod:`emulator.process` has a function for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID

from emulator.authorization.statements import all_statements
from emulator.authorization.struck import STRUCK
from emulator.authorization.uses import USES
from emulator.clock import CLOCK
from emulator.faults import FAULTS
from emulator.regions import REGIONS
from emulator.runtime import images
from emulator.runtime.authority import authority
from emulator.runtime.databases.clusters import SERVERS
from emulator.runtime.names import NAMES
from emulator.turns import turn

IMAGES_PATH = "/_local-aws/images"
"""Takes ``{"image": "...@sha256:...", "url": "https://127.0.0.1:8443"}`` by PUT: who stands for the image's tasks."""

CONTAINERS_PATH = "/_local-aws/containers"
"""Takes ``{"repository": "payments/local/payments", "image": {...}}`` by PUT: what its tasks run, from now on.
The image is one of emulator/runtime/tasks/image.py."""

TASKS_PATH = "/_local-aws/tasks"
"""Takes ``{"most": 2}`` by PUT: how many tasks of a service run at most. Answers what there is of each task."""

INTERNET_PATH = "/_local-aws/internet"
"""Takes ``{"name": "acquirer.example.com", "url": "http://127.0.0.1:8080"}`` by PUT: who answers for it on 443.
In place of the URL a ``command`` that takes ``--port``, with ``variables``: it is run until the local AWS ends."""

LISTENERS_PATH = "/_local-aws/listeners"
"""Takes ``{}`` by PUT: where each listener of a load balancer is reached on this machine."""

EXECUTE_PATH = "/_local-aws/execute"
"""Takes ``{"task": ARN, "command": [...], "seconds": 20}`` by PUT: runs it in the container, as ECS Exec would."""

EDGE_PATH = "/_local-aws/edge"
"""Takes ``{"name": "pay.example.com"}`` by PUT: where CloudFront answers for it here, and who has signed for it."""

GATEWAY_PATH = "/_local-aws/gateway"
"""Takes ``{"name": "api.example.com", "region": "ap-southeast-1"}`` by PUT: where API Gateway answers for it here."""

CLOCK_PATH = "/_local-aws/clock"
"""Takes ``{"seconds_per_minute": 0.5}`` by PUT: how fast releases go from now on."""

ALARMS_PATH = "/_local-aws/alarms"
"""Takes ``{"ring": true}`` by PUT: metrics are published and alarms evaluated from now on, or no more.
Answers the time of the clock, which metrics have, and what evaluation has cost."""

SNAPSHOTS_PATH = "/_local-aws/snapshots"
"""Takes ``{"region": "us-east-2", "cluster": "name"}`` by PUT: RDS takes an automated snapshot, as every night."""

REGIONS_PATH = "/_local-aws/regions"
"""Takes ``{"region": "us-east-2", "lost": true, "silent": false}`` by PUT: nothing answers there until it is back."""

FAULTS_PATH = "/_local-aws/faults"
"""Takes ``{"operation": "StartExportTask", "code": "Throttling", "times": 2}`` by PUT: the next calls fail so."""


STEP_PATH = "/_local-aws/step"
"""Takes ``{"name": "pay"}`` by PUT: what a rehearsal does from now on, under which uses of statements are recorded."""

STATEMENTS_PATH = "/_local-aws/statements"
"""Takes ``{}`` by PUT: every statement of every policy that there is, by the names of ``uses.jsonl``."""

STRIKE_PATH = "/_local-aws/strike"
"""Takes ``{"statements": [["kind", "document", "statement"]]}`` by PUT: these decide nothing, all others do again."""

DATABASES_PATH = "/_local-aws/databases"
"""Takes ``{}`` by PUT: PostgreSQL runs behind each cluster; the names that lead there, and who has signed for them."""


def _set_clock(asked: dict[str, Any]) -> dict[str, object]:
    CLOCK.set(asked["seconds_per_minute"])
    return {"seconds_per_minute": CLOCK.seconds_per_minute}


def _begin_step(asked: dict[str, Any]) -> dict[str, object]:
    USES.begin(str(asked["name"]))
    return {"step": asked["name"]}


def _find_statements(_asked: dict[str, Any]) -> dict[str, object]:
    with turn():
        return {"statements": list(all_statements())}


def _strike(asked: dict[str, Any]) -> dict[str, object]:
    STRUCK.set(frozenset((kind, document, name) for kind, document, name in asked["statements"]))
    return {**asked}


def _ring_alarms(asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime.monitoring.ringing import RINGER

    if "ring" in asked:
        (RINGER.begin if asked["ring"] else RINGER.end)()
    return {"now": CLOCK.seconds(), "looks": RINGER.looks, "processor_seconds": RINGER.seconds}


def _register_image(asked: dict[str, Any]) -> dict[str, object]:
    images.register(asked["image"], asked["url"])
    return {**asked}


def _describe_image(asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime.tasks.image import Image
    from emulator.runtime.tasks.keeper import KEEPER

    KEEPER.describe(asked["repository"], Image.of(asked["image"]))
    return {"repository": asked["repository"]}


def _keep_tasks(asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime.tasks.keeper import KEEPER

    if "most" in asked:
        KEEPER.begin(int(asked["most"]))
    return {"tasks": [one.described() for one in KEEPER.tasks()]}


def _stand_on_the_internet(asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime import internet

    if "command" in asked:
        internet.run(asked["name"], asked["command"], asked["variables"])
    else:
        internet.stand_for(asked["name"], asked["url"])
    return {"name": asked["name"], "url": internet.url_of(asked["name"])}


def _find_listeners(_asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime.load_balancers import listeners

    with turn():
        return {"listeners": listeners(ACCOUNT_ID)}


def _find_edge(asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime.edge.server import EDGE, UnknownNameError, distribution_of

    with turn():
        try:
            distribution = distribution_of(str(asked["name"]).lower())
        except (UnknownNameError, NotImplementedError) as refused:
            raise ValueError(str(refused)) from None
    ports, pem = EDGE.ports(), authority().pem.decode()
    return {"distribution": distribution.id, "https": ports.https, "http": ports.http, "authority": pem}


def _find_gateway(asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime.gateway import deployed
    from emulator.runtime.gateway.server import GATEWAY

    try:
        found = deployed.domain(str(asked["region"]), str(asked["name"]).lower())
    except deployed.UnknownNameError as refused:
        raise ValueError(str(refused)) from None
    return {"api": found.api.id, "https": GATEWAY.port(found.region), "authority": authority().pem.decode()}


def _execute(asked: dict[str, Any]) -> dict[str, object]:
    from emulator.runtime.tasks.keeper import KEEPER

    found = next((one for one in KEEPER.tasks() if one.arn == asked["task"] and one.process), None)
    if found is None or found.process is None:
        raise ValueError(f"no task {asked['task']} runs")
    done = found.process.run(tuple(asked["command"]), float(asked["seconds"]))
    if done is None:
        raise ValueError(f"the command did not end within {asked['seconds']} s")
    return {"code": done[0], "output": done[1]}


def _take_snapshot(asked: dict[str, Any]) -> dict[str, object]:
    from moto.rds.exceptions import RDSClientError

    from emulator.moto.rds_exports import take_automated_snapshot

    with turn():
        try:
            return {"snapshot": take_automated_snapshot(ACCOUNT_ID, asked["region"], asked["cluster"])}
        except RDSClientError as missing:
            raise ValueError(str(missing)) from None


def _lose_region(asked: dict[str, Any]) -> dict[str, object]:
    REGIONS.set(asked["region"], lost=asked["lost"], silent=asked["silent"])
    SERVERS.settle()
    return {**asked}


def _start_databases(_asked: dict[str, Any]) -> dict[str, object]:
    if problem := SERVERS.start():
        raise ValueError(problem)
    return {"names": NAMES.table(), "authority": authority().pem.decode()}


def _ask_for_faults(asked: dict[str, Any]) -> dict[str, object]:
    FAULTS.ask(asked["operation"], asked["code"], asked["times"])
    return {**asked}


CONTROLS: dict[str, Callable[[dict[str, Any]], dict[str, object]]] = {
    ALARMS_PATH: _ring_alarms,
    CLOCK_PATH: _set_clock,
    CONTAINERS_PATH: _describe_image,
    EDGE_PATH: _find_edge,
    EXECUTE_PATH: _execute,
    GATEWAY_PATH: _find_gateway,
    IMAGES_PATH: _register_image,
    INTERNET_PATH: _stand_on_the_internet,
    LISTENERS_PATH: _find_listeners,
    STATEMENTS_PATH: _find_statements,
    STEP_PATH: _begin_step,
    STRIKE_PATH: _strike,
    TASKS_PATH: _keep_tasks,
    SNAPSHOTS_PATH: _take_snapshot,
    FAULTS_PATH: _ask_for_faults,
    REGIONS_PATH: _lose_region,
    DATABASES_PATH: _start_databases,
}
