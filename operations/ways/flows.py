"""The connections that the platform opens, as its configuration shows them: by what is configured to connect.

None is read from the rules that admit it. A function or task calls the services that its roles allow, through the
endpoints of its VPC (W6.2); it connects to the clusters that its variables name, to the acquirer where it has its URL,
and to the load balancer that it is to test. CloudFront and Route 53 connect as origins and health checks say, a load
balancer to the services behind it, operators as `make database` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from iam.synthesized import policies
from operations.database.place import ENDPOINT_CLIENTS
from reachability.connection import Verdict, evaluate
from reachability.network import End, Outside
from reachability.synthesized import INTERNET_ADDRESS, Place, SynthesizedNetwork, address_of
from settings import Settings
from settings.naming import DATABASE_OPERATORS

Block = Mapping[str, Any]
HTTPS_PORT = 443
CLIENT_HOST, BALANCER_HOST, DATABASE_HOST = 10, 11, 13
CLUSTER = re.compile(r"(aws_rds_cluster\.[\w-]+)\.(?:reader_)?endpoint")
CONTAINER = re.compile(r'^\$\{jsonencode\(\[\{"name" = "([\w-]+)"')
CLOUDFRONT, HEALTH_CHECKERS = "cloudfront.origin-facing", "route53-healthchecks"
ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "cloudwatch": ("monitoring",),
    "ecr": ("ecr.api", "ecr.dkr", "s3"),  # an image's layers come from S3
}
"""The endpoints of services whose prefix in IAM is different.

https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
"""
BY_LAMBDA_ITSELF = {"ec2", "logs"}
"""What Lambda does with a function's role, and not through its VPC: it attaches it, and writes its output.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
"""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of AWS, reached through the endpoint of the caller's VPC."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What calls from the addresses of a prefix list."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A connection by TCP that the platform opens; ``region`` is that of the source (primary or recovery)."""

    region: str
    source: Place | Listed
    destination: Place | Service | Outside
    port: int

    def __str__(self) -> str:
        """It in words."""
        return f"{self.source.name} in {self.region} to {self.destination.name}:{self.port}"

    def verdicts(self, network: SynthesizedNetwork) -> list[Verdict]:
        """What a network says of it: for each subnet of both ends, as either may be in any of its own."""
        sources: list[End] = (
            [network.listed(self.source.name)] if isinstance(self.source, Listed) else [*network.at(self.source)]
        )
        destinations = self._destinations(network)
        if not destinations:
            return [Verdict(allowed_by=(), refused_by=f"there is no endpoint of {self.destination.name}")]
        return [evaluate(source, destination, self.port) for source in sources for destination in destinations]

    def refusal(self, network: SynthesizedNetwork) -> str:
        """The first reason why a network refuses it; empty where it admits it."""
        return next((str(one) for one in self.verdicts(network) if not one.is_allowed), "")

    def _destinations(self, network: SynthesizedNetwork) -> list[End]:
        match self.destination:
            case Outside():
                return [self.destination]
            case Service(name=name):
                return network.service(network.vpc_of(self.source), name) if isinstance(self.source, Place) else []
            case Place():
                return [*network.at(self.destination)]


def flows(configuration: Block, settings: Settings) -> list[Flow]:
    """Every connection that a synthesized platform opens."""
    read = _Configuration(configuration, settings)
    return [*read.of_functions(), *read.of_tasks(), *read.of_operators(), *read.of_load_balancers()]


class _Configuration:
    """What a configuration says of who connects where."""

    def __init__(self, configuration: Block, settings: Settings) -> None:
        self._resources: Block = configuration["resource"]
        self._data: Block = configuration["data"]
        self._settings = settings
        self._statements: dict[str, list[Block]] = {}
        for policy in policies(dict(configuration), account_id=settings.account_id):
            if policy.owner.startswith("aws_iam_role_policy."):
                role = address_of(self._block(policy.owner)["role"])
                self._statements.setdefault(role, []).extend(policy.statements)

    def of_functions(self) -> Iterator[Flow]:
        """Of the functions in a VPC."""
        for address, function in self._all("aws_lambda_function"):
            if "vpc_config" not in function:
                continue
            place = self._place(str(function["function_name"]), function["vpc_config"], "security_group_ids", address)
            variables = function.get("environment", {}).get("variables", {})
            called = {one for one in self._called(function["role"]) if one not in BY_LAMBDA_ITSELF}
            if "LOAD_BALANCER_ARN" in variables:  # whose addresses it asks EC2 for
                called.add("ec2")
                balancer = address_of(variables["LOAD_BALANCER_ARN"])
                port = urlsplit(variables["TEST_LISTENER_URL"]).port or HTTPS_PORT
                yield Flow(region=_region(address), source=place, destination=self._balancer(balancer), port=port)
            yield from self._of_client(place, variables, called, address)
            if "ACQUIRER_BASE_URL" in variables:
                yield from self._to_acquirer(place, urlsplit(variables["ACQUIRER_BASE_URL"]), _region(address))

    def of_tasks(self) -> Iterator[Flow]:
        """Of the tasks of services; their images are pulled, and their output is written, through their VPC."""
        for address, service in self._all("aws_ecs_service"):
            definition = self._block(address_of(service["task_definition"]))
            container = self._container(definition)
            place = self._place(f"task {container}", service["network_configuration"], "security_groups", address)
            roles = (definition["execution_role_arn"], definition["task_role_arn"])
            called = {one for role in roles for one in self._called(role)}
            yield from self._of_client(place, definition["container_definitions"], called, address)
            if self._settings.services[container].reaches_internet:
                there = Outside(name="the internet", address=INTERNET_ADDRESS)
                yield Flow(region=_region(address), source=place, destination=there, port=HTTPS_PORT)
            for attached in service.get("load_balancer") or []:
                for balancer in self._balancers(address):
                    port = attached["container_port"]
                    yield Flow(region=_region(address), source=balancer, destination=place, port=port)

    def of_operators(self) -> Iterator[Flow]:
        """Of the tasks that hold operators' sessions: where a service's stand, with groups by their names."""
        names = self._settings.names
        wanted = [names.of(DATABASE_OPERATORS), names.of(ENDPOINT_CLIENTS)]
        for region in ("primary", "recovery"):
            by_name = {one["name"]: id_ for id_, one in self._all("aws_security_group") if _region(id_) == region}
            if wanted[0] not in by_name:
                continue
            id_, service = next(one for one in self._all("aws_ecs_service") if _region(one[0]) == region)
            role_name = names.of(f"{DATABASE_OPERATORS}-{getattr(self._settings, region).name}")
            role = next(one for one, block in self._all("aws_iam_role") if block["name"] == role_name)
            place = Place(
                name=wanted[0],
                subnets=tuple(map(address_of, service["network_configuration"]["subnets"])),
                groups=tuple(by_name[one] for one in wanted),
                host=CLIENT_HOST,
            )
            definition = self._block(address_of(service["task_definition"]))
            called = self._called(definition["execution_role_arn"]) | self._called(f"${{{role}.arn}}")
            clusters = " ".join(f"{one}.endpoint" for one, _ in self._all("aws_rds_cluster"))
            yield from self._of_client(place, clusters, called, id_)

    def of_load_balancers(self) -> Iterator[Flow]:
        """To the load balancers: from CloudFront by the protocols of its origins, and from health checks."""
        ports = {
            one["custom_origin_config"][f"{scheme}_port"]
            for _, distribution in self._all("aws_cloudfront_distribution")
            for one in distribution["origin"]
            if "custom_origin_config" in one
            for scheme in ("http", "https")
            if one["custom_origin_config"]["origin_protocol_policy"] in {f"{scheme}-only", "match-viewer"}
        }
        checked = {one["port"] for _, one in self._all("aws_route53_health_check") if "port" in one}
        for address, _ in self._all("aws_lb"):
            balancer = self._balancer(address)
            for id_, listed in self._data["aws_ec2_managed_prefix_list"].items():
                if id_.split("_")[0] == _region(address):
                    called = ports if listed["name"].endswith(CLOUDFRONT) else checked
                    source = Listed(name=listed["name"])
                    for port in sorted(called):
                        yield Flow(region=_region(address), source=source, destination=balancer, port=port)

    # --- the parts of it ---

    def _of_client(self, place: Place, variables: object, called: set[str], address: str) -> Iterator[Flow]:
        """The calls of services, and the connections to the clusters that the variables name."""
        region = _region(address)
        for service in sorted({name for one in called for name in ENDPOINTS.get(one, (one,))}):
            there = Service(name=f"com.amazonaws.{getattr(self._settings, region).name}.{service}")
            yield Flow(region=region, source=place, destination=there, port=HTTPS_PORT)
        for cluster in sorted(set(CLUSTER.findall(json.dumps(variables)))):
            block = self._block(cluster)
            subnets = self._block(address_of(block["db_subnet_group_name"]))["subnet_ids"]
            standing = {**block, "subnet_ids": subnets}
            named = self._place(block["cluster_identifier"], standing, "vpc_security_group_ids", cluster)
            yield Flow(region=region, source=place, destination=named, port=block["port"])

    def _to_acquirer(self, place: Place, url: SplitResult, region: str) -> Iterator[Flow]:
        processing = self._settings.processing
        blocks = processing.acquirer.networks if processing else ()
        for address in [str(one).partition("/")[0] for one in blocks] or [INTERNET_ADDRESS]:
            there = Outside(name=str(url.hostname), address=address)
            yield Flow(region=region, source=place, destination=there, port=url.port or HTTPS_PORT)

    def _called(self, role: str) -> set[str]:
        """The services that a role may call itself, by their prefixes: what KMS does for another service is not one."""
        return {
            action.partition(":")[0]
            for one in self._statements.get(address_of(role), [])
            if one["Effect"] == "Allow" and "kms:ViaService" not in json.dumps(one.get("Condition", {}))
            for action in one["Action"]
        }

    def _place(self, name: str, block: Block, groups: str, address: str) -> Place:
        host = DATABASE_HOST if address.startswith("aws_rds_cluster") else CLIENT_HOST
        return Place(
            name=name,
            subnets=tuple(map(address_of, block["subnet_ids" if "subnet_ids" in block else "subnets"])),
            groups=tuple(map(address_of, block[groups])),
            host=host,
        )

    def _balancers(self, address: str) -> Iterator[Place]:
        return (self._balancer(one) for one, _ in self._all("aws_lb") if _region(one) == _region(address))

    def _balancer(self, address: str) -> Place:
        block = self._block(address)
        return Place(
            name=block["name"],
            subnets=tuple(map(address_of, block["subnets"])),
            groups=tuple(map(address_of, block["security_groups"])),
            host=BALANCER_HOST,
            has_public_address=not block["internal"],
        )

    def _container(self, definition: Block) -> str:
        """The name of the first container, by its place in Terraform's jsonencode."""
        found: list[str] = CONTAINER.findall(definition["container_definitions"])
        return found[0]

    def _all(self, type_: str) -> list[tuple[str, Block]]:
        return [(f"{type_}.{id_}", block) for id_, block in self._resources.get(type_, {}).items()]

    def _block(self, address: str) -> Block:
        type_, _, id_ = address.partition(".")
        found: Block = self._resources[type_][id_]
        return found


def _region(address: str) -> str:
    """The region, primary or recovery: with what the ids of all that stands there begin."""
    return address.partition(".")[2].partition("_")[0]
