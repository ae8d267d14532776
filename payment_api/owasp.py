"""The OWASP Top 10, row by row: the rules of the web ACLs against it, and other controls (P2.1).

`python -m payment_api.tables` writes docs/payment-api-owasp.md from this. tests/payment_api/test_tables.py checks each
rule in the template: a row without its rule fails.
https://owasp.org/Top10/
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
        id="A01:2021",
        name="Broken Access Control",
        rules=(COMMON, "rate"),
        beyond="Mutual TLS and API keys for every method, no default endpoint; path traversal is blocked",
        resources=("AWS::ApiGateway::DomainName", "AWS::ApiGateway::UsagePlanKey"),
    ),
    Risk(
        id="A02:2021",
        name="Cryptographic Failures",
        rules=(COMMON,),
        beyond="TLS 1.2 or newer up to the task, customer-managed keys that rotate",
        resources=("AWS::KMS::Key", "AWS::ElasticLoadBalancingV2::TrustStore"),
    ),
    Risk(
        id="A03:2021",
        name="Injection",
        rules=("sql-injection", "cross-site-scripting", SQL, COMMON, LINUX),
        beyond="Requests are validated against models before they reach the service",
        resources=("AWS::ApiGateway::Model", "AWS::ApiGateway::RequestValidator"),
    ),
    Risk(
        id="A04:2021",
        name="Insecure Design",
        rules=("sizes", "rate"),
        beyond="Throttles, quotas, dead-letter queues, and a sizing that settings validate",
        resources=("AWS::ApiGateway::UsagePlan", "AWS::SQS::Queue"),
    ),
    Risk(
        id="A05:2021",
        name="Security Misconfiguration",
        rules=(COMMON, BAD_INPUTS),
        beyond="cdk-nag's packs, cfn-lint, CloudFormation's validation and checkov run before a deployment",
        resources=("Custom::VpcRestrictDefaultSG",),
    ),
    Risk(
        id="A06:2021",
        name="Vulnerable and Outdated Components",
        rules=(BAD_INPUTS, LINUX),
        beyond="Images by digest, functions from locked packages, automatic minor version upgrades of the database",
        resources=("AWS::ECS::TaskDefinition", "AWS::RDS::DBInstance"),
    ),
    Risk(
        id="A07:2021",
        name="Identification and Authentication Failures",
        rules=("rate", REPUTATION),
        beyond="Client certificates against a pinned trust store, IAM authentication at the database, rotation",
        resources=("AWS::ApiGateway::DomainName", "AWS::SecretsManager::RotationSchedule"),
    ),
    Risk(
        id="A08:2021",
        name="Software and Data Integrity Failures",
        rules=(BAD_INPUTS, COMMON),
        beyond="Deserialization attacks are blocked; versioned documents and validated log files",
        resources=("AWS::CloudTrail::Trail", "AWS::S3::Bucket"),
    ),
    Risk(
        id="A09:2021",
        name="Security Logging and Monitoring Failures",
        rules=("rate",),
        beyond="Web ACLs, gateway, load balancer, network and API calls are logged for seven years; alarms",
        resources=("AWS::WAFv2::LoggingConfiguration", "AWS::CloudTrail::Trail", "AWS::CloudWatch::Alarm"),
    ),
    Risk(
        id="A10:2021",
        name="Server-Side Request Forgery",
        rules=(COMMON, BAD_INPUTS),
        beyond="Tasks have no internet egress, functions only to the acquirer; IMDSv2 only",
        resources=("AWS::EC2::SecurityGroup", "AWS::EC2::VPCEndpoint"),
    ),
)
