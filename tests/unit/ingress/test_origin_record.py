"""The origin's DNS record (W7.2): failover or latency routing."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, region_of
from tests.unit.ingress.support import REGION_NAMES, distribution, origins


@pytest.mark.requirement("W7.2")
def test_the_origin_is_one_name_that_health_moves_between_the_regions(platform: Synthesized) -> None:
    origin = origins(platform)["load-balancers"]
    assert origin["domain_name"] == "origin-local.pay.example.com"
    assert origin["custom_origin_config"]["origin_protocol_policy"] == "https-only"
    assert origin["custom_origin_config"]["origin_ssl_protocols"] == ["TLSv1.2"]
    policies = {}
    for region, region_name in REGION_NAMES.items():
        record = platform.resource("aws_route53_record", f"{region}/origin/failover-record")
        assert record["name"] == origin["domain_name"]
        assert region_of(platform.by_id(record["alias"]["name"])) == region
        check = platform.by_id(record["health_check_id"])
        if region == "primary":
            assert (check["type"], check["child_health_threshold"]) == ("CALCULATED", len(check["child_healthchecks"]))
            check, takeover = (platform.by_id(one) for one in check["child_healthchecks"])
            assert takeover == platform.resource("aws_route53_health_check", "recovery/takeover/health-check")
        assert check["fqdn"] == f"origin-local-{region_name}.pay.example.com"
        assert (check["type"], check["port"], check["resource_path"]) == ("HTTPS", 443, "/health")
        assert check["enable_sni"] is True
        policies[region] = record["failover_routing_policy"]["type"]
        certificate = platform.resource("aws_acm_certificate", f"{region}/load-balancer/certificate/certificate")
        assert origin["domain_name"] in certificate["subject_alternative_names"]
        assert any(f"{region}_origin_failover-record" in one for one in distribution(platform)["depends_on"])
    assert policies == {"primary": "PRIMARY", "recovery": "SECONDARY"}


@pytest.mark.requirement("W7.2")
def test_by_latency_the_nearest_healthy_region_answers_under_another_name(changed: Synthesized) -> None:
    """Route 53 does not mix ways of routing under one name: a change of settings could not be applied."""
    platform = changed
    name = origins(platform)["load-balancers"]["domain_name"]
    assert name == "nearest-local.pay.example.com"
    for region, region_name in REGION_NAMES.items():
        record = platform.resource("aws_route53_record", f"{region}/origin/latency-record")
        assert (record["name"], record["latency_routing_policy"]) == (name, {"region": region_name})
        assert "failover_routing_policy" not in record
        certificate = platform.resource("aws_acm_certificate", f"{region}/load-balancer/certificate/certificate")
        assert name in certificate["subject_alternative_names"]
