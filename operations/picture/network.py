"""The network of a region in a picture: its tiers, and their contents in addition to services and functions."""

from __future__ import annotations

from collections.abc import Iterator

from operations.picture.model import Box, Frame, Icon, Slot, View, box, counted, listed, some
from operations.picture.plan import Resource

PEERING = ("aws_vpc_peering_connection", "aws_vpc_peering_connection_accepter")


def network(view: View) -> Frame:
    """The frame of the network: its addresses, availability zones, security groups and rules."""
    networks = view.of("aws_vpc")
    flows, peerings = view.of("aws_flow_log"), view.of(*PEERING)
    rules = view.of("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule")
    groups = view.of("aws_security_group")
    blocks = " and ".join(one.text("cidr_block") for one in networks)
    zones = f", {counted(len(view.zones), 'zone')}" if view.zones else ""
    lines = [
        f"VPC {blocks}{zones}" + (", flow logs" if flows else ""),
        " with ".join(filter(None, [some(groups, "security group"), some(rules, "rule")])),
    ]
    return Frame(lines=tuple(filter(None, lines)), of=(*networks, *flows, *peerings, *groups, *rules))


def subnets(view: View, tier: Slot) -> list[Resource]:
    """The subnets of a tier, found by their tag."""
    return [one for one in view.of("aws_subnet") if (one.values.get("tags") or {}).get("tier") == tier]


def tier(view: View, slot: Slot) -> Frame:
    """The frame of a tier."""
    found = tuple(subnets(view, slot))
    acls = [one for one in view.of("aws_network_acl") if any(one.names("subnet_ids", subnet) for subnet in found)]
    said = [some(found, "subnet"), "network ACL" if acls else ""]
    what = ", ".join(filter(None, said))
    return Frame(lines=(f"{slot.capitalize()} tier" + (f": {what}" if what else ""),), of=(*found, *acls))


def load_balancers(view: View) -> Iterator[Box]:
    """Each load balancer with its listeners and rules."""
    for one in view.of("aws_lb"):
        listeners = view.naming("aws_lb_listener", "load_balancer_arn", one)
        rules = [
            rule for listener in listeners for rule in view.naming("aws_lb_listener_rule", "listener_arn", listener)
        ]
        lines = [some(listeners, "listener"), some(rules, "rule")]
        yield from box(Icon.LOAD_BALANCER, "Load balancer", lines, [one, *listeners, *rules])


def egress(view: View) -> Iterator[Box]:
    """The internet egress of the network."""
    nat, internet = view.of("aws_nat_gateway"), view.of("aws_internet_gateway")
    lines = [some(nat, "NAT gateway"), "internet gateway" if internet else ""]
    yield from box(Icon.NETWORK, "Egress", lines, [*nat, *internet])


def endpoints(view: View) -> Iterator[Box]:
    """The VPC endpoints for AWS services."""
    found = view.of("aws_vpc_endpoint")
    gateways = [one for one in found if one.text("vpc_endpoint_type") == "Gateway"]
    interfaces = len(found) - len(gateways)
    served = sorted(one.text("service_name").rpartition(".")[2] for one in gateways)
    lines = [
        counted(interfaces, "interface") if interfaces else "",
        listed(some(gateways, "gateway"), served),
    ]
    yield from box(Icon.ENDPOINTS, "VPC endpoints", lines, found)


def clusters(view: View) -> Iterator[Box]:
    """Each database cluster, its instances and the limits of its reader scaling."""
    for cluster in view.of("aws_rds_cluster"):
        instances = view.naming("aws_rds_cluster_instance", "cluster_identifier", cluster)
        targets = view.naming("aws_appautoscaling_target", "resource_id", cluster)
        classes = sorted({one.text("instance_class") for one in instances})
        engine = {"aurora-postgresql": "Aurora PostgreSQL"}.get(cluster.text("engine"), cluster.text("engine"))
        lines = [
            ", ".join([_members(cluster, len(instances)), *classes]),
            *(f"{one.values.get('min_capacity')} to {one.values.get('max_capacity')} readers" for one in targets),
            "IAM authentication" if cluster.values.get("iam_database_authentication_enabled") else "",
            "KMS key" if _is_set(cluster, "kms_key_id") else "",
        ]
        said = [lines[0], ", ".join(line for line in lines[1:] if line)]
        title = f"{engine} {cluster.text('engine_version')}".strip()
        yield from box(Icon.DATABASE, title, said, [cluster, *instances, *targets])


def _members(cluster: Resource, instances: int) -> str:
    if cluster.references.get("global_cluster_identifier"):
        return f"secondary with {counted(instances, 'reader')}" if instances else "secondary without instances"
    return f"writer and {counted(instances - 1, 'reader')}" if instances > 1 else counted(instances, "instance")


def _is_set(resource: Resource, attribute: str) -> bool:
    return bool(resource.values.get(attribute) or resource.references.get(attribute))
