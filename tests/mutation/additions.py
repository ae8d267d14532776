"""What somebody might add: attributes that weaken what has them, and whole resources that open a way in.

Attributes from the provider's and CloudFormation's schemas; each is one that its type does not have today.
"""

from __future__ import annotations

from typing import Any

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
# Terraform's meta-arguments, of every resource.
META = {
    "lifecycle": {"ignore_changes": "all"},
    "count": 0,
    "provisioner": {"local-exec": {"command": "true"}},
}
TERRAFORM: dict[str, dict[str, Any]] = {
    "aws_s3_bucket": {"acl": "public-read", "force_destroy": True},
    "aws_rds_cluster_instance": {"publicly_accessible": True, "ca_cert_identifier": "rds-ca-2019"},
    "aws_rds_cluster": {"snapshot_identifier": "another", "enable_http_endpoint": True, "backtrack_window": 1},
    "aws_lambda_function": {"layers": ["arn:aws:lambda:us-east-2:999999999999:layer:x:1"], "skip_destroy": True},
    "aws_sqs_queue": {"policy": '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}'},
    "aws_sns_topic": {"policy": '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sns:*","Resource":"*"}]}'},
    "aws_kms_key": {"bypass_policy_lockout_safety_check": True, "is_enabled": False},
    "aws_iam_role": {"managed_policy_arns": [ADMINISTRATOR], "max_session_duration": 1},
    "aws_subnet": {"map_public_ip_on_launch": True, "assign_ipv6_address_on_creation": True},
    "aws_vpc": {"assign_generated_ipv6_cidr_block": True, "enable_network_address_usage_metrics": True},
    "aws_vpc_security_group_ingress_rule": {"cidr_ipv6": "::/0"},
    "aws_vpc_security_group_egress_rule": {"cidr_ipv6": "::/0"},
    "aws_security_group": {"ingress": [{"cidr_blocks": ["0.0.0.0/0"], "from_port": 0, "to_port": 0, "protocol": "-1"}]},
    "aws_ecs_service": {"enable_execute_command": True},
    "aws_ecr_repository": {"force_delete": True},
    "aws_secretsmanager_secret": {"force_overwrite_replica_secret": True},
    "aws_cloudtrail": {"is_organization_trail": True, "enable_logging": False},
    "aws_cloudwatch_metric_alarm": {"actions_enabled": False, "threshold_metric_id": "another"},
    "aws_cloudwatch_log_group": {"log_group_class": "INFREQUENT_ACCESS", "skip_destroy": True},
    "aws_lb": {"xff_header_processing_mode": "preserve", "preserve_host_header": True},
    "aws_lb_listener": {"alpn_policy": "None"},
    "aws_cloudfront_distribution": {"viewer_mtls_config": {"mode": "optional"}, "retain_on_delete": True},
    "aws_wafv2_web_acl": {"token_domains": ["attacker.example"]},
    "aws_backup_vault": {"force_destroy": True},
    "aws_vpc_endpoint": {"private_dns_enabled": False, "auto_accept": True},
    "aws_route": {"destination_ipv6_cidr_block": "::/0"},
    "aws_network_acl": {"ingress": [{"action": "allow", "cidr_block": "0.0.0.0/0", "from_port": 0, "to_port": 0}]},
    "aws_db_subnet_group": {"name_prefix": "another"},
}
TEMPLATE: dict[str, dict[str, Any]] = {
    "AWS::S3::Bucket": {"AccessControl": "PublicRead", "WebsiteConfiguration": {"IndexDocument": "index.html"}},
    "AWS::RDS::DBInstance": {"PubliclyAccessible": True, "CACertificateIdentifier": "rds-ca-2019"},
    "AWS::RDS::DBCluster": {"EnableHttpEndpoint": True, "SnapshotIdentifier": "another"},
    "AWS::Lambda::Function": {"Layers": ["arn:aws:lambda:ap-southeast-1:999999999999:layer:x:1"]},
    "AWS::IAM::Role": {"ManagedPolicyArns": [ADMINISTRATOR]},
    "AWS::KMS::Key": {"BypassPolicyLockoutSafetyCheck": True, "Enabled": False},
    "AWS::EC2::Subnet": {"MapPublicIpOnLaunch": True},
    "AWS::EC2::Instance": {"KeyName": "another"},
    "AWS::EC2::SecurityGroup": {"SecurityGroupIngress": [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]},
    "AWS::EC2::SecurityGroupIngress": {"CidrIpv6": "::/0"},
    "AWS::ECS::Service": {"EnableExecuteCommand": True},
    "AWS::CloudWatch::Alarm": {"ActionsEnabled": False},
    "AWS::ApiGateway::RestApi": {"Policy": {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]}},
    "AWS::ApiGateway::DomainName": {"OwnershipVerificationCertificateArn": "another"},
    "AWS::CloudTrail::Trail": {"AdvancedEventSelectors": []},
    "AWS::SQS::Queue": {"DelaySeconds": 900},
    "AWS::Logs::LogGroup": {"LogGroupClass": "INFREQUENT_ACCESS"},
}
OPEN = {"ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0", "security_group_id": "sg-0123456789abcdef0"}
ANYBODY = {"function_name": "payments", "action": "lambda:InvokeFunction", "principal": "*", "statement_id": "added"}
READABLE = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::x/*"}]}'
NOTHING_BLOCKED = {"bucket": "another", "block_public_acls": False, "block_public_policy": False}
TERRAFORM_RESOURCES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("aws_iam_access_key", {"user": "another"}),
    ("aws_iam_user", {"name": "another"}),
    (
        "aws_iam_user_policy_attachment",
        {"user": "another", "policy_arn": ADMINISTRATOR},
    ),
    ("aws_iam_role", {"name": "another", "assume_role_policy": READABLE}),
    ("aws_iam_role_policy_attachment", {"role": "x", "policy_arn": ADMINISTRATOR}),
    ("aws_vpc_security_group_ingress_rule", OPEN),
    ("aws_vpc_security_group_egress_rule", OPEN),
    ("aws_security_group_rule", {**OPEN, "type": "ingress"}),
    ("aws_lambda_function_url", {"function_name": "payments", "authorization_type": "NONE"}),
    ("aws_lambda_permission", ANYBODY),
    ("aws_s3_bucket_policy", {"bucket": "another", "policy": READABLE}),
    ("aws_s3_bucket_public_access_block", NOTHING_BLOCKED),
    ("aws_s3_bucket_acl", {"bucket": "another", "acl": "public-read"}),
    ("aws_s3_bucket", {"bucket": "another"}),
    (
        "aws_kms_grant",
        {"key_id": "x", "grantee_principal": "*", "operations": ["Decrypt"]},
    ),
    ("aws_route", {"route_table_id": "x", "destination_cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}),
    ("aws_network_acl_rule", {"network_acl_id": "x", "rule_number": 1, "rule_action": "allow", "protocol": "-1"}),
    ("aws_ssm_parameter", {"name": "x", "type": "String", "value": "hunter2"}),
    ("aws_secretsmanager_secret_policy", {"secret_arn": "x", "policy": READABLE}),
    ("aws_sqs_queue", {"name": "another"}),
    ("aws_db_instance", {"identifier": "another", "publicly_accessible": True}),
    ("aws_instance", {"ami": "ami-1", "instance_type": "t3.micro"}),
    ("aws_db_snapshot_copy", {"source_db_snapshot_identifier": "x", "shared_accounts": ["all"]}),
    ("aws_route53_record", {"zone_id": "x", "name": "another", "type": "A", "ttl": 60, "records": ["198.51.100.1"]}),
    ("null_resource", {"provisioner": {"local-exec": {"command": "true"}}}),
)
TEMPLATE_RESOURCES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("AWS::IAM::AccessKey", {"UserName": "another"}),
    ("AWS::IAM::User", {"UserName": "another"}),
    ("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Statement": []}}),
    ("AWS::IAM::Policy", {"PolicyName": "x", "PolicyDocument": {"Statement": []}, "Roles": []}),
    ("AWS::EC2::SecurityGroupIngress", {"GroupId": "sg-1", "IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}),
    ("AWS::EC2::SecurityGroupEgress", {"GroupId": "sg-1", "IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}),
    ("AWS::Lambda::Url", {"TargetFunctionArn": "payments", "AuthType": "NONE"}),
    ("AWS::Lambda::Permission", {"FunctionName": "payments", "Action": "lambda:InvokeFunction", "Principal": "*"}),
    ("AWS::S3::Bucket", {"BucketName": "another"}),
    ("AWS::S3::BucketPolicy", {"Bucket": "another", "PolicyDocument": {"Statement": []}}),
    ("AWS::EC2::Route", {"RouteTableId": "x", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}),
    ("AWS::ApiGateway::Method", {"HttpMethod": "DELETE", "AuthorizationType": "NONE"}),
    ("AWS::ApiGateway::ApiKey", {"Enabled": True}),
    ("AWS::SQS::Queue", {"QueueName": "another"}),
    ("AWS::EC2::Instance", {"ImageId": "ami-1"}),
    ("AWS::SSM::Parameter", {"Type": "String", "Value": "hunter2"}),
)
