"""The payment API's network and its egress (P1)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings.base import SettingsModel, matching
from settings.network import ZONES_PER_REGION, PrivateNetwork
from settings.processing import AcquirerNetwork

PrefixListId = Annotated[
    str, matching(r"pl-([0-9a-f]{8}|[0-9a-f]{17})", "the id of a managed prefix list is allowed, such as pl-6fa54006")
]
ImageId = Annotated[str, matching(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", "the id of a machine image is allowed")]


class NetworkSettings(SettingsModel):
    """The network: three tiers by three zones, a NAT instance a zone, and endpoints."""

    cidr: PrivateNetwork = "10.20.0.0/16"
    """The addresses of the VPC."""
    zones: Annotated[list[str], Field(min_length=ZONES_PER_REGION, max_length=ZONES_PER_REGION)]
    """Different availability zones of the region, by name, such as ap-southeast-1a."""
    acquirer_networks: Annotated[tuple[AcquirerNetwork, ...], Field(strict=False, max_length=20)] = ()
    """The addresses of the acquirer, on 443: the only ones on the internet that a function may reach, by NAT."""
    nat_image_id: ImageId
    """The machine image of the NAT instances: Amazon Linux 2023 for arm64 in the API's region."""
    nat_instance_class: Literal["t4g.nano", "t4g.micro", "t4g.small", "t4g.medium", "c7gn.medium"] = "t4g.micro"
    """Their size, on Graviton."""
    s3_prefix_list_id: PrefixListId
    """The id of the prefix list `com.amazonaws.REGION.s3`, which each region has its own of, the same for all accounts:
    `aws ec2 describe-managed-prefix-lists --filters Name=prefix-list-name,Values=com.amazonaws.REGION.s3` says it
    (https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html)."""
    dynamodb_prefix_list_id: PrefixListId
    """The id of `com.amazonaws.REGION.dynamodb`. An id of S3's in one region is DynamoDB's in another: do not guess."""

    @model_validator(mode="after")
    def _zones_differ(self) -> NetworkSettings:
        if len(set(self.zones)) != len(self.zones):
            raise ValueError(f"zones: {self.zones} is not allowed; {ZONES_PER_REGION} different zones are")
        return self
