"""Manual failover: the recovery region takes over from a primary region that still answers (W7.2).

Creates a listener rule in the recovery region and a Route 53 health check of it. The rule answers 404 while the region
is the standby and 200 once it has taken over; the health check is inverted, so that a success, and nothing else, takes
the primary region's record out of DNS: an unreachable recovery region takes nothing over. Failover is one API call in
the recovery region; it needs neither the primary region's nor Route 53's control plane (us-east-1). ADR 0029 has the
alternatives. It is AWS's pattern "standby takes over primary" without the public bucket:
https://aws.amazon.com/blogs/networking-and-content-delivery/creating-disaster-recovery-mechanisms-using-amazon-route-53/

The rule's action is changed by `make failover` and ignored by Terraform. The request is the health check's path with a
query string, which the rule group lets pass without the secret: it compares the path only.
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
    """The listener rule of the takeover, and the inverted health check: healthy until the takeover."""

    requirements = ("W7.2",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, settings: EdgeSettings, load_balancer: LoadBalancer
    ) -> None:
        """``load_balancer`` is the recovery region's."""
        super().__init__(scope, id_)
        path = settings.health_check.path
        query = LbListenerRuleConditionQueryString(key=TAKEOVER_KEY, value=TAKEOVER_VALUE)
        standby = TAKEN_OVER[False]
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
                        content_type="text/plain", status_code=standby.status, message_body=standby.text
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
            request_interval=settings.health_check.interval_seconds,
            failure_threshold=settings.health_check.failure_threshold,
            tags={"Name": names.of("takeover")},
        )
