"""One connection in a VPC: what admits it, and that each of these alone refuses it when it is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reachability.connection import Verdict, between_all, evaluate
from reachability.network import AclEntry, GroupRule, Interface, NetworkAcl, Outside, Route, SecurityGroup

pytestmark = pytest.mark.requirement("W8.3")

ANYBODY = "0.0.0.0/0"
LOCAL = Route(block="10.0.0.0/16", target="local")


def acl(name: str, *entries: AclEntry) -> NetworkAcl:
    return NetworkAcl(id=name, entries=entries)


def entry(number: int, ports: tuple[int, int], *, out: bool, allows: bool = True, block: str = ANYBODY) -> AclEntry:
    return AclEntry(number=number, allows=allows, is_egress=out, protocol="6", block=block, ports=ports)


CLOSED = SecurityGroup(id="sg-closed")
TASKS = SecurityGroup(
    id="sg-tasks",
    egress=(GroupRule(id="sgr-out", protocol="tcp", ports=(5432, 5432), group="sg-database"),),
)
DATABASE = SecurityGroup(
    id="sg-database",
    ingress=(GroupRule(id="sgr-in", protocol="tcp", ports=(5432, 5432), group="sg-tasks"),),
)
TASK = Interface(
    name="task",
    address="10.0.1.5",
    vpc="vpc-1",
    subnet="subnet-tasks",
    groups=(CLOSED, TASKS),
    acl=acl("acl-tasks", entry(100, (5432, 5432), out=True), entry(100, (1024, 65535), out=False)),
    routes=(LOCAL,),
)
WRITER = Interface(
    name="writer",
    address="10.0.2.5",
    vpc="vpc-1",
    subnet="subnet-data",
    groups=(DATABASE,),
    acl=acl("acl-data", entry(100, (5432, 5432), out=False), entry(100, (1024, 65535), out=True)),
    routes=(LOCAL,),
)
INTERNET = Outside(name="acquirer.example.com", address="198.51.100.1")


def test_connection_names_all_that_admits_it_in_its_order() -> None:
    assert evaluate(TASK, WRITER, 5432).allowed_by == (
        "egress of sg-tasks (sgr-out)",
        "acl-tasks out (100)",
        "route 10.0.0.0/16 -> local of subnet-tasks",
        "acl-data in (100)",
        "ingress of sg-database (sgr-in)",
        "acl-data out (100)",
        "route 10.0.0.0/16 -> local of subnet-data",
        "acl-tasks in (100)",
    )


@pytest.mark.parametrize(
    ("source", "destination", "refused_by"),
    [
        (replace(TASK, groups=(CLOSED,)), WRITER, "sg-closed: no egress rule admits tcp 5432 to writer (10.0.2.5)"),
        (TASK, replace(WRITER, groups=(CLOSED,)), "sg-closed, sg-tasks: no egress rule"),
        (TASK, replace(WRITER, groups=(replace(DATABASE, ingress=()),)), "sg-database: no ingress rule admits tcp"),
        (replace(TASK, acl=acl("acl-1")), WRITER, "acl-1: its last entry denies tcp 5432 out for 10.0.2.5"),
        (TASK, replace(WRITER, acl=acl("acl-1")), "acl-1: its last entry denies tcp 5432 in for 10.0.1.5"),
        (
            TASK,
            replace(WRITER, acl=acl("acl-1", entry(100, (5432, 5432), out=False))),
            "acl-1: its last entry denies tcp 1024 out for 10.0.1.5",
        ),
        (
            replace(TASK, acl=acl("acl-1", entry(100, (5432, 5432), out=True), entry(9, (1024, 5000), out=False))),
            WRITER,
            "acl-1: its last entry denies tcp 5001 in for 10.0.2.5",
        ),
        (replace(TASK, routes=()), WRITER, "the route table of subnet-tasks: no route to 10.0.2.5"),
        (
            replace(TASK, routes=(LOCAL, Route(block="10.0.2.0/24", target="eni-firewall"))),
            WRITER,
            "the route table of subnet-tasks: 10.0.2.0/24 leads to eni-firewall",
        ),
    ],
)
def test_each_that_is_missing_refuses_it(source: Interface, destination: Interface, refused_by: str) -> None:
    verdict = evaluate(source, destination, 5432)
    assert not verdict.is_allowed
    assert verdict.refused_by.startswith(refused_by)


def test_entry_of_the_lowest_number_decides() -> None:
    denied = entry(50, (5432, 5432), out=True, allows=False, block="10.0.2.0/24")
    later = replace(denied, number=200)
    for added, allowed in ((denied, False), (later, True)):
        changed = replace(TASK, acl=acl("acl-tasks", *TASK.acl.entries, added))
        assert evaluate(changed, WRITER, 5432).is_allowed is allowed


def test_no_network_acl_applies_within_a_subnet() -> None:
    beside = replace(WRITER, subnet=TASK.subnet, acl=acl("acl-tasks"))
    assert evaluate(replace(TASK, acl=acl("acl-tasks")), beside, 5432).is_allowed


def test_group_of_another_vpc_is_no_peer_and_its_addresses_are() -> None:
    peered = Route(block="10.1.0.0/16", target="pcx-1")
    far = replace(WRITER, vpc="vpc-2", address="10.1.2.5", routes=(Route(block="10.0.0.0/16", target="pcx-1"),))
    near = replace(TASK, routes=(LOCAL, peered))
    assert "no egress rule" in evaluate(near, far, 5432).refused_by
    by_block = (GroupRule(id="sgr-1", protocol="-1", blocks=(ANYBODY,)),)
    near = replace(near, groups=(replace(TASKS, egress=by_block),))
    far = replace(far, groups=(replace(DATABASE, ingress=by_block),))
    assert evaluate(near, far, 5432).is_allowed
    one_way = replace(far, routes=(Route(block="10.1.0.0/16", target="local"),))
    assert evaluate(near, one_way, 5432).refused_by == "the route table of subnet-data: no route to 10.0.1.5"


def open_to_internet(**members: object) -> Interface:
    group = SecurityGroup(id="sg-https", egress=(GroupRule(id="sgr-1", protocol="-1", blocks=(ANYBODY,)),))
    everything = acl("acl-1", *(entry(100, (0, 65535), out=out) for out in (True, False)))
    made = replace(TASK, groups=(group,), acl=everything)
    return replace(made, **members)  # type: ignore[arg-type]


def test_internet_is_reached_by_a_gateway_or_through_nat_whose_own_subnet_decides_too() -> None:
    by_gateway = open_to_internet(routes=(LOCAL, Route(block=ANYBODY, target="igw-1")), has_public_address=True)
    assert evaluate(by_gateway, INTERNET, 443).is_allowed
    private = replace(by_gateway, has_public_address=False)
    assert evaluate(private, INTERNET, 443).refused_by == "the route table of subnet-tasks: 0.0.0.0/0 leads to igw-1"
    nat = replace(by_gateway, name="nat", address="10.0.3.5", subnet="subnet-public", acl=acl("acl-public"), groups=())
    through = open_to_internet(routes=(LOCAL, Route(block=ANYBODY, target="nat-1", through=nat)))
    assert evaluate(through, INTERNET, 443).refused_by == "acl-public: its last entry denies tcp 443 in for 10.0.1.5"
    opened = replace(nat, acl=by_gateway.acl)
    through = open_to_internet(routes=(LOCAL, Route(block=ANYBODY, target="nat-1", through=opened)))
    assert evaluate(through, INTERNET, 443).is_allowed
    assert "no route to 198.51.100.1" in evaluate(open_to_internet(routes=(LOCAL,)), INTERNET, 443).refused_by
    gone = open_to_internet(routes=(LOCAL, Route(block=ANYBODY, target="")))
    assert "leads to nowhere any more" in evaluate(gone, INTERNET, 443).refused_by


@pytest.mark.parametrize(
    ("missing", "refused_by"),
    [
        (0, "tcp 443 in for 10.0.1.5"),
        (1, "tcp 443 out for 198.51.100.1"),
        (2, "tcp 1024 in for 198.51.100.1"),
        (3, "tcp 1024 out for 10.0.1.5"),
    ],
)
def test_subnet_of_a_nat_gateway_admits_requests_and_responses_twice(missing: int, refused_by: str) -> None:
    entries = (
        entry(100, (443, 443), out=False, block="10.0.1.0/24"),
        entry(100, (443, 443), out=True),
        entry(200, (1024, 65535), out=False, block="198.51.100.0/24"),
        entry(200, (1024, 65535), out=True, block="10.0.1.0/24"),
    )
    nat = open_to_internet(
        name="nat",
        address="10.0.3.5",
        subnet="subnet-public",
        groups=(),
        has_public_address=True,
        routes=(LOCAL, Route(block=ANYBODY, target="igw-1")),
    )

    def verdict(*allowed: AclEntry) -> Verdict:
        through = replace(nat, acl=acl("acl-public", *allowed))
        source = open_to_internet(routes=(LOCAL, Route(block=ANYBODY, target="nat-1", through=through)))
        return evaluate(source, INTERNET, 443)

    assert verdict(*entries).is_allowed
    without = verdict(*(one for number, one in enumerate(entries) if number != missing))
    assert without.refused_by == f"acl-public: its last entry denies {refused_by}"


def test_security_groups_of_a_nat_instance_decide_and_a_gateway_has_none() -> None:
    block = (GroupRule(id="sgr-https", protocol="tcp", ports=(443, 443), blocks=(ANYBODY,)),)
    forwarding = SecurityGroup(id="sg-nat", ingress=block, egress=block)
    nat = open_to_internet(
        name="nat",
        address="10.0.3.5",
        subnet="subnet-public",
        groups=(),
        has_public_address=True,
        routes=(LOCAL, Route(block=ANYBODY, target="igw-1")),
    )

    def verdict(*groups: SecurityGroup) -> Verdict:
        through = Route(block=ANYBODY, target="eni-1", through=replace(nat, groups=groups))
        return evaluate(open_to_internet(routes=(LOCAL, through)), INTERNET, 443)

    assert verdict().is_allowed
    assert verdict(forwarding).is_allowed
    assert verdict(replace(forwarding, ingress=())).refused_by.startswith("sg-nat: no ingress rule admits tcp 443 from")
    assert verdict(replace(forwarding, egress=())).refused_by.startswith("sg-nat: no egress rule admits tcp 443 to")


def test_client_on_the_internet_needs_a_rule_entries_and_a_way_back() -> None:
    rule = GroupRule(id="sgr-1", protocol="tcp", ports=(443, 443), blocks=("198.51.100.0/24",))
    balancer = open_to_internet(
        groups=(SecurityGroup(id="sg-1", ingress=(rule,)),),
        routes=(LOCAL, Route(block=ANYBODY, target="igw-1")),
        has_public_address=True,
    )
    assert evaluate(INTERNET, balancer, 443).is_allowed
    assert not evaluate(replace(INTERNET, address="203.0.113.1"), balancer, 443).is_allowed
    assert not evaluate(INTERNET, balancer, 80).is_allowed
    assert not evaluate(INTERNET, replace(balancer, routes=(LOCAL,)), 443).is_allowed


def test_of_several_ends_each_must_be_reached() -> None:
    unreachable = replace(WRITER, groups=(CLOSED,))
    assert between_all([TASK], [WRITER, WRITER], 5432).is_allowed
    assert not between_all([TASK], [WRITER, unreachable], 5432).is_allowed
    with pytest.raises(ValueError, match="nothing to connect"):
        between_all([TASK], [], 5432)
