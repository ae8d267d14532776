"""PCI DSS 4.0.1: controls that infrastructure can implement, with the resources of both systems and the tests (P6.3).

`python -m payment_api.tables` writes docs/pci-dss.md from this. tests/payment_api/test_tables.py checks the types in
both synthesized configurations, and that the test files exist. Organizational controls (policies, training,
assessments) are not included.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control: resource types of the payment platform (Terraform) and the API (CloudFormation) that implement it."""

    id: str
    asks: str
    platform: tuple[str, ...]
    api: tuple[str, ...]
    tests: tuple[str, ...]
    """Files of tests that would notice its loss."""


NETWORK, EDGE = "tests/payment_api/test_network.py", "tests/payment_api/test_edge.py"
RUNTIME, DOCUMENTS = "tests/payment_api/test_runtime.py", "tests/payment_api/test_documents.py"
OF_PLATFORM, GROUPS, ACLS, KEYS = (
    "tests/unit/network/test_vpc.py",
    "tests/unit/network/test_security_groups.py",
    "tests/unit/network/test_network_acls.py",
    "tests/unit/test_keys.py",
)
TRAIL, TRAIL_BUCKET, TRAIL_ALARMS = (
    "tests/unit/account/test_audit_trail.py",
    "tests/unit/account/test_audit_bucket.py",
    "tests/unit/account/test_audit_alarms.py",
)
GUARDDUTY, AWS_CONFIG, SECURITY_HUB = (
    "tests/unit/account/test_guardduty.py",
    "tests/unit/account/test_aws_config.py",
    "tests/unit/account/test_security_hub.py",
)
LOG_GROUPS = "tests/platform/test_log_groups.py"

CONTROLS = (
    Control(
        id="1.2.5",
        asks="All services, protocols and ports allowed are identified and have a business need",
        platform=("aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"),
        api=("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"),
        tests=(GROUPS, NETWORK, EDGE),
    ),
    Control(
        id="1.3.1, 1.3.2",
        asks="Traffic to and from the cardholder data environment is restricted to what is necessary",
        platform=("aws_security_group", "aws_network_acl"),
        api=("AWS::EC2::SecurityGroup", "AWS::EC2::VPCEndpoint"),
        tests=(GROUPS, ACLS, NETWORK, RUNTIME),
    ),
    Control(
        id="1.4.1, 1.4.4",
        asks="Controls separate trusted and untrusted networks; stored data is not reachable from untrusted ones",
        platform=("aws_subnet", "aws_route_table", "aws_lb"),
        api=("AWS::EC2::Subnet", "AWS::EC2::RouteTable", "AWS::RDS::DBSubnetGroup"),
        tests=(OF_PLATFORM, NETWORK, RUNTIME),
    ),
    Control(
        id="2.2.1, 2.2.5",
        asks="Configuration standards are applied; only what is necessary is enabled",
        platform=("aws_default_security_group", "aws_config_config_rule", "aws_securityhub_standards_subscription"),
        api=("Custom::VpcRestrictDefaultSG", "AWS::EC2::Instance"),
        tests=(OF_PLATFORM, AWS_CONFIG, SECURITY_HUB, NETWORK, "tests/payment_api/test_checks.py"),
    ),
    Control(
        id="3.5.1, 3.6.1",
        asks="Stored account data is unreadable; keys are protected",
        platform=("aws_kms_key", "aws_s3_bucket_server_side_encryption_configuration"),
        api=("AWS::KMS::Key", "AWS::RDS::DBCluster", "AWS::S3::Bucket"),
        tests=(KEYS, DOCUMENTS, RUNTIME),
    ),
    Control(
        id="3.7.4",
        asks="Keys are changed at the end of their cryptoperiod",
        platform=("aws_kms_key",),
        api=("AWS::KMS::Key",),
        tests=(KEYS, DOCUMENTS),
    ),
    Control(
        id="4.2.1",
        asks="Strong cryptography protects account data in transit over open networks",
        platform=("aws_lb_listener",),
        api=("AWS::ElasticLoadBalancingV2::Listener", "AWS::ApiGateway::DomainName"),
        tests=(EDGE,),
    ),
    Control(
        id="6.4.2",
        asks="An automated technical solution detects and prevents web-based attacks",
        platform=("aws_wafv2_web_acl", "aws_wafv2_web_acl_association", "aws_wafv2_web_acl_logging_configuration"),
        api=("AWS::WAFv2::WebACL", "AWS::WAFv2::RuleGroup", "AWS::WAFv2::WebACLAssociation"),
        tests=("tests/unit/ingress/test_firewall.py", EDGE, "tests/payment_api/test_tables.py"),
    ),
    Control(
        id="7.2.1, 7.2.5",
        asks="Access is by least privilege, also of applications and systems",
        platform=("aws_iam_role_policy",),
        api=("AWS::IAM::Role", "AWS::IAM::Policy"),
        tests=("tests/iam/test_synthesized.py", RUNTIME),
    ),
    Control(
        id="8.3.2, 8.6.2",
        asks="Authentication factors are unreadable in storage; no password is in a script or a configuration",
        platform=("aws_secretsmanager_secret", "aws_secretsmanager_secret_version"),
        api=("AWS::SecretsManager::SecretTargetAttachment", "Custom::PreparedDatabase"),
        tests=("tests/unit/database/test_secrets.py", "tests/payment_api/test_environments.py", RUNTIME),
    ),
    Control(
        id="8.6.3",
        asks="Passwords of applications and systems are changed periodically",
        platform=("aws_secretsmanager_secret_rotation",),
        api=("AWS::SecretsManager::RotationSchedule",),
        tests=(
            "tests/unit/database/test_rotation.py",
            RUNTIME,
        ),
    ),
    Control(
        id="10.2.1",
        asks="Audit logs are active for all components and cardholder data",
        platform=("aws_cloudtrail", "aws_flow_log", "aws_wafv2_web_acl_logging_configuration"),
        api=("AWS::CloudTrail::Trail", "AWS::EC2::FlowLog", "AWS::WAFv2::LoggingConfiguration"),
        tests=(TRAIL, LOG_GROUPS, RUNTIME, EDGE),
    ),
    Control(
        id="10.2.1.2, 10.2.1.5, 10.2.1.6",
        asks="Actions of administrators, changes of credentials, and the stopping of audit logs are recorded",
        platform=("aws_cloudtrail", "aws_cloudwatch_log_metric_filter"),
        api=("AWS::CloudTrail::Trail",),
        tests=(TRAIL, TRAIL_ALARMS, RUNTIME),
    ),
    Control(
        id="10.3.2, 10.3.4",
        asks="Audit logs are protected from changes, and changes are noticed",
        platform=("aws_cloudtrail", "aws_s3_bucket_policy", "aws_s3_bucket_versioning"),
        api=("AWS::CloudTrail::Trail", "AWS::S3::BucketPolicy"),
        tests=(TRAIL, TRAIL_BUCKET, RUNTIME, DOCUMENTS),
    ),
    Control(
        id="10.5.1",
        asks="Audit logs are kept for at least 12 months",
        platform=("aws_s3_bucket_lifecycle_configuration",),
        api=("AWS::Logs::LogGroup",),
        tests=(TRAIL_BUCKET, RUNTIME, "tests/payments/test_audit_months.py"),
    ),
    Control(
        id="10.4.1.1",
        asks="Audit logs are reviewed by an automated mechanism",
        platform=("aws_cloudwatch_log_metric_filter", "aws_guardduty_detector", "aws_securityhub_account"),
        api=("AWS::CloudWatch::Alarm",),
        tests=(TRAIL_ALARMS, GUARDDUTY, SECURITY_HUB, RUNTIME),
    ),
    Control(
        id="10.7.2",
        asks="Failures of critical controls are detected and alerted",
        platform=("aws_cloudwatch_metric_alarm",),
        api=("AWS::CloudWatch::Alarm", "AWS::SNS::Topic"),
        tests=(RUNTIME,),
    ),
    Control(
        id="11.5.1",
        asks="Intrusions are detected and alerted",
        platform=("aws_guardduty_detector", "aws_guardduty_detector_feature"),
        api=("AWS::WAFv2::WebACL",),
        tests=(GUARDDUTY, EDGE),
    ),
    Control(
        id="12.10.1",
        asks="Incidents can be answered at once",
        platform=("aws_sns_topic",),
        api=("AWS::SNS::Topic", "AWS::CloudWatch::Dashboard"),
        tests=(RUNTIME,),
    ),
)
