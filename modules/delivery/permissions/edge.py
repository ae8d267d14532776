"""IAM policy of the deploy role: ACM, CloudFront, Route 53 and AWS WAF."""

from __future__ import annotations

from modules.delivery.permissions.grants import (
    IMPLIED_BY_ANOTHER_CALL,
    NEW,
    NOT_ANOTHERS,
    OTHER_SETTINGS,
    OWN,
    TAGS,
    UPDATE_IN_PLACE,
    WITH_TAGS,
    Grant,
)

EDGE: tuple[Grant, ...] = (
    Grant(
        sid="Certificates",
        service="acm",
        on=("arn:aws:acm:*:{account}:certificate/*",),
        rehearsed="DeleteCertificate",
        unrehearsed={TAGS: "RemoveTagsFromCertificate"},
        conditions=OWN,
    ),
    Grant(
        sid="SeeCertificates",  # also at once after they are made
        service="acm",
        on=("arn:aws:acm:*:{account}:certificate/*",),
        rehearsed="DescribeCertificate ListTagsForCertificate",
        conditions=NOT_ANOTHERS,
    ),
    Grant(
        sid="NewCertificates",
        service="acm",
        rehearsed="RequestCertificate",
        conditions=NEW,
    ),
    Grant(
        sid="TagCertificates",
        service="acm",
        on=("arn:aws:acm:*:{account}:certificate/*",),
        unrehearsed={WITH_TAGS: "AddTagsToCertificate"},
        conditions=(*NEW, *NOT_ANOTHERS),
    ),
    Grant(
        sid="Distributions",
        service="cloudfront",
        on=("arn:aws:cloudfront::{account}:distribution/*",),
        rehearsed="DeleteDistribution UpdateDistribution",
        unrehearsed={TAGS: "UntagResource"},
        conditions=OWN,
    ),
    Grant(
        sid="SeeDistributions",  # also at once after they are made, as their logs are delivered
        service="cloudfront",
        on=("arn:aws:cloudfront::{account}:distribution/*",),
        rehearsed="GetDistribution ListTagsForResource",
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "AllowVendedLogDeliveryForResource"},
        conditions=NOT_ANOTHERS,
    ),
    Grant(sid="NewDistributions", service="cloudfront", rehearsed="CreateDistribution", conditions=NEW),
    Grant(
        sid="TagDistributions",
        service="cloudfront",
        on=("arn:aws:cloudfront::{account}:distribution/*",),
        unrehearsed={WITH_TAGS: "TagResource"},
        conditions=(*NEW, *NOT_ANOTHERS),
    ),
    Grant(
        sid="DistributionPolicies",  # known by ids, and without tags
        service="cloudfront",
        on=tuple(
            f"arn:aws:cloudfront::{{account}}:{kind}/*"
            for kind in ("cache-policy", "origin-access-control", "origin-request-policy", "response-headers-policy")
        ),
        rehearsed="DeleteCachePolicy DeleteOriginAccessControl DeleteOriginRequestPolicy DeleteResponseHeadersPolicy "
        "GetOriginAccessControl GetOriginRequestPolicy GetResponseHeadersPolicy",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateCachePolicy UpdateOriginAccessControl UpdateOriginRequestPolicy "
            "UpdateResponseHeadersPolicy"
        },
    ),
    Grant(
        sid="SeeCachePolicies",  # AWS's own among them
        service="cloudfront",
        on=("arn:aws:cloudfront::*:cache-policy/*",),
        rehearsed="GetCachePolicy",
    ),
    Grant(
        sid="NewDistributionPolicies",
        service="cloudfront",
        rehearsed="CreateCachePolicy CreateOriginAccessControl CreateOriginRequestPolicy CreateResponseHeadersPolicy "
        "ListCachePolicies",
    ),
    Grant(
        sid="Names",  # zones, health checks and changes have generated ids; the zone may exist already
        service="route53",
        on=(
            "arn:aws:route53:::change/*",
            "arn:aws:route53:::healthcheck/*",
            "arn:aws:route53:::hostedzone/*",
        ),
        rehearsed="ChangeResourceRecordSets ChangeTagsForResource DeleteHealthCheck DeleteHostedZone GetChange "
        "GetHealthCheck GetHostedZone ListResourceRecordSets ListTagsForResource",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateHealthCheck UpdateHostedZoneComment",
            IMPLIED_BY_ANOTHER_CALL: "AssociateVPCWithHostedZone",  # private names of interface endpoints
        },
    ),
    Grant(
        sid="NewNames",
        service="route53",
        rehearsed="CreateHealthCheck CreateHostedZone",
        unrehearsed={OTHER_SETTINGS: "ListHostedZones"},
    ),
    Grant(
        sid="Firewalls",
        service="wafv2",
        on=("arn:aws:wafv2:*:{account}:*/ipset/{own}/*", "arn:aws:wafv2:*:{account}:*/webacl/{own}/*"),
        rehearsed="CreateIPSet CreateWebACL DeleteIPSet DeleteLoggingConfiguration DeleteWebACL GetIPSet "
        "GetLoggingConfiguration GetWebACL ListTagsForResource PutLoggingConfiguration",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateIPSet UpdateWebACL",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="Parts",  # of a web ACL: AWS's groups of rules, and those that the platform's function makes
        service="wafv2",
        on=("arn:aws:wafv2:*:*:*/managedruleset/*/*", "arn:aws:wafv2:*:{account}:*/rulegroup/{own}/*"),
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "CreateWebACL UpdateWebACL"},
    ),
    Grant(
        sid="Protect",
        service="wafv2",
        on=(
            "arn:aws:wafv2:*:{account}:regional/webacl/{own}/*",
            "arn:aws:elasticloadbalancing:*:{account}:loadbalancer/app/{own}/*",
        ),
        rehearsed="AssociateWebACL DisassociateWebACL GetWebACLForResource",
    ),
)
