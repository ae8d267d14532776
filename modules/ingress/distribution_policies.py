"""CloudFront's cache, origin request and response headers policies (W4.1).

Creates custom policies, and looks up the managed cache policy that disables caching.
"""

from __future__ import annotations

from typing import Any

from cdktf_cdktf_provider_aws.cloudfront_cache_policy import (
    CloudfrontCachePolicy,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOrigin,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginCookiesConfig,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfig,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfigHeaders,
    CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfig,
)
from cdktf_cdktf_provider_aws.cloudfront_origin_request_policy import (
    CloudfrontOriginRequestPolicy,
    CloudfrontOriginRequestPolicyCookiesConfig,
    CloudfrontOriginRequestPolicyHeadersConfig,
    CloudfrontOriginRequestPolicyHeadersConfigHeaders,
    CloudfrontOriginRequestPolicyQueryStringsConfig,
)
from cdktf_cdktf_provider_aws.cloudfront_response_headers_policy import (
    CloudfrontResponseHeadersPolicy,
    CloudfrontResponseHeadersPolicyCustomHeadersConfig,
    CloudfrontResponseHeadersPolicyCustomHeadersConfigItems,
    CloudfrontResponseHeadersPolicyRemoveHeadersConfig,
    CloudfrontResponseHeadersPolicyRemoveHeadersConfigItems,
    CloudfrontResponseHeadersPolicySecurityHeadersConfig,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigContentSecurityPolicy,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigContentTypeOptions,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigFrameOptions,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigReferrerPolicy,
    CloudfrontResponseHeadersPolicySecurityHeadersConfigStrictTransportSecurity,
)
from cdktf_cdktf_provider_aws.data_aws_cloudfront_cache_policy import DataAwsCloudfrontCachePolicy
from constructs import Construct

from settings.edge import LONGEST_SECONDS, BehaviourKind, EdgeSettings
from settings.naming import Names

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_DISABLED = "Managed-CachingDisabled"
# Without Host, CloudFront sends the origin's name, which the load balancers' certificate is for; the others are headers
# by which clients override host, path or method.
NOT_FORWARDED = ["Host", "Forwarded", "X-Forwarded-Host", "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"]
API_CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"  # an answer of the API is no page
NO_DEVICES = "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()"
SERVER_HEADERS = ("Server", "X-Powered-By")


class DistributionPolicies(Construct):
    """The policies of a distribution; ``cache`` and ``response_headers`` have their ids by the kind of behaviour."""

    requirements = ("W4.1",)

    def __init__(self, scope: Construct, id_: str, *, names: Names, settings: EdgeSettings) -> None:
        super().__init__(scope, id_)
        self._names = names
        self._settings = settings
        never = DataAwsCloudfrontCachePolicy(self, "never-kept", name=CACHING_DISABLED)
        self.cache = {
            BehaviourKind.STATIC: self._static_cache_policy().id,
            BehaviourKind.PAGES: self._pages_cache_policy().id,
            BehaviourKind.API: never.id,
        }
        pages = self._response_headers("pages", csp=settings.content_security_policy, own_csp_wins=True)
        api = self._response_headers(
            "api", csp=API_CONTENT_SECURITY_POLICY, own_csp_wins=False, others={"Cache-Control": "no-store"}
        )
        self.response_headers = {
            BehaviourKind.STATIC: pages.id,
            BehaviourKind.PAGES: pages.id,
            BehaviourKind.API: api.id,
        }
        self.origin_request = self._origin_request_policy().id

    def _static_cache_policy(self) -> CloudfrontCachePolicy:
        """Static files: the cache key is the path alone."""
        return self._cache_policy("static", default_seconds=self._settings.static_cache_seconds)

    def _pages_cache_policy(self) -> CloudfrontCachePolicy:
        """Pages: cached as their Cache-Control says; cookies, query string and Authorization are in the cache key."""
        return self._cache_policy(
            "pages", default_seconds=0, cookies="all", query_strings="all", headers=["Authorization"]
        )

    def _cache_policy(
        self,
        purpose: str,
        *,
        default_seconds: int,
        cookies: str = "none",
        query_strings: str = "none",
        headers: list[str] | None = None,
    ) -> CloudfrontCachePolicy:
        key = CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOrigin(
            enable_accept_encoding_brotli=True,
            enable_accept_encoding_gzip=True,
            cookies_config=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginCookiesConfig(
                cookie_behavior=cookies
            ),
            query_strings_config=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfig(
                query_string_behavior=query_strings
            ),
            headers_config=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfig(
                header_behavior="whitelist" if headers else "none",
                headers=CloudfrontCachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfigHeaders(items=headers)
                if headers
                else None,
            ),
        )
        return CloudfrontCachePolicy(
            self,
            f"{purpose}-cache",
            name=self._names.of(f"{purpose}-cache"),
            min_ttl=0,
            default_ttl=default_seconds,
            max_ttl=LONGEST_SECONDS,
            parameters_in_cache_key_and_forwarded_to_origin=key,
        )

    def _origin_request_policy(self) -> CloudfrontOriginRequestPolicy:
        """All but a few headers go to the load balancers; the header that the viewer function adds is among them."""
        return CloudfrontOriginRequestPolicy(
            self,
            "origin-request",
            name=self._names.of("origin-request"),
            comment="What the load balancers get",
            cookies_config=CloudfrontOriginRequestPolicyCookiesConfig(cookie_behavior="all"),
            query_strings_config=CloudfrontOriginRequestPolicyQueryStringsConfig(query_string_behavior="all"),
            headers_config=CloudfrontOriginRequestPolicyHeadersConfig(
                header_behavior="allExcept",
                headers=CloudfrontOriginRequestPolicyHeadersConfigHeaders(items=NOT_FORWARDED),
            ),
        )

    def _response_headers(
        self, purpose: str, *, csp: str, own_csp_wins: bool, others: dict[str, str] | None = None
    ) -> CloudfrontResponseHeadersPolicy:
        added = {"Permissions-Policy": NO_DEVICES} | (others or {})
        return CloudfrontResponseHeadersPolicy(
            self,
            f"{purpose}-headers",
            name=self._names.of(f"{purpose}-headers"),
            security_headers_config=self._security_headers(csp, own_csp_wins=own_csp_wins),
            custom_headers_config=CloudfrontResponseHeadersPolicyCustomHeadersConfig(
                items=[
                    CloudfrontResponseHeadersPolicyCustomHeadersConfigItems(header=name, value=value, override=True)
                    for name, value in added.items()
                ]
            ),
            remove_headers_config=CloudfrontResponseHeadersPolicyRemoveHeadersConfig(
                items=[CloudfrontResponseHeadersPolicyRemoveHeadersConfigItems(header=name) for name in SERVER_HEADERS]
            ),
        )

    def _security_headers(self, csp: str, *, own_csp_wins: bool) -> Any:
        return CloudfrontResponseHeadersPolicySecurityHeadersConfig(
            strict_transport_security=CloudfrontResponseHeadersPolicySecurityHeadersConfigStrictTransportSecurity(
                access_control_max_age_sec=self._settings.strict_transport_seconds,
                include_subdomains=True,
                preload=self._settings.strict_transport_preload,
                override=True,
            ),
            content_security_policy=CloudfrontResponseHeadersPolicySecurityHeadersConfigContentSecurityPolicy(
                content_security_policy=csp,
                override=not own_csp_wins,  # a page's own policy takes precedence
            ),
            content_type_options=CloudfrontResponseHeadersPolicySecurityHeadersConfigContentTypeOptions(override=True),
            frame_options=CloudfrontResponseHeadersPolicySecurityHeadersConfigFrameOptions(
                frame_option="DENY", override=True
            ),
            referrer_policy=CloudfrontResponseHeadersPolicySecurityHeadersConfigReferrerPolicy(
                referrer_policy="strict-origin-when-cross-origin", override=True
            ),
        )
