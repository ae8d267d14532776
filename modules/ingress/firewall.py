"""The firewall (W5.1): one list of rules, as a web ACL in front of CloudFront and one in front of each load balancer.

Creates the web ACL of one scope, the address lists that it looks at, its log group and its logging. What AWS's groups
are used for and where is in settings/firewall.py.

In count mode nothing is blocked but what is on the block-list and, at the load balancers, what did not come through the
distribution. Headers that are secrets are left out of the log and of sampled requests.
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

from modules.ingress.load_balancer import LoadBalancer
from modules.logs import RETENTION_DAYS
from settings.firewall import (
    MANAGED_GROUPS,
    PATH_TRANSFORMATIONS,
    FirewallMode,
    FirewallSettings,
    ManagedGroup,
    Scope,
)
from settings.naming import Names

ORIGIN_VERIFY_HEADER = "x-origin-verify"
# In lower case, as the firewall compares them.
SECRET_HEADERS = ("authorization", "cookie", "x-api-key", ORIGIN_VERIFY_HEADER)
REFUSED, TOO_MANY, TOO_LARGE = "refused", "too-many", "too-large"
ANSWERS = {
    REFUSED: (403, '{"error": "forbidden"}'),
    TOO_MANY: (429, '{"error": "too many requests"}'),
    TOO_LARGE: (413, '{"error": "body too large"}'),
}
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
        firewall: FirewallSettings,
        stands_at: Scope,
        key: KmsKey,
        origin_verify_group_arn: str | None = None,
    ) -> None:
        """``key`` encrypts the log. ``origin_verify_group_arn`` is the rule group that admits own requests only."""
        super().__init__(scope, id_)
        self._names = names
        self._firewall = firewall
        self._scope = stands_at
        self._name = "edge" if stands_at is Scope.EDGE else "origin"
        self.web_acl = Wafv2WebAcl(
            self,
            "web-acl",
            name=names.of(self._name),
            scope=stands_at.value,
            description="What reaches CloudFront" if stands_at is Scope.EDGE else "What reaches the load balancer",
            default_action=Wafv2WebAclDefaultAction(allow=Wafv2WebAclDefaultActionAllow()),
            rule=list(self._numbered([*self._own_requests(origin_verify_group_arn), *self._rules()])),
            custom_response_body=[
                Wafv2WebAclCustomResponseBody(key=name, content=body, content_type="APPLICATION_JSON")
                for name, (_, body) in ANSWERS.items()
            ],
            association_config=self._shown_of_a_body(),
            data_protection_config=_kept_out_of_samples(),
            visibility_config=Wafv2WebAclVisibilityConfig(**self._visibility(self._name)),
        )
        self._log(key)

    def protect(self, load_balancer: LoadBalancer) -> None:
        """Stand in front of a load balancer of the same region, all of its listeners."""
        Wafv2WebAclAssociation(
            self,
            "association",
            resource_arn=load_balancer.load_balancer.arn,
            web_acl_arn=self.web_acl.arn,
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
        """The rules in the order in which they look at a request."""
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
            yield from self._rates()
            yield self._body_size()
        for group in MANAGED_GROUPS:
            if self._scope in group.scopes:
                yield _group(group.name, _managed(group), count=self._counts)

    @property
    def _counts(self) -> bool:
        return self._firewall.mode is FirewallMode.COUNT

    def _address_lists(self) -> Iterator[dict[str, Any]]:
        blocked = self._addresses("blocked", self._firewall.blocked_addresses)
        yield {"name": "blocked-addresses", "action": _block(REFUSED), "statement": blocked}
        allowed = self._addresses("allowed", self._firewall.allowed_addresses)
        allow = Wafv2WebAclRuleAction(allow=Wafv2WebAclRuleActionAllow())
        yield {"name": "allowed-addresses", "action": allow, "statement": allowed}

    def _addresses(self, purpose: str, blocks: tuple[str, ...]) -> dict[str, Any]:
        """The lists are always there, so that an address can be put on them in an emergency without a deployment."""
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

    def _rates(self) -> Iterator[dict[str, Any]]:
        """For certain paths first: an address may reach its limit there before the one for everything."""
        for number, (path, limit) in enumerate(self._firewall.requests_per_path.items(), start=1):
            yield self._rate(f"requests-per-path-{number}", limit, {"scope_down_statement": _begins_with(path)})
        yield self._rate("requests-per-address", self._firewall.requests_per_address, {})

    def _rate(self, name: str, limit: int, of_what: Mapping[str, Any]) -> dict[str, Any]:
        rate = {
            "limit": limit,
            "aggregate_key_type": "IP",
            "evaluation_window_sec": self._firewall.rate_seconds,
            **of_what,
        }
        return {"name": name, "action": self._unless_counting(TOO_MANY), "statement": {"rate_based_statement": rate}}

    def _body_size(self) -> dict[str, Any]:
        """More than the firewall is shown counts as too large, so nothing passes that nobody looked at."""
        size = {
            "comparison_operator": "GT",
            "size": self._firewall.max_body_kib * BYTES_PER_KIB,
            "field_to_match": {"body": {"oversize_handling": "MATCH"}},
            "text_transformation": [_transformation("NONE")],
        }
        return {
            "name": "body-size",
            "action": self._unless_counting(TOO_LARGE),
            "statement": {"size_constraint_statement": size},
        }

    def _unless_counting(self, answer: str) -> Wafv2WebAclRuleAction:
        return Wafv2WebAclRuleAction(count=Wafv2WebAclRuleActionCount()) if self._counts else _block(answer)

    def _shown_of_a_body(self) -> Wafv2WebAclAssociationConfig | None:
        """A load balancer always shows 8 KiB of a body; CloudFront as much as is asked for."""
        if self._scope is Scope.REGION:
            return None
        shown = Wafv2WebAclAssociationConfigRequestBodyCloudfront(
            default_size_inspection_limit=f"KB_{self._firewall.max_body_kib}"
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


def _begins_with(path: str) -> dict[str, Any]:
    match = {
        "search_string": path,
        "positional_constraint": "STARTS_WITH",
        "field_to_match": {"uri_path": {}},
        "text_transformation": [_transformation(name, priority) for priority, name in enumerate(PATH_TRANSFORMATIONS)],
    }
    return {"byte_match_statement": match}


def _transformation(name: str, priority: int = 0) -> dict[str, Any]:
    return {"priority": priority, "type": name}


def _kept_out_of_samples() -> Wafv2WebAclDataProtectionConfig:
    """What is redacted in the log is still in sampled requests, unless it is protected.

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
