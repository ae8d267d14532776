"""Security Hub (W5.6): standards in both regions, findings in one."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, region_of
from tests.unit.account.support import only

pytestmark = pytest.mark.requirement("W5.6")


def test_security_hub_checks_both_standards_in_both_regions_and_gathers_in_one(platform: Synthesized) -> None:
    hubs = platform.resources("aws_securityhub_account").values()
    assert {region_of(one) for one in hubs} == {"primary", "recovery"}
    standards = [one["standards_arn"] for one in platform.resources("aws_securityhub_standards_subscription").values()]
    assert sorted(standards) == [
        f"arn:aws:securityhub:{region}::standards/{standard}"
        for region in ("us-east-2", "us-west-2")
        for standard in ("aws-foundational-security-best-practices/v/1.0.0", "pci-dss/v/4.0.1")
    ]
    aggregator = only(platform, "aws_securityhub_finding_aggregator")
    assert (region_of(aggregator), aggregator["specified_regions"]) == ("primary", ["us-west-2"])
