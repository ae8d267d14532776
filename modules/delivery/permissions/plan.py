"""IAM policy of the plan role: reads the state, and what the configuration looks up.

A plan in CI refreshes nothing (`-refresh=false`): a refresh would read the database's passwords
(docs/decisions/0031-who-deploys.md).
"""

from __future__ import annotations

from modules.delivery.permissions.grants import IMPLIED_BY_ANOTHER_CALL, OF_STATE, OTHER_SETTINGS, Grant

PLAN: tuple[Grant, ...] = (
    Grant(
        sid="ReadState",
        service="s3",
        on=("{state}/{state_key}",),
        rehearsed="GetObject",
    ),
    Grant(sid="FindState", service="s3", on=("{state}", "{state}-replica"), rehearsed="ListBucket"),
    Grant(
        sid="DecryptState",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "Decrypt"},
        conditions=OF_STATE,
    ),
    Grant(sid="LookUpNetwork", service="ec2", rehearsed="DescribeManagedPrefixLists"),
    Grant(
        sid="LookUpPrefixes",
        service="ec2",
        on=("arn:aws:ec2:*:aws:prefix-list/*", "arn:aws:ec2:*:{account}:prefix-list/*"),
        rehearsed="GetManagedPrefixListEntries",
    ),
    Grant(sid="FindCachePolicies", service="cloudfront", rehearsed="ListCachePolicies"),
    Grant(
        sid="LookUpCachePolicies",  # AWS's own among them
        service="cloudfront",
        on=("arn:aws:cloudfront::*:cache-policy/*",),
        rehearsed="GetCachePolicy",
    ),
    Grant(sid="FindZone", service="route53", unrehearsed={OTHER_SETTINGS: "ListHostedZones"}),
    Grant(
        sid="LookUpZone",  # a zone that exists already: its ARN has a generated id
        service="route53",
        on=("arn:aws:route53:::hostedzone/*",),
        unrehearsed={OTHER_SETTINGS: "GetHostedZone ListTagsForResource"},
    ),
    Grant(sid="MakeUpPasswords", service="secretsmanager", rehearsed="GetRandomPassword"),
)
