"""The network of a function: what it may connect to, as the whole deployed network decides.

A function in a VPC connects to nothing but what :mod:`emulator.runtime.network_paths` admits: the listeners of load
balancers, the databases by their names, the stand-ins of the internet; and to AWS's APIs, each call of which is decided
when it is made (:func:`emulator.authorization.gate.refused`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from moto.cloudfront.models import cloudfront_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from emulator.address import HOST
from emulator.authorization.callers import Network
from emulator.behind import BEHIND
from emulator.passages import passing
from emulator.runtime import internet, load_balancers, network_paths
from emulator.runtime.edge.server import EDGE
from emulator.runtime.names import NAMES
from emulator.runtime.network_interfaces import network_interfaces
from reachability.connection import Verdict

EDGE_ADDRESS = "203.0.113.9"
"""Of the edge for functions: of a documentation block (RFC 5737)."""
DATABASE_PORT = 5432
AWS = "AWS"
EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class End:
    """What a function may want to connect to: its name, where it stands here, and what the network says."""

    name: str
    place: tuple[str, int]
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class View:
    """A function's view of its network.

    ``closed`` are the CIDR blocks of which only ``ends`` with a way are reached, by "address:port"; ``names`` are those
    that the network resolves.
    """

    closed: tuple[str, ...] = ()
    ends: dict[str, End] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """It in the form that ``function_runner.py`` reads."""
        ways = {where: list(end.place) for where, end in self.ends.items() if end.verdict.is_allowed}
        return {"closed": list(self.closed), "ways": ways, "names": self.names}

    def record(self, who: str, tried: Iterable[str]) -> None:
        """Record the connections that a function tried, by name or "address:port", with what the network said.

        An address at which nothing is has no verdict; of the calls of AWS's APIs each is recorded by itself.
        """
        named = {end.name: end for end in self.ends.values()}
        found = {one.name: one for where in tried if (one := self.ends.get(where) or named.get(where))}
        for end in found.values():
            if end.name == AWS:
                continue
            with passing("connection", who, f"tcp to {end.name}") as passage:
                passage.way = str(end.verdict)
                passage.outcome = "admitted" if end.verdict.is_allowed else "refused"


def view(function: Any) -> View:
    """The view of a function (one of moto's), as its network is now.

    One outside any VPC has the names of distributions, and is not closed.
    """
    network = network_of(function)
    if network is None:
        return _outside(function.account_id)
    ec2 = ec2_backends[function.account_id][function.region]
    names = {**internet.names(), **_internal_names(ec2, function.account_id, function.region, network.vpc_id)}
    ends = {
        **dict(_apis(network)),
        **dict(_listeners(function, network)),
        **dict(_internet(network)),
    }
    for name, address in NAMES.table().items():
        verdict = network_paths.to_cluster(network, name, DATABASE_PORT)
        names[name] = address if verdict.is_allowed else NAMES.nobody()
        ends[f"{address}:{DATABASE_PORT}"] = End(name=name, place=(address, DATABASE_PORT), verdict=verdict)
    return View(closed=(EVERYWHERE,), ends=ends, names=names)


def _apis(network: Network) -> Iterator[tuple[str, End]]:
    """The local AWS itself, which decides about each call; and the server behind it, which stands for S3.

    It takes the answers of custom resources, which CloudFormation has sent to a URL of S3.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
    """
    port = int(os.environ["MOTO_PORT"])
    yield f"{HOST}:{port}", End(name=AWS, place=(HOST, port), verdict=Verdict(allowed_by=("each call is decided",)))
    behind = urlsplit(BEHIND.url)
    if behind.hostname and behind.port:
        service = f"com.amazonaws.{network.region}.s3"
        verdict = network_paths.to_service(network, service)
        place = (behind.hostname, behind.port)
        yield f"{behind.hostname}:{behind.port}", End(name=service, place=place, verdict=verdict)


def _listeners(function: Any, network: Network) -> Iterator[tuple[str, End]]:
    ec2 = ec2_backends[function.account_id][function.region]
    for balancer in elbv2_backends[function.account_id][function.region].load_balancers.values():
        if balancer.vpc_id != network.vpc_id:
            continue
        for listener in balancer.listeners.values():
            place = (HOST, load_balancers.port_of(function.account_id, function.region, listener))
            for interface in network_interfaces(ec2, balancer):
                address, port = str(interface.private_ip_address), int(listener.port)
                verdict = network_paths.to_listener(network, balancer, address, port)
                yield f"{address}:{port}", End(name=balancer.name, place=place, verdict=verdict)


def _internet(network: Network) -> Iterator[tuple[str, End]]:
    ports = internet.ports()
    for name, address in internet.names().items():
        verdict = network_paths.to_internet(network, name, address, internet.HTTPS_PORT)
        yield f"{address}:{internet.HTTPS_PORT}", End(name=name, place=(HOST, ports[address]), verdict=verdict)


def _internal_names(ec2: Any, account_id: str, region: str, vpc_id: str) -> dict[str, str]:
    """The names of internal load balancers of a VPC, with an address each; others resolve to public addresses.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/how-elastic-load-balancing-works.html
    """
    return {
        str(one.dns_name): str(network_interfaces(ec2, one)[0].private_ip_address)
        for one in elbv2_backends[account_id][region].load_balancers.values()
        if one.vpc_id == vpc_id and one.scheme == "internal"
    }


def _outside(account_id: str) -> View:
    """The view of a function outside any VPC: names of distributions lead to the edge of this machine."""
    distributions = cloudfront_backends[account_id]["aws"].distributions.values()
    names = {str(one) for found in distributions for one in (found.config.get("Aliases") or {}).get("Items") or []}
    if not names:
        return View()
    ports, admitted = EDGE.ports(), Verdict(allowed_by=("it is outside any VPC",))
    ends = {
        f"{EDGE_ADDRESS}:{port}": End(name="the edge", place=(HOST, here), verdict=admitted)
        for port, here in ((443, ports.https), (80, ports.http))
    }
    return View(closed=(f"{EDGE_ADDRESS}/32",), ends=ends, names=dict.fromkeys(sorted(names), EDGE_ADDRESS))


def network_of(function: Any) -> Network | None:
    """The network from which a function (one of moto's) calls; None for a function outside any VPC."""
    config = function.vpc_config or {}
    subnets = tuple(config.get("SubnetIds") or ())
    if not subnets:
        return None
    vpc_id = ec2_backends[function.account_id][function.region].get_subnet(subnets[0]).vpc_id
    groups = tuple(config.get("SecurityGroupIds") or ())
    return Network(region=function.region, vpc_id=str(vpc_id), subnets=subnets, groups=groups)
