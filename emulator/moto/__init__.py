"""Additions to moto that the stack needs: one file for each service.

Rules for an addition (docs/local-aws.md has the reasons):

- it stores requests and returns what was stored;
- it answers an unknown id with the service's own error;
- it never returns a constant only to make a second plan empty.
"""

from __future__ import annotations

import importlib

SERVICES = (
    "accessanalyzer",
    "acm",
    "applicationautoscaling",
    "awslambda",
    "backup",
    "bucket_policies",
    "budgets",
    "cloudfront",
    "cloudfront_functions",
    "cloudfront_policies",
    "cloudtrail",
    "cloudwatch",
    "codedeploy",
    "codedeploy_configurations",
    "ec2",
    "ec2_in_use",
    "ecs",
    "elbv2",
    "events",
    "guardduty",
    "iam",
    "kms",
    "log_deliveries",
    "metric_filters",
    "network_acls",
    "rds",
    "rds_exports",
    "rds_global",
    "rds_in_use",
    "rds_servers",
    "recovery_points",
    "route53",
    "s3",
    "secretsmanager",
    "securityhub",
    "sqs",
    "stepfunctions",
    "wafv2",
)
"""The modules here that change moto when they are imported."""


def install() -> None:
    """Add all of it to moto, in this process. A second call does nothing."""
    for service in SERVICES:
        importlib.import_module(f"{__name__}.{service}")
