"""The web ACLs (P2.1, P2.2): one set of rules, for the load balancer and for the gateway's stage.

Creates three rule groups of our own (SQL injection, cross-site scripting, sizes), two web ACLs that use them in
addition to AWS's managed groups and a rate limit, and the log. payment_api/owasp.py maps the rules to rows of the OWASP
Top 10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_cdk.aws_kms import IKey
from aws_cdk.aws_wafv2 import CfnLoggingConfiguration, CfnRuleGroup, CfnWebACL, CfnWebACLAssociation
from constructs import Construct

from payment_api.logs import AuditLog
from settings.naming import Names

SQL_INJECTION, CROSS_SITE_SCRIPTING, SIZES = "sql-injection", "cross-site-scripting", "sizes"
RATE, TOTAL_RATE = "rate", "total-rate"
# Rule groups state the most capacity that they may use, for good: with room for a rule more. Costs of statements:
# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-list.html
CAPACITIES = {SQL_INJECTION: 500, CROSS_SITE_SCRIPTING: 600, SIZES: 50}
LARGEST_BODY_BYTES = 8 * 1024  # a payment is far smaller; WAF inspects 8 KiB of a body at a load balancer
LARGEST_QUERY_BYTES = 2048
LARGEST_PATH_BYTES = 512
RATE_WINDOW_SECONDS = (
    60  # https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based.html
)
SHARE_OF_ONE_ADDRESS = 3  # a large client may send a third of the total rate
TOO_MANY_REQUESTS = 429
# Text transformations before the inspection, in this order: attacks are encoded to evade it.
TRANSFORMATIONS = ("URL_DECODE_UNI", "HTML_ENTITY_DECODE", "LOWERCASE")
# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
MANAGED_GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesLinuxRuleSet",
)

# AWS advises LOW where false positives are dear. Headers and cookies are tokens, dates and names of programs, of which
# the service reads few and stores none.
# https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-sqli-match.html
SENSITIVITY = {"query": "HIGH", "path": "HIGH", "body": "HIGH", "headers": "LOW", "cookies": "LOW"}

Statement = Callable[[str], CfnRuleGroup.StatementProperty]


def fields() -> dict[str, dict[str, Any]]:
    """The inspected parts of a request. A part that is too large to be inspected counts as an attack."""
    return {
        "query": {"query_string": {}},
        "path": {"uri_path": {}},
        "body": {"body": CfnRuleGroup.BodyProperty(oversize_handling="MATCH")},
        "headers": {
            "headers": CfnRuleGroup.HeadersProperty(
                match_pattern=CfnRuleGroup.HeaderMatchPatternProperty(all={}),
                match_scope="VALUE",
                oversize_handling="MATCH",
            )
        },
        "cookies": {
            "cookies": CfnRuleGroup.CookiesProperty(
                match_pattern=CfnRuleGroup.CookieMatchPatternProperty(all={}),
                match_scope="ALL",
                oversize_handling="MATCH",
            )
        },
    }


class EdgeFirewall(Construct):
    """The rule groups, and a web ACL for each place that requests come in at."""

    requirements = ("P2.1",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, requests_per_second: int, logs_key: IKey, protected: bool
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._key, self._protected = names, logs_key, protected
        self._requests = requests_per_second * RATE_WINDOW_SECONDS
        self.groups = {
            SQL_INJECTION: self._group(SQL_INJECTION, _sql_injection),
            CROSS_SITE_SCRIPTING: self._group(CROSS_SITE_SCRIPTING, _cross_site_scripting),
            SIZES: self._sizes(),
        }
        self.load_balancer_acl = self._web_acl("load-balancer")
        self.gateway_acl = self._web_acl("gateway")

    def protect_load_balancer(self, arn: str) -> CfnWebACLAssociation:
        """Put the firewall in front of the load balancer."""
        acl = self.load_balancer_acl.attr_arn
        return CfnWebACLAssociation(self, "load-balancer-association", resource_arn=arn, web_acl_arn=acl)

    def protect_gateway(self, stage_arn: str) -> CfnWebACLAssociation:
        """Put the firewall in front of a stage of API Gateway."""
        acl = self.gateway_acl.attr_arn
        return CfnWebACLAssociation(self, "gateway-association", resource_arn=stage_arn, web_acl_arn=acl)

    def _group(self, purpose: str, statement: Statement) -> CfnRuleGroup:
        """A rule for each part of a request, so that the log says which part was attacked."""
        return self._rule_group(purpose, {f"{purpose}-{part}": statement(part) for part in fields()})

    def _sizes(self) -> CfnRuleGroup:
        limits = {"body": LARGEST_BODY_BYTES, "query": LARGEST_QUERY_BYTES, "path": LARGEST_PATH_BYTES}
        return self._rule_group(
            SIZES,
            {
                f"{SIZES}-{part}": CfnRuleGroup.StatementProperty(
                    size_constraint_statement=CfnRuleGroup.SizeConstraintStatementProperty(
                        comparison_operator="GT",
                        size=most,
                        field_to_match=CfnRuleGroup.FieldToMatchProperty(**fields()[part]),
                        text_transformations=[CfnRuleGroup.TextTransformationProperty(priority=0, type="NONE")],
                    )
                )
                for part, most in limits.items()
            },
        )

    def _rule_group(self, purpose: str, statements: dict[str, CfnRuleGroup.StatementProperty]) -> CfnRuleGroup:
        return CfnRuleGroup(
            self,
            purpose,
            name=self._names.of(purpose),
            description=f"Blocks {purpose.replace('-', ' ')}",
            scope="REGIONAL",
            capacity=CAPACITIES[purpose],
            visibility_config=_visible(CfnRuleGroup, purpose),
            rules=[
                CfnRuleGroup.RuleProperty(
                    name=name,
                    priority=priority,
                    action=CfnRuleGroup.RuleActionProperty(block={}),
                    statement=statement,
                    visibility_config=_visible(CfnRuleGroup, name),
                )
                for priority, (name, statement) in enumerate(statements.items())
            ],
        )

    def _web_acl(self, place: str) -> CfnWebACL:
        acl = CfnWebACL(
            self,
            f"{place}-acl",
            name=self._names.of(f"{place}-firewall"),
            description=f"In front of the {place.replace('-', ' ')}",
            scope="REGIONAL",
            default_action=CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible(CfnWebACL, place),
            rules=[
                _rate_limit(RATE, 0, self._requests // SHARE_OF_ONE_ADDRESS, of="IP"),
                *self._own_rules(1),
                *_managed_rules(10),
                # Last: requests that other rules block do not count.
                _rate_limit(TOTAL_RATE, 30, self._requests, of="CONSTANT"),
            ],
        )
        # WAF writes only to log groups with names that begin so.
        name = f"aws-waf-logs-{self._names.of(place)}"
        log = AuditLog(self, f"{place}-log", name=name, key=self._key, protected=self._protected)
        CfnLoggingConfiguration(
            self,
            f"{place}-logging",
            resource_arn=acl.attr_arn,
            log_destination_configs=[f"arn:aws:logs:{log.stack.region}:{self._names.account_id}:log-group:{name}"],
            redacted_fields=[
                CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
                for header in ("authorization", "cookie", "x-api-key")
            ],
        ).node.add_dependency(log)
        return acl

    def _own_rules(self, first: int) -> list[CfnWebACL.RuleProperty]:
        return [
            CfnWebACL.RuleProperty(
                name=purpose,
                priority=priority,
                override_action=CfnWebACL.OverrideActionProperty(none={}),
                statement=CfnWebACL.StatementProperty(
                    rule_group_reference_statement=CfnWebACL.RuleGroupReferenceStatementProperty(arn=group.attr_arn)
                ),
                visibility_config=_visible(CfnWebACL, purpose),
            )
            for priority, (purpose, group) in enumerate(self.groups.items(), start=first)
        ]


def _rate_limit(name: str, priority: int, requests: int, *, of: str) -> CfnWebACL.RuleProperty:
    """At most so many requests in a window: ``of`` one address (IP), or all together (CONSTANT)."""
    everything = CfnWebACL.StatementProperty(
        size_constraint_statement=CfnWebACL.SizeConstraintStatementProperty(
            comparison_operator="GE",
            size=0,
            field_to_match=CfnWebACL.FieldToMatchProperty(uri_path={}),
            text_transformations=[CfnWebACL.TextTransformationProperty(priority=0, type="NONE")],
        )
    )
    answer = CfnWebACL.CustomResponseProperty(response_code=TOO_MANY_REQUESTS)
    return CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        action=CfnWebACL.RuleActionProperty(block=CfnWebACL.BlockActionProperty(custom_response=answer)),
        statement=CfnWebACL.StatementProperty(
            rate_based_statement=CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type=of,
                limit=requests,
                evaluation_window_sec=RATE_WINDOW_SECONDS,
                # AWS requires the key of the count even where all requests are counted together.
                scope_down_statement=everything if of == "CONSTANT" else None,
            )
        ),
        visibility_config=_visible(CfnWebACL, name),
    )


def _managed_rules(first: int) -> list[CfnWebACL.RuleProperty]:
    return [
        CfnWebACL.RuleProperty(
            name=group,
            priority=priority,
            override_action=CfnWebACL.OverrideActionProperty(none={}),
            statement=CfnWebACL.StatementProperty(
                managed_rule_group_statement=CfnWebACL.ManagedRuleGroupStatementProperty(vendor_name="AWS", name=group)
            ),
            visibility_config=_visible(CfnWebACL, group),
        )
        for priority, group in enumerate(MANAGED_GROUPS, start=first)
    ]


def _transformations() -> list[CfnRuleGroup.TextTransformationProperty]:
    return [
        CfnRuleGroup.TextTransformationProperty(priority=priority, type=type_)
        for priority, type_ in enumerate(TRANSFORMATIONS)
    ]


def _sql_injection(part: str) -> CfnRuleGroup.StatementProperty:
    return CfnRuleGroup.StatementProperty(
        sqli_match_statement=CfnRuleGroup.SqliMatchStatementProperty(
            field_to_match=CfnRuleGroup.FieldToMatchProperty(**fields()[part]),
            sensitivity_level=SENSITIVITY[part],
            text_transformations=_transformations(),
        )
    )


def _cross_site_scripting(part: str) -> CfnRuleGroup.StatementProperty:
    return CfnRuleGroup.StatementProperty(
        xss_match_statement=CfnRuleGroup.XssMatchStatementProperty(
            field_to_match=CfnRuleGroup.FieldToMatchProperty(**fields()[part]), text_transformations=_transformations()
        )
    )


def _visible(kind: type[CfnRuleGroup | CfnWebACL], metric: str) -> Any:
    return kind.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=metric, sampled_requests_enabled=True
    )
