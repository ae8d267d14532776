"""DNS as Route 53 answers it: records by the state of health checks, which send requests.

A check sends its request to the listener of the load balancer that its name resolves to, which answers by its web ACL,
its rules and its targets. As Route 53's checkers do, it does not verify the certificate and accepts a status from 200
to 399 (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html). It
sends it when its status is read. Its state, which DNS uses, changes after as many intervals as its failure threshold,
by the clock, from the first differing observation; a new check is healthy until then.

Not emulated: checkers that disagree, types other than HTTP, HTTPS and CALCULATED, the location of the resolver (of
latency records the first healthy one is returned), and routing other than failover and latency. The addresses of a load
balancer are those of its network interfaces; that of a distribution is this machine's, where its edge listens.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from typing import Any

from moto.cloudfront.models import cloudfront_backends
from moto.elbv2.models import elbv2_backends
from moto.route53.models import HealthCheck, Route53Backend, route53_backends

from emulator.address import HOST
from emulator.clock import CLOCK
from emulator.regions import REGIONS
from emulator.runtime import load_balancers
from emulator.runtime.forwarding import Request
from emulator.runtime.network_interfaces import network_interfaces
from emulator.turns import let_others

CHECKER = "192.0.2.1"
"""The address of the checkers: of a documentation block (RFC 5737)."""
SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True)
class Observation:
    """Observation of a checker."""

    success: bool
    text: str


def answer(account_id: str, zone: Any, name: str, kind: str) -> list[str] | None:
    """The values under a name in a zone (one of moto's); None where there is no such name."""
    wanted = _absolute(name)
    records = [one for one in zone.rrsets if _absolute(one.name) == wanted]
    if not records:
        return None
    of_kind = [one for one in records if one.type == kind]
    return _values(account_id, _chosen(account_id, of_kind), kind) if of_kind else []


def _chosen(account_id: str, records: list[Any]) -> Any:
    """The record that is answered. Where none is healthy, all count as such: the primary's, or the first.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
    """
    by_rank = sorted(records, key=lambda one: one.failover == "SECONDARY")
    return next((one for one in by_rank if _record_is_healthy(account_id, one)), by_rank[0])


def _record_is_healthy(account_id: str, record: Any) -> bool:
    if record.health_check_id and not is_healthy(account_id, record.health_check_id):
        return False
    target = record.alias_target
    if not target or str(target.get("EvaluateTargetHealth")).lower() != "true":
        return True
    found = _load_balancer(account_id, target["DNSName"])
    return found is not None and _has_targets(account_id, *found)


def _has_targets(account_id: str, region: str, load_balancer: Any) -> bool:
    """Whether each target group that a rule forwards to has a target: otherwise the load balancer is unhealthy.

    AliasTarget, EvaluateTargetHealth, in Route 53's API reference
    """
    if REGIONS.is_lost(region):
        return False
    groups = elbv2_backends[account_id][region].target_groups.values()
    return all(group.targets for group in groups if load_balancer.arn in group.load_balancer_arns)


def _values(account_id: str, record: Any, kind: str) -> list[str]:
    if not record.alias_target:
        return list(record.records)
    alias = record.alias_target["DNSName"]
    if found := _load_balancer(account_id, alias):
        region, load_balancer = found
        interfaces = network_interfaces(elbv2_backends[account_id][region].ec2_backend, load_balancer)
        return sorted(str(one.private_ip_address) for one in interfaces)
    if _distribution(account_id, alias):
        return [HOST] if kind == "A" else []
    raise NotImplementedError(f"an alias of {alias} in an answer of type {kind}")


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a name leads to: a distribution, or a load balancer and its region. ``way`` tells how, for the record."""

    way: str
    distribution: Any = None
    load_balancer: Any = None
    region: str = ""


def resolve(account_id: str, name: str) -> Resolved | None:
    """What a name of the internet leads to, through the records of all zones; None for an unknown name.

    The names of load balancers and distributions themselves are AWS's, and always known.
    """
    records = [
        record
        for zone in _backend(account_id).zones.values()
        for record in zone.rrsets
        if record.type == "A" and record.alias_target and _absolute(record.name) == _absolute(name)
    ]
    alias = str(_chosen(account_id, records).alias_target["DNSName"]) if records else name
    way = f"A {name} -> {alias.rstrip('.')}" if records else name
    if distribution := _distribution(account_id, alias):
        return Resolved(way=way, distribution=distribution)
    if found := _load_balancer(account_id, alias):
        return Resolved(way=way, region=found[0], load_balancer=found[1])
    return None


def is_healthy(account_id: str, check_id: str) -> bool:
    """The state of a health check, which DNS uses. An unknown one counts as healthy."""
    check = _backend(account_id).health_checks.get(check_id)
    if check is None or check.disabled:
        return True
    if check.type_ == "CALCULATED":
        healthy = sum(is_healthy(account_id, child) for child in check.children or [])
        return (healthy >= (check.health_threshold or 0)) != bool(check.inverted)
    return settle(check, observe(account_id, check).success != bool(check.inverted))


def settle(check: HealthCheck, now: bool) -> bool:
    """The state of a check after it was seen to be ``now``."""
    state = check.__dict__.setdefault("state", {"healthy": True, "other_since": None})
    if now == state["healthy"]:
        state["other_since"] = None
        return now
    if state["other_since"] is None:
        state["other_since"] = time.monotonic()
    minutes = (time.monotonic() - state["other_since"]) / CLOCK.seconds_per_minute
    if minutes >= int(check.request_interval) * int(check.failure_threshold) / SECONDS_PER_MINUTE:
        state["healthy"], state["other_since"] = now, None
    return bool(state["healthy"])


def observe(account_id: str, check: HealthCheck) -> Observation:
    """Send a check's request."""
    if check.type_ not in {"HTTP", "HTTPS"}:
        raise NotImplementedError(f"health checks of type {check.type_}")
    found = _at(account_id, str(check.fqdn))
    if found is None:
        return Observation(False, f"Failure: DNS resolution failed: {check.fqdn}")
    region, load_balancer = found
    listeners = [one for one in load_balancer.listeners.values() if int(one.port) == int(check.port)]
    if REGIONS.is_lost(region) or not listeners:
        return Observation(False, "Failure: The health checker could not establish a connection.")
    return _ask(account_id, region, listeners[0], check)


def _ask(account_id: str, region: str, listener: Any, check: HealthCheck) -> Observation:
    if str(listener.protocol) != check.type_:
        return Observation(False, f"Failure: the listener speaks {listener.protocol}")
    headers = Message()
    headers["Host"] = str(check.fqdn)
    request = Request(method="GET", target=check.resource_path or "/", headers=headers, address=CHECKER)
    with let_others():  # a stand-in may call AWS before it answers
        status = load_balancers.answer(account_id, region, listener, request).status
    success = 200 <= status < 400  # noqa: PLR2004 (Route 53's own bounds)
    return Observation(success, f"{'Success' if success else 'Failure'}: HTTP Status Code {status}")


def _at(account_id: str, name: str) -> tuple[str, Any] | None:
    """The load balancer that a name of any zone resolves to, and its region."""
    aliases = (
        record.alias_target["DNSName"]
        for zone in _backend(account_id).zones.values()
        for record in zone.rrsets
        if record.alias_target and _absolute(record.name) == _absolute(name)
    )
    return next((found for one in aliases if (found := _load_balancer(account_id, one))), None)


def _load_balancer(account_id: str, dns_name: str) -> tuple[str, Any] | None:
    wanted = _absolute(dns_name).removeprefix("dualstack.")
    return next(
        (
            (region, one)
            for region, backend in _regional(elbv2_backends[account_id])
            for one in backend.load_balancers.values()
            if _absolute(one.dns_name) == wanted
        ),
        None,
    )


def _distribution(account_id: str, name: str) -> Any | None:
    """The distribution (of :mod:`emulator.moto.cloudfront`) whose own domain name this is."""
    wanted = _absolute(name)
    distributions = cloudfront_backends[account_id]["aws"].distributions.values()
    return next((one for one in distributions if _absolute(one.answer()["DomainName"]) == wanted), None)


def _regional(backends: Any) -> Iterable[tuple[str, Any]]:
    return list(backends.items())


def _backend(account_id: str) -> Route53Backend:
    return route53_backends[account_id]["aws"]


def _absolute(name: str) -> str:
    return name.lower().rstrip(".") + "."
