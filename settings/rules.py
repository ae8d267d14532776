"""Rules over several fields (W0.4).

Each is evaluated if the fields that it compares are valid, even where others are not, so that all problems show at
once.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from settings.backups import BackupSettings
from settings.common import CONNECTION_SHARE
from settings.database import DatabaseSettings, RecoveryMode
from settings.domain import LONGEST_CERTIFICATE_NAME, load_balancer_name
from settings.edge import WHOLE_DOMAIN, OriginRouting
from settings.naming import Names
from settings.processing import LEAST_CONNECTIONS, ProcessingSettings
from settings.services import ECR_REGION, ServiceSettings

MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A field whose value conflicts with another's, and the allowed values."""

    field: tuple[str, ...]
    value: object
    allowed: str


def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems between the fields of a settings file."""
    yield from _region_names(values)
    yield from _region_networks(values)
    yield from _name_lengths(values)
    yield from _connections(values)
    yield from _rule_priorities(values)
    yield from _ways_out(values)
    yield from _locked_vaults(values)
    yield from _backups_apart(values)
    yield from _processed_service(values)
    yield from _operators(values)
    yield from _senders(values)
    yield from _certificate_names(values)
    yield from _latency_routing(values)
    yield from _own_repositories(values)


def _region_names(values: Mapping[str, Any]) -> Iterator[Problem]:
    primary, recovery = _text(values, "primary", "name"), _text(values, "recovery", "name")
    if primary and primary == recovery:
        yield Problem(field=("recovery", "name"), value=recovery, allowed="a region other than primary.name is")


def _region_networks(values: Mapping[str, Any]) -> Iterator[Problem]:
    primary, recovery = _text(values, "primary", "cidr"), _text(values, "recovery", "cidr")
    try:
        overlap = ipaddress.IPv4Network(primary).overlaps(ipaddress.IPv4Network(recovery))
    except ValueError:
        return  # the field's own rule reports it
    if overlap:
        allowed = f"the networks are peered, so a block that does not overlap primary.cidr ({primary}) is"
        yield Problem(field=("recovery", "cidr"), value=recovery, allowed=allowed)


def _name_lengths(values: Mapping[str, Any]) -> Iterator[Problem]:
    parts = [_text(values, field) for field in ("name_prefix", "environment_suffix", "account_id")]
    regions = [name for field in ("primary", "recovery") if (name := _text(values, field, "name"))]
    if all(parts) and regions:
        for allowed in Names(*parts).too_long(regions, services=list(_services(values))):
            yield Problem(field=("environment_suffix",), value=parts[1], allowed=allowed)


def _connections(values: Mapping[str, Any]) -> Iterator[Problem]:
    """All together must leave the database a fifth of its connections, also while a release runs both colours."""
    services = _services(values)
    try:
        database = DatabaseSettings.model_validate(values.get("database", {}))
    except ValidationError:
        return
    allowed = int(database.max_connections * CONNECTION_SHARE)
    # The tasks of both regions write through the one writer that a global database has (modules/database/access.py).
    regions = 2 if database.recovery is RecoveryMode.GLOBAL else 1
    held = {name: regions * one.most_tasks * one.connections_per_task for name, one in services.items()}
    if processing := _processing(values):
        # As many functions as may process at once, and the one that reconciles.
        held["processing"] = regions * (processing.concurrency + 1) * processing.connections_per_function
    if sum(held.values()) > allowed:
        listed = ", ".join(f"{name} {number}" for name, number in held.items() if number)
        yield Problem(
            field=("database", "instance_class"),
            value=database.instance_class,
            allowed=f"tasks may hold {CONNECTION_SHARE:.0%} of its {database.max_connections} connections, {allowed}, "
            f"and could hold {sum(held.values())} ({listed}, counting both colours of a release"
            f"{' and both regions' if regions > 1 else ''}): choose a larger one, "
            "or lower max_tasks or connections_per_task, or processing.concurrency",
        )


def _rule_priorities(values: Mapping[str, Any]) -> Iterator[Problem]:
    owners: dict[int, str] = {}
    for name, service in _services(values).items():
        if service.critical and owners.setdefault(service.priority, name) != name:
            other = owners[service.priority]
            allowed = f"one that no other service has is: {other} has it"
            yield Problem(field=("services", name, "priority"), value=service.priority, allowed=allowed)


def _ways_out(values: Mapping[str, Any]) -> Iterator[Problem]:
    network = values.get("network")
    if isinstance(network, Mapping) and network.get("nat_gateways", "none") != "none":
        return
    for name, service in _services(values).items():
        if service.reaches_internet:
            allowed = "the only way out is a NAT gateway, and network.nat_gateways is none: false is, or one"
            yield Problem(field=("services", name, "reaches_internet"), value=True, allowed=allowed)
    if processing := _processing(values):
        allowed = "the only way to it is a NAT gateway, and network.nat_gateways is none: one or one_per_zone is"
        yield Problem(field=("processing", "acquirer", "url"), value=processing.acquirer.url, allowed=allowed)


def _locked_vaults(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Only a protected environment's backup vaults are locked."""
    if values.get("protected") is not True:
        return
    with contextlib.suppress(ValidationError):
        backups = BackupSettings.model_validate(values.get("backups", {}))
        for field, value, allowed in backups.refused_by_the_lock():
            yield Problem(field=("backups", "lock", field), value=value, allowed=allowed)


def _backups_apart(values: Mapping[str, Any]) -> Iterator[Problem]:
    """AWS Backup starts no backup of a database in the window of the database's own.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/creating-a-backup-plan.html
    """
    try:
        start = BackupSettings.model_validate(values.get("backups", {})).start_utc
        window = DatabaseSettings.model_validate(values.get("database", {})).backup_window
    except ValidationError:
        return
    begin, end = (_minutes(part) for part in window.split("-"))
    if (_minutes(start) - begin) % MINUTES_PER_DAY < (end - begin) % MINUTES_PER_DAY:
        allowed = f"a time outside database.backup_window ({window}) is"
        yield Problem(field=("backups", "start_utc"), value=start, allowed=allowed)


def _senders(values: Mapping[str, Any]) -> Iterator[Problem]:
    """A queue is a worker's, and a worker that fills its own never ends."""
    services = _services(values)
    workers = {name for name, one in services.items() if not one.critical}
    for name, service in services.items():
        for other in service.sends_to:
            # One that is wrong by itself has a line of its own.
            unknown = other in _tables(values) and other not in services
            if other not in workers - {name} and not unknown:
                allowed = (
                    f"another service that is a worker is: {', '.join(sorted(workers - {name})) or 'there is none'}"
                )
                yield Problem(field=("services", name, "sends_to"), value=other, allowed=allowed)


def _processed_service(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The service that accepts payments is critical and has connections for requests and for the outbox."""
    if (processing := _processing(values)) is None:
        return
    critical = {name: one for name, one in _services(values).items() if one.critical}
    if processing.service not in critical:
        allowed = f"the name of a critical service is: {', '.join(critical) or 'there is none'}"
        yield Problem(field=("processing", "service"), value=processing.service, allowed=allowed)
    elif (held := critical[processing.service].connections_per_task) < LEAST_CONNECTIONS:
        yield Problem(
            field=("services", processing.service, "connections_per_task"),
            value=held,
            allowed=f"{LEAST_CONNECTIONS} or more is: it accepts payments, and sends them to the queue",
        )


def _operators(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Operators get in by a task of the service that accepts payments, as a role that its schema's function makes."""
    database = values.get("database")
    if isinstance(database, Mapping) and database.get("operator_access") is True and not values.get("processing"):
        allowed = "there is no schema to read, as there is no table [processing]: false is"
        yield Problem(field=("database", "operator_access"), value=True, allowed=allowed)


def _certificate_names(values: Mapping[str, Any]) -> Iterator[Problem]:
    """The first name of a certificate has 64 octets at most: of a load balancer, and the first that customers use.

    https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
    """
    domain, suffix = _text(values, "domain", "name"), _text(values, "environment_suffix")
    regions = [name for field in ("primary", "recovery") if (name := _text(values, field, "name"))]
    if not (domain and suffix and regions):
        return
    edge = values.get("edge")
    hosts = edge.get("host_names") if isinstance(edge, Mapping) else None
    first = next(iter(hosts), suffix) if isinstance(hosts, list | tuple) else suffix
    names = [load_balancer_name(domain, suffix, region) for region in regions]
    longest = max((*names, domain if first == WHOLE_DOMAIN else f"{first}.{domain}"), key=len)
    if (excess := len(longest) - LONGEST_CERTIFICATE_NAME) > 0:
        allowed = (
            f"one that is {excess} shorter is, or a shorter environment_suffix: {longest!r} would be the name of a "
            f"certificate, and AWS allows {LONGEST_CERTIFICATE_NAME} characters"
        )
        yield Problem(field=("domain", "name"), value=domain, allowed=allowed)


def _latency_routing(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Both regions serve, so both need to reach the writer: only a global database is in both."""
    edge = values.get("edge")
    if not isinstance(edge, Mapping) or edge.get("origin_routing") != OriginRouting.LATENCY:
        return
    try:
        database = DatabaseSettings.model_validate(values.get("database", {}))
    except ValidationError:
        return
    if database.recovery is not RecoveryMode.GLOBAL:
        allowed = f"with database.recovery {database.recovery.value} the recovery region has no database: failover is"
        yield Problem(field=("edge", "origin_routing"), value=OriginRouting.LATENCY.value, allowed=allowed)


def _own_repositories(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Tasks may pull images of ECR from the repository of their own service alone (modules/services/task.py)."""
    prefix, suffix, account = (_text(values, key) for key in ("name_prefix", "environment_suffix", "account_id"))
    if not all(map(re.compile(r"[a-z0-9-]+").fullmatch, (prefix, suffix, account))):
        return  # the field's own rule reports it
    for name, service in _services(values).items():
        registry, _, path = service.image.partition("@")[0].partition("/")
        own = Names(prefix, suffix, account).repository(name)
        if ECR_REGION.search(service.image) and (registry.partition(".")[0], path) != (account, own):
            allowed = (
                f"its tasks may pull from {account}'s repository {own} alone, so an image of it or a public one is"
            )
            yield Problem(field=("services", name, "image"), value=service.image, allowed=allowed)


def _processing(values: Mapping[str, Any]) -> ProcessingSettings | None:
    """How payments are processed, if that is right by itself."""
    with contextlib.suppress(ValidationError):
        return ProcessingSettings.model_validate(values["processing"]) if values.get("processing") else None
    return None


def _minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def _tables(values: Mapping[str, Any]) -> Mapping[str, Any]:
    tables = values.get("services")
    return tables if isinstance(tables, Mapping) else {}


def _services(values: Mapping[str, Any]) -> dict[str, ServiceSettings]:
    """The services that are right by themselves."""
    found: dict[str, ServiceSettings] = {}
    for name, table in _tables(values).items():
        with contextlib.suppress(ValidationError):
            found[str(name)] = ServiceSettings.model_validate(table)
    return found


def _text(values: Mapping[str, Any], *path: str) -> str:
    """The text at a path within the values, or none where there is something else or nothing."""
    found: Any = values
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""
