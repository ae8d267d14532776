"""Changes of the settings of a deployed platform, and what Terraform would do: plans of several changes at once.

A plan of the whole platform costs half a minute of processor. Changes that share no resource go into one plan, of
which each line belongs to the change whose settings alone change that resource in the configuration. A line of no
change's belongs to those whose resources it refers to, and else (as the tags of all) to all changes in the plan.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from emulator import process
from emulator.process import Server
from operations.deployment.synthesized import provider_installation
from operations.deployment.terraform import Terraform
from policy.order import Graph
from settings import load
from tests.lifecycle.base import Deployed
from tests.lifecycle.parts import forked
from tests.synthesized import Synthesized, synthesize

ENVIRONMENTS = Path("settings") / "environments"
LOCK_FILE = ".terraform.lock.hcl"
DIGEST = "0" * 64
# What a running platform is asked for, as settings over those that were deployed: dotted keys, so that several together
# are such a file as well, and none may say what another does.
CHANGES = {
    "image": f'services.web.image = "registry.example.com/web@sha256:{DIGEST}"\n',
    "size": "services.payments.cpu_units = 1024\nservices.payments.memory_mib = 2048\n",
    "rule": 'services.payments.path_patterns = ["/api/*", "/v2/*"]\nservices.payments.priority = 900\n',
    "health-check": ('services.web.health_check.path = "/health"\nservices.web.health_check.interval_seconds = 20\n'),
    "operation": (
        'alarm_email_addresses = ["operations@example.com"]\n'
        "services.web.min_tasks = 3\nservices.web.max_tasks = 9\n"
        "services.web.connections_per_task = 4\nservices.web.requests_per_target = 500\n"
        "services.reports.on_demand_base = 1\nservices.reports.spot_weight = 50\n"
        "services.reports.messages_per_task = 50\n"
        "release.canary_percent = 20\nrelease.bake_minutes = 5\nrelease.max_p99_seconds = 1.5\n"
    ),
    "nat-and-tags": 'network.nat_gateways = "one"\ntags.owner = "somebody else"\n',
    "database-class": 'database.instance_class = "db.r8g.xlarge"\n',
    "database-readers": "database.readers = 3\n",
    "database-windows": (
        'database.backup_window = "04:00-05:00"\ndatabase.maintenance_window = "mon:06:00-mon:07:00"\n'
        "database.backup_retention_days = 14\n"
    ),
    "database-version": 'database.engine_version = "17.10"\n',
    "database-password": "database.master_password_version = 2\n",
    "database-recovery": 'database.recovery = "snapshots"\ndatabase.recovery_instances = 0\n',
    "edge": (
        'edge.blocked_countries = ["XK"]\n'
        'edge.behaviours = [{path_pattern = "/v2/*", kind = "api"}, {path_pattern = "/static/*", kind = "static"}]\n'
        'edge.health_check.path = "/healthz"\n'
        'firewall.mode = "count"\nfirewall.requests_per_address = 900\nfirewall.max_body_kib = 32\n'
        'firewall.blocked_addresses = ["192.0.2.0/24"]\n'
    ),
    "routing": 'edge.origin_routing = "latency"\n',
    "new-service": (
        f'services.cards.image = "registry.example.com/cards@sha256:{DIGEST}"\nservices.cards.critical = true\n'
        'services.cards.path_patterns = ["/cards/*"]\nservices.cards.priority = 2000\n'
    ),
    "removed-service": "",
}
# Which are looked at in one plan: none changes a resource that another does, but for SHARED.
PLANS = (
    ("operation", "size", "rule", "health-check", "edge", "database-class", "database-version", "database-readers"),
    ("image", "routing", "new-service", "database-windows"),
    ("nat-and-tags",),
    ("removed-service",),
)
# Applied before the destruction: the recovery mode without a database, and a master password that was lost.
APPLIED = ("database-recovery", "database-password")
SHARED = {"aws_cloudwatch_dashboard"}  # which shows all of the platform


def play_changes(deployed: Deployed, directory: Path, console: Console) -> dict[str, list[str]]:
    """The lines of each change, of all plans."""
    with forked(deployed.server, directory, console) as (_, server):
        found: dict[str, list[str]] = {}
        for number, names in enumerate(PLANS):
            # The plan before this one was empty: what exists is what the state says.
            plan = changed(names, deployed, server, directory / str(number), console).plan(refresh=False)
            found |= by_change(names, plan, directory)
        return found


def changed(names: Iterable[str], deployed: Deployed, server: Server, directory: Path, console: Console) -> Terraform:
    """Terraform for the deployed platform as it would be with these changes of settings, in a directory of its own."""
    wanted = synthesized(names, directory.parent)
    stack = Path(shutil.copytree(wanted.directory, directory, copy_function=_link_or_copy))
    base = deployed.server.directory
    # As deployed, so that the providers need not be installed again: the deployment's lock and its data directory.
    shutil.copy(base / "cdktf.out" / "stacks" / "payment-platform" / LOCK_FILE, stack)
    environment = provider_installation(stack).environment(process.complete_environment(server.url))
    environment["TF_DATA_DIR"] = str(base / "terraform")
    return Terraform(stack, environment, console)


def _link_or_copy(one: str, other: str) -> None:
    try:
        os.link(one, other)
    except OSError:  # on another disk
        shutil.copy(one, other)


def synthesized(names: Iterable[str], directory: Path) -> Synthesized:
    """The platform with these changes of settings."""
    file = directory / "changed.toml"
    text = "".join(CHANGES[name] for name in names)
    file.write_text(f'extends = "local"\n{text}' if text else without_payments(), encoding="utf-8")
    return synthesize(load(str(file)))


def without_payments() -> str:
    """The deployed settings less a service, and what processes for it: a file cannot take away what another has."""
    services = (ENVIRONMENTS / "_services.toml").read_text(encoding="utf-8").split("[services.")[1:]
    others = "".join(f"[services.{one}" for one in services if not one.startswith("payments]"))
    # A table ends where a line begins the next.
    tables = re.compile(r"^\[(processing|services\.payments)\].*\n(?:(?!\[).*\n)*", re.MULTILINE)
    local = tables.sub("", (ENVIRONMENTS / "local.toml").read_text(encoding="utf-8"))
    local = local.replace("operator_access = true", "operator_access = false")  # there is nothing to read without it
    return local.replace('extends = "_services"', "") + "\n" + others


def by_change(names: Iterable[str], plan: Iterable[str], directory: Path) -> dict[str, list[str]]:
    """The lines of a plan of several changes, by change.

    Raises:
        AssertionError: two of the changes change the same resource, so that its line would speak for both; or one
            changes no resource that it is about.
    """
    lines = list(plan)
    before = synthesize(load("local")).configuration
    about = {name: _differing(before, synthesized([name], directory).configuration) for name in names}
    for (one, its), (other, others) in itertools.combinations(about.items(), 2):
        both = {address for address in its & others if address.split(".")[0] not in SHARED}
        assert not both, f"{one} and {other} both change {', '.join(sorted(both))}"
    for name, addresses in about.items():
        assert any(line.partition(" ")[2] in addresses for line in lines), f"{name} changes nothing"
    follows = _followers(before)
    return {name: list(_lines_of(name, about, lines, follows)) for name in about}


def _lines_of(
    name: str, about: Mapping[str, set[str]], plan: Iterable[str], follows: Mapping[str, set[str]]
) -> Iterator[str]:
    """Those of what it changes, of what refers to that, and of what neither any change has nor refers to."""
    everybodys = set().union(*about.values())
    for line in plan:
        address = line.partition(" ")[2]
        causes = {address} if address in everybodys else follows.get(address, set()) & everybodys
        if causes & about[name] or not causes:
            yield line


def _followers(configuration: dict[str, Any]) -> dict[str, set[str]]:
    """What each resource refers to itself."""
    graph = Graph(configuration)
    return {address: set(graph.addresses_in(block)) for address, block in _resources(configuration).items()}


def _differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The addresses of the resources whose blocks differ, or which only one of two configurations has.

    A document that is written as a data source is a part of the resources that have it.
    """
    one, other = _resources(before), _resources(after)
    own = {address for address in one.keys() | other.keys() if one.get(address) != other.get(address)}
    documents = {
        f"data.{type_}.{id_}"
        for type_, blocks in after["data"].items()
        for id_, block in blocks.items()
        if block != before["data"].get(type_, {}).get(id_)
    }
    return own | {address for address, refers_to in _followers(after).items() if refers_to & documents}


def _resources(configuration: dict[str, Any]) -> dict[str, Any]:
    """Each block by address, without the order in which Terraform goes about it."""
    return {
        f"{type_}.{id_}": {key: value for key, value in block.items() if key != "depends_on"}
        for type_, blocks in configuration["resource"].items()
        for id_, block in blocks.items()
    }
