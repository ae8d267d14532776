"""The CloudFront distribution in front of both regions (W4.1, W4.5).

Creates the distribution with its cache behaviours, its cache, origin request and response headers policies, the origin
access control to the static assets, its certificate, and the alias records of the host names. The origin of static
assets is an origin group: the primary region's bucket, and its replica on failure. The origin of all other paths is the
load balancers, under a name that Route 53 fails over: an origin group fails over reads only, and a payment is a write.
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
# Statuses of a failing region, and not of a missing object.
FAILURES = (500, 502, 503, 504)
# Errors that CloudFront caches for ten seconds whatever the cache policy and Cache-Control say: one merchant's 404
# would answer another's request for the same path.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
CACHED_ERRORS = (404, 414, 500, 501, 502, 503, 504)
READS = ["GET", "HEAD", "OPTIONS"]
ALL_METHODS = [*READS, "DELETE", "PATCH", "POST", "PUT"]
# The strictest that admits TLS 1.2.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/secure-connections-supported-viewer-protocols-ciphers.html
OLDEST_TLS = "TLSv1.2_2021"
KEEPALIVE_SECONDS = 60  # less than the load balancers' idle timeout: CloudFront closes an idle connection first


class Distribution(Construct):
    """The distribution, its certificate and its alias records."""

    requirements = ("W4.1", "W4.2", "W4.5", "W5.5")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: EdgeSettings,
        host_names: Sequence[str],
        zone_id: str,
        origin_name: str,
        origin_records: Sequence[OriginRecord],
        static_assets: Bucket,
        replica: Bucket,
        web_acl_arn: str,
        viewer_function_arn: str,
    ) -> None:
        """Create the distribution.

        Args:
            scope: below the Region of us-east-1, the only one whose certificates and web ACLs CloudFront accepts.
            id_: unique within the scope.
            names: of the environment.
            settings: of the edge.
            host_names: the fully qualified names that customers use.
            zone_id: of the hosted zone of all names.
            origin_name: of the load balancers; ``origin_records`` resolve it.
            origin_records: created before the distribution, destroyed after it.
            static_assets: the primary origin of static paths.
            replica: the secondary origin of static paths.
            web_acl_arn: of the web ACL of scope CLOUDFRONT.
            viewer_function_arn: of the CloudFront function that adds the origin secret to requests.
        """
        super().__init__(scope, id_)
        self._settings = settings
        self._viewer_function_arn = viewer_function_arn
        self.certificate = Certificate(
            self, "certificate", domain_name=host_names[0], other_names=host_names[1:], zone_id=zone_id
        )
        self.policies = DistributionPolicies(self, "policies", names=names, settings=settings)
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
            price_class=settings.price_class,
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
                for one in settings.behaviours
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
        self.records = [record for host_name in host_names for record in self._name(host_name, zone_id)]

    def _load_balancers(self, origin_name: str) -> CloudfrontDistributionOrigin:
        return CloudfrontDistributionOrigin(
            origin_id=LOAD_BALANCERS,
            domain_name=origin_name,
            custom_origin_config=CloudfrontDistributionOriginCustomOriginConfig(
                http_port=80,
                https_port=443,
                origin_protocol_policy="https-only",
                origin_ssl_protocols=["TLSv1.2"],
                origin_read_timeout=self._settings.origin_response_seconds,
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
        """The arguments of a behaviour of one kind; ``association`` is the class of its function association."""
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
            # A client that is redirected has already sent its key and card data in clear text.
            "viewer_protocol_policy": "https-only" if kind is BehaviourKind.API else "redirect-to-https",
        }

    def _errors(self) -> list[CloudfrontDistributionCustomErrorResponse]:
        """Errors are not cached. A 403 has the page that settings name, if any."""
        errors = [
            CloudfrontDistributionCustomErrorResponse(error_code=status, error_caching_min_ttl=0)
            for status in CACHED_ERRORS
        ]
        if self._settings.forbidden_page:
            errors.append(
                CloudfrontDistributionCustomErrorResponse(
                    error_code=403,
                    response_code=403,
                    response_page_path=self._settings.forbidden_page,
                    error_caching_min_ttl=0,
                )
            )
        return errors

    def _countries(self) -> CloudfrontDistributionRestrictionsGeoRestriction:
        allowed, blocked = self._settings.allowed_countries, self._settings.blocked_countries
        if not allowed and not blocked:
            return CloudfrontDistributionRestrictionsGeoRestriction(restriction_type="none")
        return CloudfrontDistributionRestrictionsGeoRestriction(
            restriction_type="whitelist" if allowed else "blacklist", locations=list(allowed or blocked)
        )

    def _name(self, host_name: str, zone_id: str) -> list[Route53Record]:
        return [
            Route53Record(
                self,
                f"{host_name}-{type_.lower()}",
                zone_id=zone_id,
                name=host_name,
                type=type_,
                alias=Route53RecordAlias(
                    name=self.distribution.domain_name,
                    zone_id=self.distribution.hosted_zone_id,
                    evaluate_target_health=False,  # not supported for a distribution
                ),
            )
            for type_ in ("A", "AAAA")
        ]


def _with_replica() -> CloudfrontDistributionOriginGroup:
    return CloudfrontDistributionOriginGroup(
        origin_id=STATIC_ASSETS_GROUP,
        failover_criteria=CloudfrontDistributionOriginGroupFailoverCriteria(status_codes=list(FAILURES)),
        member=[
            CloudfrontDistributionOriginGroupMember(origin_id=STATIC_ASSETS),
            CloudfrontDistributionOriginGroupMember(origin_id=STATIC_ASSETS_REPLICA),
        ],
    )
