"""The switch by which the recovery region takes over from a primary region that still answers (W7.2).

Creates a rule of the recovery region's listener and a health check of Route 53 that asks for it. The rule answers 404
while the region stands by, and 200 once it has taken over; the health check is inverted, so that the primary region's
record is taken out of DNS by a success, and by nothing else: a recovery region that is lost takes nothing over. So
traffic moves by one call in the region that it moves to, and neither the lost region's nor Route 53's control plane
(us-east-1) is needed for it. ADR 0029 has the alternatives. It is AWS's pattern "standby takes over primary" without
the public bucket: https://aws.amazon.com/blogs/networking-and-content-delivery/creating-disaster-recovery-mechanisms-using-amazon-route-53/

What the rule answers is changed by `make failover`, and ignored by Terraform. The question is the health check's path
with a query, so the firewall lets it through already: it looks at the path only.
"""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.lb_listener_rule import (
    LbListenerRule,
    LbListenerRuleAction,
    LbListenerRuleActionFixedResponse,
    LbListenerRuleCondition,
    LbListenerRuleConditionHttpRequestMethod,
    LbListenerRuleConditionPathPattern,
    LbListenerRuleConditionQueryString,
)
from cdktf_cdktf_provider_aws.route53_health_check import Route53HealthCheck
from constructs import Construct

from modules.ingress.load_balancer import LoadBalancer
from modules.network.security_groups import HTTPS_PORT
from settings.edge import TAKEN_OVER, TAKEOVER_KEY, TAKEOVER_VALUE, EdgeSettings
from settings.naming import Names

FIRST_PRIORITY = 1  # services begin at 2 (settings/services.py)


class Takeover(Construct):
    """The rule that says whether the recovery region has taken over, and the health check that is sound until then."""

    requirements = ("W7.2",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, edge: EdgeSettings, load_balancer: LoadBalancer
    ) -> None:
        """``load_balancer`` is the recovery region's."""
        super().__init__(scope, id_)
        path = edge.health_check.path
        query = LbListenerRuleConditionQueryString(key=TAKEOVER_KEY, value=TAKEOVER_VALUE)
        stands_by = TAKEN_OVER[False]
        self.rule = LbListenerRule(
            self,
            "rule",
            listener_arn=load_balancer.listener.arn,
            priority=FIRST_PRIORITY,
            condition=[
                LbListenerRuleCondition(path_pattern=LbListenerRuleConditionPathPattern(values=[path])),
                LbListenerRuleCondition(query_string=[query]),
                LbListenerRuleCondition(http_request_method=LbListenerRuleConditionHttpRequestMethod(values=["GET"])),
            ],
            action=[
                LbListenerRuleAction(
                    type="fixed-response",
                    fixed_response=LbListenerRuleActionFixedResponse(
                        content_type="text/plain", status_code=stands_by.status, message_body=stands_by.text
                    ),
                )
            ],
            lifecycle=TerraformResourceLifecycle(ignore_changes=["action"]),
            tags={"Name": names.of("takeover")},
        )
        self.health_check = Route53HealthCheck(
            self,
            "health-check",
            type="HTTPS",
            fqdn=load_balancer.domain_name,
            port=HTTPS_PORT,
            resource_path=f"{path}?{TAKEOVER_KEY}={TAKEOVER_VALUE}",
            enable_sni=True,
            invert_healthcheck=True,
            request_interval=edge.health_check.interval_seconds,
            failure_threshold=edge.health_check.failure_threshold,
            tags={"Name": names.of("takeover")},
        )
