"""The OWASP Top 10, row by row: the rules of the web ACLs against it, and other controls (P2.1).

`python -m payment_api.tables` writes docs/payment-api-owasp.md from this. tests/payment_api/test_tables.py checks each
rule in the template: a row without its rule fails.
https://owasp.org/Top10/2025/
"""

from __future__ import annotations

from dataclasses import dataclass

COMMON, BAD_INPUTS = "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"
SQL, LINUX, REPUTATION = (
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesLinuxRuleSet",
    "AWSManagedRulesAmazonIpReputationList",
)


@dataclass(frozen=True, kw_only=True)
class Risk:
    """A row of the Top 10: rules of each web ACL that block it, and controls other than the web ACLs."""

    id: str
    name: str
    rules: tuple[str, ...]
    beyond: str
    resources: tuple[str, ...]
    """Resource types of the controls other than the web ACLs."""


TOP_10 = (
    Risk(
        id="A01:2025",
        name="Broken Access Control",
        rules=(COMMON, BAD_INPUTS, "rate"),
        beyond="Every route requires a scope of a merchant's key, with a certificate of the same merchant that the "
        "door has verified; rows are kept apart by merchant; no egress for requests that a server is made to send",
        resources=("AWS::ApiGateway::Authorizer", "AWS::ElasticLoadBalancingV2::TrustStore", "AWS::EC2::SecurityGroup"),
    ),
    Risk(
        id="A02:2025",
        name="Security Misconfiguration",
        rules=(COMMON, BAD_INPUTS, LINUX),
        beyond="cdk-nag's packs, cfn-lint, CloudFormation's validation and checkov run before a deployment",
        resources=("Custom::VpcRestrictDefaultSG",),
    ),
    Risk(
        id="A03:2025",
        name="Software Supply Chain Failures",
        rules=(BAD_INPUTS,),
        beyond="Images by digest, functions from locked packages, automatic minor version upgrades of the database",
        resources=("AWS::ECS::TaskDefinition", "AWS::RDS::DBInstance"),
    ),
    Risk(
        id="A04:2025",
        name="Cryptographic Failures",
        rules=(COMMON,),
        beyond="TLS 1.2 or newer up to the task, customer-managed keys that rotate",
        resources=("AWS::KMS::Key", "AWS::ElasticLoadBalancingV2::TrustStore"),
    ),
    Risk(
        id="A05:2025",
        name="Injection",
        rules=("sql-injection", "cross-site-scripting", SQL, COMMON, LINUX),
        beyond="Requests are validated against models before they reach the service",
        resources=("AWS::ApiGateway::Model", "AWS::ApiGateway::RequestValidator"),
    ),
    Risk(
        id="A06:2025",
        name="Insecure Design",
        rules=("sizes", "rate"),
        beyond="Throttles, quotas, dead-letter queues, and a sizing that settings validate",
        resources=("AWS::ApiGateway::UsagePlan", "AWS::SQS::Queue"),
    ),
    Risk(
        id="A07:2025",
        name="Authentication Failures",
        rules=("rate", REPUTATION),
        beyond="Client certificates against a pinned trust store, IAM authentication at the database, rotation",
        resources=("AWS::ApiGateway::DomainName", "AWS::SecretsManager::RotationSchedule"),
    ),
    Risk(
        id="A08:2025",
        name="Software or Data Integrity Failures",
        rules=(BAD_INPUTS, COMMON),
        beyond="Deserialization attacks are blocked; versioned documents and validated log files",
        resources=("AWS::CloudTrail::Trail", "AWS::S3::Bucket"),
    ),
    Risk(
        id="A09:2025",
        name="Security Logging and Alerting Failures",
        rules=("rate", REPUTATION, BAD_INPUTS),
        beyond="Web ACLs, gateway, load balancer, network and API calls are logged for seven years; alarms",
        resources=("AWS::WAFv2::LoggingConfiguration", "AWS::CloudTrail::Trail", "AWS::CloudWatch::Alarm"),
    ),
    Risk(
        id="A10:2025",
        name="Mishandling of Exceptional Conditions",
        rules=("sizes", "total-rate"),
        beyond="A part of a request that is too large to inspect is blocked; messages that fail are kept, and told of; "
        "a deployment that fails is rolled back",
        resources=("AWS::SQS::Queue", "AWS::CloudWatch::Alarm", "AWS::ECS::Service"),
    ),
)
