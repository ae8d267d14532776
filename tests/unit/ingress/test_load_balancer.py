"""Load balancers (W2.1, W2.2): listeners, security groups, rules and health checks."""

from __future__ import annotations

import pytest

from payments.server import KEEP_ALIVE_SECONDS
from settings import Settings
from tests.synthesized import Synthesized, path_of
from tests.unit.services.support import CRITICAL, REGIONS


@pytest.mark.requirement("W2.1")
@pytest.mark.parametrize("region", REGIONS)
def test_load_balancer_refuses_by_default_and_speaks_tls_only(platform: Synthesized, region: str) -> None:
    load_balancer = platform.resource("aws_lb", f"{region}/load-balancer/load-balancer")
    assert load_balancer["internal"] is False
    assert load_balancer["drop_invalid_header_fields"] is True
    assert len(load_balancer["subnets"]) == 3
    assert all("public-subnet" in path_of(platform.by_id(subnet)) for subnet in load_balancer["subnets"])
    for logs in ("access_logs", "connection_logs"):
        assert load_balancer[logs]["enabled"] is True
        assert path_of(platform.by_id(load_balancer[logs]["bucket"])).endswith(f"{region}/buckets/logs/bucket")
    assert any("policy" in dependency for dependency in load_balancer["depends_on"])
    for id_, port in (("listener", 443), ("test-listener", 8443)):
        listener = platform.resource("aws_lb_listener", f"{region}/load-balancer/{id_}")
        assert (listener["port"], listener["protocol"]) == (port, "HTTPS")
        assert listener["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
        (refusal,) = listener["default_action"]
        assert refusal["fixed_response"]["status_code"] == "403"
    redirect = platform.resource("aws_lb_listener", f"{region}/load-balancer/redirect")
    assert redirect["port"] == 80
    assert redirect["default_action"][0]["redirect"] == {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}


@pytest.mark.requirement("W2.1")
@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("region", REGIONS)
def test_only_cloudfront_and_health_checkers_reach_the_load_balancer_each_list_in_a_group_of_its_own(
    platform: Synthesized, region: str
) -> None:
    rules = [
        rule
        for rule in platform.resources("aws_vpc_security_group_ingress_rule").values()
        if path_of(rule).startswith(f"payment-platform/{region}/load-balancer/")
    ]
    (tested,) = [rule for rule in rules if "prefix_list_id" not in rule]
    assert tested["from_port"] == 8443
    assert path_of(platform.by_id(tested["referenced_security_group_id"])).split("/")[3] == "smoke-test"
    rules.remove(tested)
    lists = [(platform.by_id(rule["prefix_list_id"])["name"], rule["from_port"]) for rule in rules]
    name = {"primary": "us-east-2", "recovery": "us-west-2"}[region]
    assert sorted(lists) == [
        ("com.amazonaws.global.cloudfront.origin-facing", 80),
        ("com.amazonaws.global.cloudfront.origin-facing", 443),
        (f"com.amazonaws.{name}.route53-healthchecks", 443),  # weighs 25, beside CloudFront's 55 of a group's 60
    ]
    assert len({rule["security_group_id"] for rule in rules}) == len(rules)


@pytest.mark.requirement("W2.2")
@pytest.mark.parametrize("name", CRITICAL)
def test_paths_and_health_checks_are_each_services_own(
    platform: Synthesized, local_settings: Settings, name: str
) -> None:
    own = local_settings.services[name]
    rule = platform.resource("aws_lb_listener_rule", f"primary/services/{name}/rule")
    assert rule["condition"] == [{"path_pattern": {"values": list(own.path_patterns)}}]
    assert rule["priority"] == own.priority
    for colour in ("blue", "green"):
        group = platform.resource("aws_lb_target_group", f"primary/services/{name}/{colour}")
        assert (group["protocol"], group["port"], group["target_type"]) == ("HTTPS", own.port, "ip")
        assert group["health_check"]["protocol"] == "HTTPS"
        assert group["health_check"]["path"] == own.health_check.path
        assert group["deregistration_delay"] == str(own.health_check.deregistration_delay_seconds)


@pytest.mark.requirement("W5.5")
def test_requests_are_encrypted_up_to_the_task(platform: Synthesized) -> None:
    assert {group["protocol"] for group in platform.resources("aws_lb_target_group").values()} == {"HTTPS"}


@pytest.mark.requirement("W7.1")
def test_operators_can_shift_traffic_away_from_a_zone(platform: Synthesized) -> None:
    assert all(one["enable_zonal_shift"] is True for one in platform.resources("aws_lb").values())


@pytest.mark.requirement("W2.1")
def test_who_opens_a_connection_closes_it_when_idle_before_the_other_side_does(platform: Synthesized) -> None:
    (distribution,) = platform.resources("aws_cloudfront_distribution").values()
    (opened,) = {
        origin["custom_origin_config"]["origin_keepalive_timeout"]
        for origin in distribution["origin"]
        if "custom_origin_config" in origin
    }
    load_balancers = list(platform.resources("aws_lb").values())
    assert len(load_balancers) == len(REGIONS)
    for load_balancer in load_balancers:
        assert opened < load_balancer["idle_timeout"] < KEEP_ALIVE_SECONDS
