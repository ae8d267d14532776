"""Regions of constructs (W0.2): the nearest one counts, and what stands in none fails."""

from __future__ import annotations

import pytest
from cdktf import TerraformStack, Testing
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.vpc import Vpc
from constructs import Construct

from modules.region import Region
from settings import Settings
from stacks.payment_platform import PaymentPlatform


@pytest.mark.requirement("W0.2")
def test_resource_below_no_region_fails_synthesis(local_settings: Settings) -> None:
    stack = PaymentPlatform(Testing.app(), "payment-platform", settings=local_settings)
    Vpc(stack, "stray", cidr_block="10.0.0.0/16")
    with pytest.raises(Exception, match="stray is below no Region"):
        Testing.full_synth(stack)


@pytest.mark.requirement("W0.2")
def test_region_of_a_construct_is_the_nearest() -> None:
    stack = TerraformStack(Testing.app(), "stack")
    provider = AwsProvider(stack, "aws", region="us-east-2")
    outer = Region(stack, "outer", name="us-east-2", provider=provider)
    inner = Region(outer, "inner", name="us-west-2", provider=provider)
    assert Region.of(Vpc(outer, "vpc", cidr_block="10.0.0.0/16")).name == "us-east-2"
    assert Region.of(Vpc(Construct(inner, "part"), "vpc", cidr_block="10.0.0.0/16")).name == "us-west-2"
