"""Regions of constructs (W0.2): the nearest one counts, and what stands in none fails."""

from __future__ import annotations

import pytest
from cdktf import Testing
from cdktf_cdktf_provider_aws.vpc import Vpc

from modules.region import Region
from settings import Settings
from stacks.payment_platform import PaymentPlatform
from tests.synthesized import Synthesized


@pytest.mark.requirement("W0.2")
def test_resource_below_no_region_fails_synthesis(local_settings: Settings) -> None:
    stack = PaymentPlatform(Testing.app(), "payment-platform", settings=local_settings)
    Vpc(stack, "stray", cidr_block="10.0.0.0/16")
    with pytest.raises(Exception, match="stray is below no Region"):
        Testing.full_synth(stack)


@pytest.mark.requirement("W0.2")
def test_region_of_a_construct_is_the_nearest(platform: Synthesized) -> None:
    assert Region.of(platform.stack.primary.network).name == "us-east-2"
    assert Region.of(platform.stack.recovery.network.vpc).name == "us-west-2"
