"""Certificates of load balancers and the zone that validates them (W4.2)."""

from __future__ import annotations

import pytest

from settings import load
from tests.synthesized import Synthesized, synthesize
from tests.unit.services.support import REGIONS


@pytest.mark.requirement("W4.2")
@pytest.mark.parametrize("region", REGIONS)
def test_load_balancers_have_a_certificate_validated_by_dns(platform: Synthesized, region: str) -> None:
    certificate = platform.resource("aws_acm_certificate", f"{region}/load-balancer/certificate/certificate")
    validation = platform.resource("aws_acm_certificate_validation", f"{region}/load-balancer/certificate/validation")
    assert certificate["validation_method"] == "DNS"
    assert certificate["lifecycle"]["create_before_destroy"] is True
    assert platform.by_id(validation["certificate_arn"]) == certificate
    listener = platform.resource("aws_lb_listener", f"{region}/load-balancer/listener")
    assert platform.by_id(listener["certificate_arn"]) == validation  # not before it is valid


@pytest.mark.requirement("W4.2")
def test_zone_is_created_or_looked_up_by_setting(platform: Synthesized) -> None:
    assert len(platform.resources("aws_route53_zone")) == 1
    staging = synthesize(load("staging"))
    assert not staging.resources("aws_route53_zone", none_is_right=True)
    (zone,) = staging.configuration["data"]["aws_route53_zone"].values()
    assert zone["name"] == "staging.pay.example.com"


@pytest.mark.requirement("W4.2")
def test_validation_record_is_that_of_its_name_in_whatever_order_acm_lists_them(platform: Synthesized) -> None:
    """Options are a set: by position, a further name would exchange the records of the others."""
    records = [
        record
        for record in platform.resources("aws_route53_record").values()
        if "domain_validation_options" in record["name"]
    ]
    assert len(records) == 7  # three names of each load balancer, one of the distribution
    for certificate in platform.resources("aws_acm_certificate").values():
        for name in (certificate["domain_name"], *certificate.get("subject_alternative_names", [])):
            assert any(f'if option.domain_name == "{name}"]' in record["name"] for record in records), name
    assert not [record for record in records if "tolist(" in record["name"]]
