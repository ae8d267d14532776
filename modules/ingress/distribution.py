"""CloudFront in front of the platform (W4.1, W4.5): what customers reach.

Creates the distribution with its behaviours, its cache, origin request and response headers policies, the origin access
control to the static assets, and the records of the names that customers use. Static assets come from the primary
region's bucket, and from its replica where that one fails. Everything else comes from the load balancers, under a name
that Route 53 moves: CloudFront itself would send only reads to another origin, and a payment is a write.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/high_availability_origin_failover.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdktf_cdktf_provider_aws.cloudfront_distribution import (
    CloudfrontDistribution,
    CloudfrontDistributionCustomErrorResponse,
    CloudfrontDistributionDefaultCacheBehavior,
    CloudfrontDistributionDefaultCacheBehaviorFunctionAssociation,
    CloudfrontDistributionOrderedCacheBehavior,
    CloudfrontDistributionOrderedCacheBehaviorFunctionAssociation,
    CloudfrontDistributionOrigin,
    CloudfrontDistributionOriginCustomOriginConfig,
    CloudfrontDistributionOriginGroup,
    CloudfrontDistributionOriginGroupFailoverCriteria,
    CloudfrontDistributionOriginGroupMember,
    CloudfrontDistributionRestrictions,
    CloudfrontDistributionRestrictionsGeoRestriction,
    CloudfrontDistributionViewerCertificate,
)
from cdktf_cdktf_provider_aws.cloudfront_origin_access_control import CloudfrontOriginAccessControl
from cdktf_cdktf_provider_aws.route53_record import Route53Record, Route53RecordAlias
from constructs import Construct

from modules.ingress.certificate import Certificate
from modules.ingress.distribution_policies import DistributionPolicies
from modules.ingress.origin_record import OriginRecord
from modules.storage.buckets import Bucket
from settings.edge import BehaviourKind, EdgeSettings
from settings.naming import Names

LOAD_BALANCERS = "load-balancers"
STATIC_ASSETS = "static-assets"
STATIC_ASSETS_REPLICA = "static-assets-replica"
STATIC_ASSETS_GROUP = "static-assets-of-both-regions"
# What means that a bucket's region is in trouble, and not that there is no such file.
FAILURES = (500, 502, 503, 504)
READS = ["GET", "HEAD", "OPTIONS"]
ALL_METHODS = [*READS, "DELETE", "PATCH", "POST", "PUT"]
# The strictest that admits TLS 1.2.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/secure-connections-supported-viewer-protocols-ciphers.html
OLDEST_TLS = "TLSv1.2_2021"
KEEPALIVE_SECONDS = 60


class Distribution(Construct):
    """The distribution and its names."""

    requirements = ("W4.1", "W4.2", "W4.5", "W5.5")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        edge: EdgeSettings,
        host_names: Sequence[str],
        zone_id: str,
        origin_name: str,
        origin_records: Sequence[OriginRecord],
        static_assets: Bucket,
        replica: Bucket,
        web_acl_arn: str,
        viewer_function_arn: str,
    ) -> None:
        """Arguments beside the usual ones.

        Args:
            scope: stands under us-east-1, from where CloudFront takes certificates and web ACLs.
            id_: unique within the scope.
            names: makes names.
            edge: the settings of all this.
            host_names: that customers use, whole.
            zone_id: of the zone that all names are in.
            origin_name: of the load balancers, which ``origin_records`` lead to.
            origin_records: there before the distribution calls that name, and until it does not any more.
            static_assets: read where it can be.
            replica: read where that fails.
            web_acl_arn: the firewall.
            viewer_function_arn: the function that marks requests to the load balancers as the distribution's own.
        """
        super().__init__(scope, id_)
        self._edge = edge
        self._viewer_function_arn = viewer_function_arn
        self.certificate = Certificate(
            self, "certificate", domain_name=host_names[0], other_names=host_names[1:], zone_id=zone_id
        )
        self.policies = DistributionPolicies(self, "policies", names=names, edge=edge)
        self.access_control = CloudfrontOriginAccessControl(
            self,
            "access-control",
            name=names.of(STATIC_ASSETS),
            description="Reads static assets of both regions",
            origin_access_control_origin_type="s3",
            signing_behavior="always",
            signing_protocol="sigv4",
        )
        self.distribution = CloudfrontDistribution(
            self,
            "distribution",
            comment=names.of("edge"),
            enabled=True,
            aliases=list(host_names),
            http_version="http2and3",
            is_ipv6_enabled=True,
            price_class=edge.price_class,
            web_acl_id=web_acl_arn,
            origin=[
                self._load_balancers(origin_name),
                self._bucket(STATIC_ASSETS, static_assets),
                self._bucket(STATIC_ASSETS_REPLICA, replica),
            ],
            origin_group=[_with_replica()],
            default_cache_behavior=CloudfrontDistributionDefaultCacheBehavior(
                **self._behaviour(BehaviourKind.PAGES, CloudfrontDistributionDefaultCacheBehaviorFunctionAssociation)
            ),
            ordered_cache_behavior=[
                CloudfrontDistributionOrderedCacheBehavior(
                    path_pattern=one.path_pattern,
                    **self._behaviour(one.kind, CloudfrontDistributionOrderedCacheBehaviorFunctionAssociation),
                )
                for one in edge.behaviours
            ],
            custom_error_response=self._errors(),
            restrictions=CloudfrontDistributionRestrictions(geo_restriction=self._countries()),
            viewer_certificate=CloudfrontDistributionViewerCertificate(
                acm_certificate_arn=self.certificate.arn,
                ssl_support_method="sni-only",
                minimum_protocol_version=OLDEST_TLS,
            ),
            tags={"Name": names.of("edge")},
            depends_on=[one.record for one in origin_records],  # Terraform sees only the name in them
        )
        for host_name in host_names:
            self._name(host_name, zone_id)

    def _load_balancers(self, origin_name: str) -> CloudfrontDistributionOrigin:
        return CloudfrontDistributionOrigin(
            origin_id=LOAD_BALANCERS,
            domain_name=origin_name,
            custom_origin_config=CloudfrontDistributionOriginCustomOriginConfig(
                http_port=80,
                https_port=443,
                origin_protocol_policy="https-only",
                origin_ssl_protocols=["TLSv1.2"],
                origin_read_timeout=self._edge.origin_response_seconds,
                origin_keepalive_timeout=KEEPALIVE_SECONDS,
            ),
        )

    def _bucket(self, origin_id: str, bucket: Bucket) -> CloudfrontDistributionOrigin:
        return CloudfrontDistributionOrigin(
            origin_id=origin_id,
            domain_name=bucket.bucket.bucket_regional_domain_name,
            origin_access_control_id=self.access_control.id,
        )

    def _behaviour(self, kind: BehaviourKind, association: type[Any]) -> dict[str, Any]:
        """What all behaviours of a kind have in common; ``association`` is the binding's class for functions."""
        common: dict[str, Any] = {
            "compress": True,
            "cached_methods": ["GET", "HEAD"],
            "cache_policy_id": self.policies.cache[kind],
            "response_headers_policy_id": self.policies.response_headers[kind],
        }
        if kind is BehaviourKind.STATIC:
            return common | {
                "target_origin_id": STATIC_ASSETS_GROUP,
                "allowed_methods": READS,
                "viewer_protocol_policy": "redirect-to-https",
            }
        mark = association(event_type="viewer-request", function_arn=self._viewer_function_arn)
        return common | {
            "target_origin_id": LOAD_BALANCERS,
            "allowed_methods": ALL_METHODS,
            "origin_request_policy_id": self.policies.origin_request,
            "function_association": [mark],
            # A redirect comes too late for a client that has sent its key and a card's data in the clear.
            "viewer_protocol_policy": "https-only" if kind is BehaviourKind.API else "redirect-to-https",
        }

    def _errors(self) -> list[CloudfrontDistributionCustomErrorResponse]:
        """Failures are not kept: the next request asks again. A refusal is shown as settings say."""
        errors = [
            CloudfrontDistributionCustomErrorResponse(error_code=status, error_caching_min_ttl=0) for status in FAILURES
        ]
        if self._edge.forbidden_page:
            errors.append(
                CloudfrontDistributionCustomErrorResponse(
                    error_code=403,
                    response_code=403,
                    response_page_path=self._edge.forbidden_page,
                    error_caching_min_ttl=0,
                )
            )
        return errors

    def _countries(self) -> CloudfrontDistributionRestrictionsGeoRestriction:
        allowed, blocked = self._edge.allowed_countries, self._edge.blocked_countries
        if not allowed and not blocked:
            return CloudfrontDistributionRestrictionsGeoRestriction(restriction_type="none")
        return CloudfrontDistributionRestrictionsGeoRestriction(
            restriction_type="whitelist" if allowed else "blacklist", locations=list(allowed or blocked)
        )

    def _name(self, host_name: str, zone_id: str) -> None:
        for type_ in ("A", "AAAA"):
            Route53Record(
                self,
                f"{host_name}-{type_.lower()}",
                zone_id=zone_id,
                name=host_name,
                type=type_,
                alias=Route53RecordAlias(
                    name=self.distribution.domain_name,
                    zone_id=self.distribution.hosted_zone_id,
                    evaluate_target_health=False,  # CloudFront has no health that Route 53 could ask for
                ),
            )


def _with_replica() -> CloudfrontDistributionOriginGroup:
    return CloudfrontDistributionOriginGroup(
        origin_id=STATIC_ASSETS_GROUP,
        failover_criteria=CloudfrontDistributionOriginGroupFailoverCriteria(status_codes=list(FAILURES)),
        member=[
            CloudfrontDistributionOriginGroupMember(origin_id=STATIC_ASSETS),
            CloudfrontDistributionOriginGroupMember(origin_id=STATIC_ASSETS_REPLICA),
        ],
    )
