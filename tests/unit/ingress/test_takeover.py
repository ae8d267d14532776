"""The takeover of the recovery region (W7.2): a health check that only its load balancer can answer."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized


@pytest.mark.requirement("W7.2")
def test_the_recovery_region_takes_over_by_an_answer_of_its_load_balancer_and_by_nothing_else(
    platform: Synthesized,
) -> None:
    check = platform.resource("aws_route53_health_check", "recovery/takeover/health-check")
    assert check["invert_healthcheck"] is True  # what does not answer takes nothing over
    assert check["fqdn"] == "origin-local-us-west-2.pay.example.com"
    assert check["resource_path"] == "/health?region=taken-over"
    rule = platform.resource("aws_lb_listener_rule", "recovery/takeover/rule")
    assert rule["priority"] == 1
    path, query, method = rule["condition"]
    assert path["path_pattern"]["values"] == ["/health"]
    assert query["query_string"] == [{"key": "region", "value": "taken-over"}]
    assert method["http_request_method"]["values"] == ["GET"]
    (action,) = rule["action"]
    assert action["fixed_response"]["status_code"] == "404"
    assert rule["lifecycle"]["ignore_changes"] == ["action"]  # make failover changes it
