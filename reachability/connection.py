"""One connection: allowed by these, or refused by this.

https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html#route-tables-priority
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from reachability.network import ANY, PROTOCOL_NUMBERS, TCP, AclEntry, End, GroupRule, Interface, Ports, Route, is_in

EPHEMERAL: Ports = (1024, 65535)
"""The ports that responses go to, of every kind of client.

https://docs.aws.amazon.com/vpc/latest/userguide/nacl-ephemeral-ports.html
"""
LOCAL, PEERING, INTERNET_GATEWAY = "local", "pcx-", "igw-"
TO_THE_INTERNET = (INTERNET_GATEWAY, "nat-", "eni-", "vpce-")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a connection is possible: what admits it, in the packets' order, and what refuses it, if anything.

    ``parts`` are the ids of the rules, entries and routes that admit it.
    """

    allowed_by: tuple[str, ...]
    refused_by: str = ""
    parts: frozenset[str] = frozenset()

    @property
    def is_allowed(self) -> bool:
        """Whether nothing refuses it."""
        return not self.refused_by

    def __str__(self) -> str:
        """The answer in one line."""
        return f"refused by {self.refused_by}" if self.refused_by else f"allowed by {'; '.join(self.allowed_by)}"


class _RefusedError(Exception):
    """Something refuses the connection; the message is what."""


def evaluate(source: End, destination: End, port: int, *, protocol: str = TCP) -> Verdict:
    """The verdict on a connection from one end to the other's port.

    Within a subnet no network ACL applies, and traffic within a VPC follows the local route. Through a peering
    connection security groups of the other VPC are not referenced.
    """
    said: list[str] = []
    parts: list[str] = []
    refused_by = ""
    try:
        for step in _steps(source, destination, port, protocol):
            text, ids = step()
            said.append(text)
            parts += ids
    except _RefusedError as refusal:
        refused_by = str(refusal)
    return Verdict(allowed_by=tuple(said), refused_by=refused_by, parts=frozenset(parts))


Said = tuple[str, Sequence[str]]
"""What admits, in words, and the ids of its parts."""
Step = Callable[[], Said]


def _steps(source: End, destination: End, port: int, protocol: str) -> Iterator[Step]:
    ports = (port, port)
    if isinstance(source, Interface):
        yield lambda: _group(source, destination, port, protocol, is_egress=True)
        yield from _leaving(source, destination, ports, protocol)
    if isinstance(destination, Interface):
        if _crosses(source, destination):
            yield lambda: _acl(destination, source, ports, protocol, is_egress=False)
        yield lambda: _group(destination, source, port, protocol, is_egress=False)
        yield from _leaving(destination, source, EPHEMERAL, protocol)
    if isinstance(source, Interface) and _crosses(source, destination):
        yield lambda: _acl(source, destination, EPHEMERAL, protocol, is_egress=False)


def _leaving(source: Interface, destination: End, ports: Ports, protocol: str) -> Iterator[Step]:
    """The packets leave the source's subnet, and that of a NAT device that they pass, where responses come back."""
    if _crosses(source, destination):
        yield lambda: _acl(source, destination, ports, protocol, is_egress=True)
    yield lambda: _described(source, _route(source, destination))
    through = _route(source, destination).through
    if through is not None and through.subnet != source.subnet:
        # The device's subnet sees the packets twice, from the source and as its own, and so the responses.
        yield lambda: _acl(through, source, ports, protocol, is_egress=False)
        yield lambda: _acl(through, destination, ports, protocol, is_egress=True)
        yield lambda: _described(through, _route(through, destination))
        yield lambda: _acl(through, destination, EPHEMERAL, protocol, is_egress=False)
        yield lambda: _acl(through, source, EPHEMERAL, protocol, is_egress=True)
        yield lambda: _described(through, _route(through, source))
    if through is not None and through.groups and ports[0] == ports[1]:  # responses need no rule
        yield lambda: _group(through, source, ports[0], protocol, is_egress=False)
        yield lambda: _group(through, destination, ports[0], protocol, is_egress=True)


def _crosses(one: End, other: End) -> bool:
    """Whether packets between the two leave a subnet."""
    return not (isinstance(one, Interface) and isinstance(other, Interface) and one.subnet == other.subnet)


# --- security groups ---


def _group(own: Interface, other: End, port: int, protocol: str, *, is_egress: bool) -> Said:
    way, side = ("to", "egress") if is_egress else ("from", "ingress")
    for group in own.groups:
        for rule in group.egress if is_egress else group.ingress:
            if _admits(rule, own, other, port, protocol):
                return f"{side} of {group.id} ({rule.id})", [rule.id]
    groups = ", ".join(group.id for group in own.groups) or "no security group"
    raise _RefusedError(f"{groups}: no {side} rule admits {protocol} {port} {way} {other.name} ({other.address})")


def _admits(rule: GroupRule, own: Interface, other: End, port: int, protocol: str) -> bool:
    if rule.protocol not in {ANY, protocol}:
        return False
    if rule.protocol != ANY and not rule.ports[0] <= port <= rule.ports[1]:
        return False
    if rule.group:
        same = isinstance(other, Interface) and other.vpc == own.vpc
        return same and isinstance(other, Interface) and rule.group in {group.id for group in other.groups}
    return any(is_in(other.address, block) for block in rule.blocks)


# --- network ACLs ---


def _acl(own: Interface, other: End, ports: Ports, protocol: str, *, is_egress: bool) -> Said:
    """What a subnet's ACL says of packets to or from an address, for each of the ports."""
    entries = sorted((one for one in own.acl.entries if one.is_egress is is_egress), key=lambda one: one.number)
    admitting: dict[int, str] = {}
    side = "out" if is_egress else "in"
    for port in _ports_to_try(entries, ports):
        deciding = next((one for one in entries if _matches(one, other.address, port, protocol)), None)
        if deciding is None or not deciding.allows:
            entry = f"entry {deciding.number}" if deciding else "its last entry"
            raise _RefusedError(f"{own.acl.id}: {entry} denies {protocol} {port} {side} for {other.address}")
        admitting[deciding.number] = deciding.id
    return f"{own.acl.id} {side} ({', '.join(map(str, admitting))})", list(admitting.values())


def _ports_to_try(entries: Iterable[AclEntry], ports: Ports) -> list[int]:
    """One port of each range within which all entries say the same."""
    edges = {ports[0], *(one.ports[0] for one in entries), *(one.ports[1] + 1 for one in entries)}
    return sorted(edge for edge in edges if ports[0] <= edge <= ports[1])


def _matches(entry: AclEntry, address: str, port: int, protocol: str) -> bool:
    named = PROTOCOL_NUMBERS.get(entry.protocol, entry.protocol)
    if named not in {ANY, protocol} or not is_in(address, entry.block):
        return False
    return named == ANY or entry.ports[0] <= port <= entry.ports[1]


# --- routes ---


def _route(source: Interface, destination: End) -> Route:
    """The most specific route to the destination, if it leads there."""
    fitting = [one for one in source.routes if is_in(destination.address, one.block)]
    if not fitting:
        raise _RefusedError(f"the route table of {source.subnet}: no route to {destination.address}")
    route = max(fitting, key=lambda one: ipaddress.ip_network(one.block, strict=False).prefixlen)
    if not _leads(route, source, destination):
        target = route.target or "nowhere any more"
        raise _RefusedError(f"the route table of {source.subnet}: {route.block} leads to {target}")
    return route


def _leads(route: Route, source: Interface, destination: End) -> bool:
    if not isinstance(destination, Interface):
        if route.target.startswith(INTERNET_GATEWAY):
            return source.has_public_address
        return route.target.startswith(TO_THE_INTERNET)
    if destination.vpc == source.vpc:
        return route.target == LOCAL
    return route.target.startswith(PEERING)


def _described(source: Interface, route: Route) -> Said:
    return f"route {route.block} -> {route.target} of {source.subnet}", [route.id]


def between_all(sources: Sequence[End], destinations: Sequence[End], port: int) -> Verdict:
    """The verdict on connections from each of the sources to each of the destinations: the first refusal, if any.

    Raises:
        ValueError: there is no source, or no destination.
    """
    verdicts = [evaluate(source, destination, port) for source in sources for destination in destinations]
    if not verdicts:
        raise ValueError("there is nothing to connect")
    return next((one for one in verdicts if not one.is_allowed), verdicts[0])
