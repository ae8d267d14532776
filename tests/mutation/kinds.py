"""Kinds of changes: of attributes by what the resource is for, of policies by what the change does.

A kind is security-relevant where a change may let somebody in, let data out or be lost, or hide either.
"""

from __future__ import annotations

import re

# The first that fits, for attributes: of type and attribute, as one text (`aws_s3_bucket.force_destroy`).
BY_ATTRIBUTE = (
    ("encryption", r"kms|encrypt|ssl|tls|certificate|acm|key_rotation|KeyRotation|bucket_key|protocol_version"),
    ("database parameters", r"parameter_group|ParameterGroup"),
    ("headers", r"response_headers_policy|origin_request_policy"),
    ("alarms", r"cloudwatch_(metric_alarm|composite_alarm)|CloudWatch::Alarm|sns_topic_subscription|SNS::Sub|paging"),
    (
        "audit and detection",
        (
            r"cloudtrail|CloudTrail|guardduty|config_|securityhub|accessanalyzer|flow_log|FlowLog|log_group|LogGroup|"
            r"metric_filter|MetricFilter|log_delivery|logging|Logging|cloudwatch_event|Events::Rule|logs\b|access_log"
        ),
    ),
    (
        "network",
        (
            r"_vpc|vpc_|network_acl|route\b|aws_route_table|security_group|SecurityGroup|subnet|Subnet|nat_gateway|"
            r"internet_gateway|prefix_list|EC2::|peering|VpcLink|VPCEndpoint|aws_eip|reaches"
        ),
    ),
    (
        "identity",
        (
            r"aws_iam|IAM::|secretsmanager|SecretsManager|kms_key|KMS::|openid|role|Role|Lambda::Permission|"
            r"lambda_permission|_policy\b|Policy\b|Authorizer|AuthorizationType|ApiKey|UsagePlan"
        ),
    ),
    (
        "durability",
        (
            r"backup|Backup|versioning|Versioning|lifecycle|Lifecycle|replication|Replication|deletion|Deletion|"
            r"snapshot|Snapshot|force_destroy|prevent_destroy|retention|Retention|vault|global_cluster|object_lock|ObjectLock"
        ),
    ),
    ("public access", r"public|Public|ownership|acl\b|wafv2|WAFv2|cloudfront|CloudFront|lb_listener|Listener|internal"),
    ("database", r"rds|RDS|db_|database"),
    ("containers and functions", r"aws_ecs|ECS::|lambda|Lambda|ecr|ECR|codedeploy|CodeDeploy|privileged|readonly"),
    ("queues", r"sqs|SQS|sns|SNS"),
)
SECURITY = {
    "encryption",
    "database parameters",
    "headers",
    "audit and detection",
    "network",
    "identity",
    "durability",
    "public access",
    "statement added",
    "statement lost",
    "deny dropped",
    "action widened",
    "resource widened",
    "principal widened",
    "condition lost",
    "condition loosened",
    "attribute added",
    "resource added",
    "resource removed",
}
OTHER = "other attributes"


def kind_of(type_: str, attribute: str) -> str:
    """The kind of a change of an attribute: by its own name first, then by its type's."""
    for text in (attribute, f"{type_}."):
        for kind, pattern in BY_ATTRIBUTE:
            if re.search(pattern, text):
                return kind
    return OTHER
