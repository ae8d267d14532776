"""The web ACL of CloudFront or of a load balancer (AWS WAF, W5.1), from one list of rules.

Creates the web ACL of one scope, its IP sets, its log group and its logging. Which managed rule groups are in which
scope is in settings/firewall.py.

In count mode it blocks only addresses of the block-list and, at a load balancer, requests without the origin secret.
Headers that hold secrets are redacted in the log and in sampled requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.wafv2_ip_set import Wafv2IpSet
from cdktf_cdktf_provider_aws.wafv2_web_acl import (
    Wafv2WebAcl,
    Wafv2WebAclAssociationConfig,
    Wafv2WebAclAssociationConfigRequestBody,
    Wafv2WebAclAssociationConfigRequestBodyCloudfront,
    Wafv2WebAclCustomResponseBody,
    Wafv2WebAclDataProtectionConfig,
    Wafv2WebAclDataProtectionConfigDataProtection,
    Wafv2WebAclDataProtectionConfigDataProtectionField,
    Wafv2WebAclDefaultAction,
    Wafv2WebAclDefaultActionAllow,
    Wafv2WebAclRule,
    Wafv2WebAclRuleAction,
    Wafv2WebAclRuleActionAllow,
    Wafv2WebAclRuleActionBlock,
    Wafv2WebAclRuleActionBlockCustomResponse,
    Wafv2WebAclRuleActionCount,
    Wafv2WebAclRuleOverrideAction,
    Wafv2WebAclRuleOverrideActionCount,
    Wafv2WebAclRuleOverrideActionNone,
    Wafv2WebAclRuleRuleLabel,
    Wafv2WebAclRuleVisibilityConfig,
    Wafv2WebAclVisibilityConfig,
)
from cdktf_cdktf_provider_aws.wafv2_web_acl_association import Wafv2WebAclAssociation
from cdktf_cdktf_provider_aws.wafv2_web_acl_logging_configuration import (
    Wafv2WebAclLoggingConfiguration,
    Wafv2WebAclLoggingConfigurationRedactedFields,
    Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader,
)
from constructs import Construct

from modules.ingress.firewall_statements import (
    all_of,
    credential_key,
    has_credential,
    labelled,
    method_is,
    negated,
    path_matches,
    transformation,
)
from modules.ingress.load_balancer import LoadBalancer
from modules.logs import RETENTION_DAYS
from modules.monitoring.alarms import FEWEST_REQUESTS, Alarm, Incident
from modules.monitoring.metrics import Metric
from modules.region import Region
from settings.firewall import (
    HEALTH_CHECK_REQUESTS,
    MANAGED_GROUPS,
    NOTIFICATIONS_PATH,
    FirewallMode,
    FirewallSettings,
    ManagedGroup,
    Scope,
)
from settings.naming import Names

ORIGIN_VERIFY_HEADER = "x-origin-verify"
# In lower case, as AWS WAF compares them.
SECRET_HEADERS = ("authorization", "cookie", "x-api-key", ORIGIN_VERIFY_HEADER)
REFUSED, TOO_MANY, TOO_LARGE = "refused", "too-many", "too-large"
ANSWERS = {
    REFUSED: (403, '{"error": "forbidden"}'),
    TOO_MANY: (429, '{"error": "too many requests"}'),
    TOO_LARGE: (413, '{"error": "body too large"}'),
}
NOTIFICATION = "acquirer:notification"
"""The label of requests to the path of acquirers' notifications, for the rules after the one that adds it."""
CREDENTIAL = "merchant:credential"
"""The label of requests with a credential, valid or not."""
BYTES_PER_KIB = 1024
VERSIONS = {"4": "IPV4", "6": "IPV6"}


class Firewall(Construct):
    """A web ACL of one scope."""

    requirements = ("W5.1",)

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: FirewallSettings,
        web_acl_scope: Scope,
        key: KmsKey,
        origin_verify_group_arn: str | None = None,
        health_check_path: str = "",
    ) -> None:
        """Create the web ACL.

        Args:
            scope: below the region of the load balancer, or of us-east-1 for CloudFront.
            id_: unique within the scope.
            names: of the environment.
            settings: of the rules.
            web_acl_scope: CloudFront, or load balancers of a region.
            key: encrypts the log.
            origin_verify_group_arn: of the rule group that requires the origin secret; for load balancers.
            health_check_path: which that rule group lets pass without it; for load balancers.
        """
        super().__init__(scope, id_)
        self._names = names
        self._settings = settings
        self._health_check_path = health_check_path
        self._scope = web_acl_scope
        # The metrics' only dimension for a web ACL: environments may share an account.
        self.metric_name = names.of("edge" if web_acl_scope is Scope.EDGE else "origin")
        self._name = "edge" if web_acl_scope is Scope.EDGE else "origin"
        self.web_acl = Wafv2WebAcl(
            self,
            "web-acl",
            name=names.of(self._name),
            scope=web_acl_scope.value,
            description="What reaches CloudFront" if web_acl_scope is Scope.EDGE else "What reaches the load balancer",
            default_action=Wafv2WebAclDefaultAction(allow=Wafv2WebAclDefaultActionAllow()),
            rule=list(self._numbered([*self._own_requests(origin_verify_group_arn), *self._rules()])),
            custom_response_body=[
                Wafv2WebAclCustomResponseBody(key=name, content=body, content_type="APPLICATION_JSON")
                for name, (_, body) in ANSWERS.items()
            ],
            association_config=self._body_inspection(),
            data_protection_config=_data_protection(),
            visibility_config=Wafv2WebAclVisibilityConfig(**self._visibility(self.metric_name)),
        )
        self._log(key)

    def protect(self, load_balancer: LoadBalancer) -> None:
        """Associate the web ACL with a load balancer of the same region: all of its listeners."""
        Wafv2WebAclAssociation(
            self,
            "association",
            resource_arn=load_balancer.load_balancer.arn,
            web_acl_arn=self.web_acl.arn,
        )

    def alarm(self, name: str, max_blocked_percent: float, *, pages: bool) -> Alarm:
        """The share of blocked requests, whichever rule blocks them: a customer who is blocked sees a 403, 413 or 429.

        At a load balancer nearly none is: all of them passed the edge, and have the origin secret.
        https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html
        """
        own = {"WebACL": self.metric_name, "Rule": "ALL"}
        if self._scope is Scope.REGION:
            own["Region"] = Region.of(self).name
        blocked, total = "FILL(blocked, 0)", "(FILL(blocked, 0) + FILL(allowed, 0))"
        return Alarm(
            name=name,
            kind="requests-blocked",
            meaning=f"More than {max_blocked_percent:g} % of the requests are blocked by the web ACL",
            metrics={
                "blocked": Metric("AWS/WAFV2", "BlockedRequests", "Sum", own),
                "allowed": Metric("AWS/WAFV2", "AllowedRequests", "Sum", own),
            },
            expression=f"IF({total} >= {FEWEST_REQUESTS}, 100 * {blocked} / {total}, 0)",
            bound=max_blocked_percent,
            periods=3,
            of=5,
            pages=Incident.CUSTOMERS_NOT_SERVED if pages else None,
        )

    def _log(self, key: KmsKey) -> None:
        log_group = CloudwatchLogGroup(
            self,
            "log-group",
            name=self._names.firewall_log_group(self._name),
            retention_in_days=RETENTION_DAYS,
            kms_key_id=key.arn,
        )
        Wafv2WebAclLoggingConfiguration(
            self,
            "logging",
            resource_arn=self.web_acl.arn,
            log_destination_configs=[log_group.arn],
            redacted_fields=[
                Wafv2WebAclLoggingConfigurationRedactedFields(
                    single_header=Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader(name=header)
                )
                for header in SECRET_HEADERS
            ],
        )

    def _numbered(self, rules: list[dict[str, Any]]) -> Iterator[Wafv2WebAclRule]:
        """The rules with their priorities, in order of evaluation."""
        for priority, rule in enumerate(rules):
            visibility = Wafv2WebAclRuleVisibilityConfig(**self._visibility(rule["name"]))
            yield Wafv2WebAclRule(priority=priority, visibility_config=visibility, **rule)

    def _visibility(self, name: str) -> dict[str, Any]:
        return {"metric_name": name, "cloudwatch_metrics_enabled": True, "sampled_requests_enabled": True}

    def _own_requests(self, group_arn: str | None) -> list[dict[str, Any]]:
        if group_arn is None:
            return []
        return [_group("origin-verify", {"rule_group_reference_statement": {"arn": group_arn}}, count=False)]

    def _rules(self) -> Iterator[dict[str, Any]]:
        if self._scope is Scope.EDGE:
            yield from self._address_lists()
            yield from self._notifications()
            yield from self._rates()
            yield self._body_size()
        else:
            yield self._health_check_rate()
        for group in MANAGED_GROUPS:
            if self._scope in group.scopes:
                yield _group(group.name, _managed(group), count=self._counts)

    @property
    def _counts(self) -> bool:
        return self._settings.mode is FirewallMode.COUNT

    def _address_lists(self) -> Iterator[dict[str, Any]]:
        blocked = self._addresses("blocked", self._settings.blocked_addresses)
        yield {"name": "blocked-addresses", "action": _block(REFUSED), "statement": blocked}
        allowed = self._addresses("allowed", self._settings.allowed_addresses)
        allow = Wafv2WebAclRuleAction(allow=Wafv2WebAclRuleActionAllow())
        yield {"name": "allowed-addresses", "action": allow, "statement": allowed}

    def _addresses(self, purpose: str, blocks: tuple[str, ...]) -> dict[str, Any]:
        """IP sets exist even when empty, so that an address can be added in an emergency without a deployment."""
        sets = [
            Wafv2IpSet(
                self,
                f"{purpose}-ipv{version}",
                name=self._names.of(f"{purpose}-ipv{version}"),
                description=f"Addresses that the firewall has {purpose}",
                scope=self._scope.value,
                ip_address_version=of_aws,
                addresses=[block for block in blocks if (":" in block) == (version == "6")],
            )
            for version, of_aws in VERSIONS.items()
        ]
        return {"or_statement": {"statement": [{"ip_set_reference_statement": {"arn": one.arn}} for one in sets]}}

    def _notifications(self) -> Iterator[dict[str, Any]]:
        """An acquirer's notifications come in bursts from few addresses: by POST alone, at a rate of their own.

        https://docs.aws.amazon.com/waf/latest/developerguide/waf-labels.html
        """
        yield {
            "name": "notifications",
            "action": Wafv2WebAclRuleAction(count=Wafv2WebAclRuleActionCount()),
            "statement": path_matches(NOTIFICATIONS_PATH, "EXACTLY"),
            "rule_label": [Wafv2WebAclRuleRuleLabel(name=NOTIFICATION)],
        }
        yield {
            "name": "notifications-method",
            "action": self._unless_counting(REFUSED),
            "statement": all_of(labelled(NOTIFICATION), negated(method_is("POST"))),
        }
        limit = self._settings.notifications_per_address
        yield self._rate("notifications-per-address", limit, {"scope_down_statement": labelled(NOTIFICATION)})

    def _rates(self) -> Iterator[dict[str, Any]]:
        """Rate limits per address of requests without a credential, but of notifications: those of paths, then of all.

        Those with one are limited by credential: a merchant's server may send many from one address. An address that
        changes its credential with each request is limited, too.
        """
        settings = self._settings
        yield {
            "name": "credentials",
            "action": Wafv2WebAclRuleAction(count=Wafv2WebAclRuleActionCount()),
            "statement": has_credential(),
            "rule_label": [Wafv2WebAclRuleRuleLabel(name=CREDENTIAL)],
        }
        others = negated(labelled(NOTIFICATION)), negated(labelled(CREDENTIAL))
        for number, (path, limit) in enumerate(settings.requests_per_path.items(), start=1):
            of_path = all_of(path_matches(path, "STARTS_WITH"), *others)
            yield self._rate(f"requests-per-path-{number}", limit, {"scope_down_statement": of_path})
        yield self._rate(
            "requests-per-address", settings.requests_per_address, {"scope_down_statement": all_of(*others)}
        )
        by_key = {"aggregate_key_type": "CUSTOM_KEYS", "custom_key": [credential_key()]}
        yield self._rate("requests-per-credential", settings.requests_per_credential, by_key)
        shown = {"scope_down_statement": labelled(CREDENTIAL)}
        yield self._rate("requests-with-credentials", settings.requests_per_address_with_credentials, shown)

    def _rate(self, name: str, limit: int, of_what: Mapping[str, Any]) -> dict[str, Any]:
        rate = {
            "limit": limit,
            "aggregate_key_type": "IP",
            "evaluation_window_sec": self._settings.rate_seconds,
            **of_what,
        }
        return {"name": name, "action": self._unless_counting(TOO_MANY), "statement": {"rate_based_statement": rate}}

    def _health_check_rate(self) -> dict[str, Any]:
        """The path that passes without the origin secret, also from other customers' distributions."""
        path = path_matches(self._health_check_path, "EXACTLY")
        return self._rate("health-check-requests", HEALTH_CHECK_REQUESTS, {"scope_down_statement": path})

    def _body_size(self) -> dict[str, Any]:
        """A body beyond AWS WAF's inspection limit matches too, so no part of a body passes uninspected."""
        size = {
            "comparison_operator": "GT",
            "size": self._settings.max_body_kib * BYTES_PER_KIB,
            "field_to_match": {"body": {"oversize_handling": "MATCH"}},
            "text_transformation": [transformation("NONE")],
        }
        return {
            "name": "body-size",
            "action": self._unless_counting(TOO_LARGE),
            "statement": {"size_constraint_statement": size},
        }

    def _unless_counting(self, answer: str) -> Wafv2WebAclRuleAction:
        return Wafv2WebAclRuleAction(count=Wafv2WebAclRuleActionCount()) if self._counts else _block(answer)

    def _body_inspection(self) -> Wafv2WebAclAssociationConfig | None:
        """The inspected part of a body: settable for CloudFront, always 8 KiB for a load balancer."""
        if self._scope is Scope.REGION:
            return None
        shown = Wafv2WebAclAssociationConfigRequestBodyCloudfront(
            default_size_inspection_limit=f"KB_{self._settings.max_body_kib}"
        )
        return Wafv2WebAclAssociationConfig(request_body=[Wafv2WebAclAssociationConfigRequestBody(cloudfront=shown)])


def _group(name: str, statement: dict[str, Any], *, count: bool) -> dict[str, Any]:
    override = (
        Wafv2WebAclRuleOverrideAction(count=Wafv2WebAclRuleOverrideActionCount())
        if count
        else Wafv2WebAclRuleOverrideAction(none=Wafv2WebAclRuleOverrideActionNone())
    )
    return {"name": name, "override_action": override, "statement": statement}


def _managed(group: ManagedGroup) -> dict[str, Any]:
    counted = [{"name": name, "action_to_use": {"count": {}}} for name in group.counted]
    overrides: Mapping[str, Any] = {"rule_action_override": counted} if counted else MappingProxyType({})
    return {"managed_rule_group_statement": {"vendor_name": "AWS", "name": group.name, **overrides}}


def _block(answer: str) -> Wafv2WebAclRuleAction:
    status, _ = ANSWERS[answer]
    response = Wafv2WebAclRuleActionBlockCustomResponse(response_code=status, custom_response_body_key=answer)
    return Wafv2WebAclRuleAction(block=Wafv2WebAclRuleActionBlock(custom_response=response))


def _data_protection() -> Wafv2WebAclDataProtectionConfig:
    """Redaction covers the log only; data protection covers sampled requests.

    https://docs.aws.amazon.com/waf/latest/developerguide/data-masking.html
    """
    return Wafv2WebAclDataProtectionConfig(
        data_protection=[
            Wafv2WebAclDataProtectionConfigDataProtection(
                action="SUBSTITUTION",
                field=Wafv2WebAclDataProtectionConfigDataProtectionField(
                    field_type="SINGLE_HEADER", field_keys=list(SECRET_HEADERS)
                ),
            )
        ]
    )
