"""The deployed payment API, read back by AWS's own APIs.

What the local AWS only echoes is proved by the template's tests; docs/local-aws-payment-api.md says which that is.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.conftest import Client, Outputs

AUDIT_DAYS = 2557


@pytest.mark.requirement("P6.1")
def test_outputs_have_the_endpoints_of_the_stack(outputs: Outputs) -> None:
    assert outputs["AlbDnsName"].endswith(".amazonaws.com")
    assert outputs["ApiEndpoint"].startswith("https://")
    assert outputs["DashboardName"] in outputs["DashboardUrl"]


@pytest.mark.requirement("P6.1")
def test_every_resource_of_the_templates_exists(outputs: Outputs, client: Client) -> None:
    """An emulator may say that a stack is complete when it made nothing of it."""
    stack = _stack_of(client, outputs)
    template = client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    assert template["Resources"]
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    found = {one["LogicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}
    assert found >= set(template["Resources"])


def _stack_of(client: Client, outputs: Outputs) -> str:
    """The stack that put out the VPC."""
    own = {"OutputKey": "VpcId", "OutputValue": outputs["VpcId"]}
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    (found,) = [one for one in stacks if any(own.items() <= put.items() for put in one.get("Outputs", []))]
    return str(found["StackName"])


def _of_vpc(outputs: Outputs) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [outputs["VpcId"]]}]


@pytest.mark.requirement("P1.1")
def test_three_zones_have_three_tiers_with_own_route_tables(outputs: Outputs, client: Client) -> None:
    ec2 = client("ec2")
    subnets = ec2.describe_subnets(Filters=_of_vpc(outputs))["Subnets"]
    assert len(subnets) == 9
    assert len({one["AvailabilityZone"] for one in subnets}) == 3
    tables = ec2.describe_route_tables(Filters=_of_vpc(outputs))["RouteTables"]
    own = [a["SubnetId"] for table in tables for a in table["Associations"] if a.get("SubnetId")]
    assert sorted(own) == sorted(one["SubnetId"] for one in subnets)


@pytest.mark.requirement("P1.1")
def test_one_nat_instance_a_zone_forwards(outputs: Outputs, client: Client) -> None:
    reservations = client("ec2").describe_instances(Filters=_of_vpc(outputs))["Reservations"]
    instances = [
        one for reservation in reservations for one in reservation["Instances"] if one["State"]["Name"] == "running"
    ]
    assert len({one["Placement"]["AvailabilityZone"] for one in instances}) == len(instances) == 3
    assert not any(one["SourceDestCheck"] for one in instances)


@pytest.mark.requirement("P1.2")
def test_endpoints_are_there(outputs: Outputs, client: Client) -> None:
    found = client("ec2").describe_vpc_endpoints(Filters=_of_vpc(outputs))["VpcEndpoints"]
    services = {one["ServiceName"].partition(f"{outputs['Region']}.")[2] for one in found}
    assert services >= {"s3", "dynamodb", "ecr.api", "ecr.dkr", "secretsmanager", "logs", "sqs", "apigateway"}


@pytest.mark.requirement("P1.3")
def test_the_default_group_is_closed(outputs: Outputs, client: Client) -> None:
    groups = client("ec2").describe_security_groups(Filters=_of_vpc(outputs))["SecurityGroups"]
    (default,) = [one for one in groups if one["GroupName"] == "default"]
    assert (default["IpPermissions"], default["IpPermissionsEgress"]) == ([], [])


@pytest.mark.requirement("P1.3", "P3.1")
def test_the_service_is_in_private_subnets(outputs: Outputs, client: Client) -> None:
    (service,) = client("ecs").describe_services(cluster=outputs["ClusterName"], services=[outputs["ServiceName"]])[
        "services"
    ]
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "DISABLED"
    subnets = client("ec2").describe_subnets(SubnetIds=network["subnets"])["Subnets"]
    names = {tag["Value"] for one in subnets for tag in one["Tags"] if tag["Key"] == "aws-cdk:subnet-name"}
    assert names == {"private"}


@pytest.mark.requirement("P3.1")
def test_scaling_is_at_70_and_80_percent(outputs: Outputs, client: Client) -> None:
    """Echoed by the local AWS."""
    policies = client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId=f"service/{outputs['ClusterName']}/{outputs['ServiceName']}"
    )["ScalingPolicies"]
    assert sorted(one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for one in policies) == [70.0, 80.0]


@pytest.mark.requirement("P2.1")
def test_the_load_balancer_is_public_and_behind_the_firewall(outputs: Outputs, client: Client) -> None:
    balancers = client("elbv2").describe_load_balancers()["LoadBalancers"]
    (balancer,) = [one for one in balancers if one["DNSName"] == outputs["AlbDnsName"]]
    assert (balancer["Scheme"], balancer["Type"]) == ("internet-facing", "application")
    acl = client("wafv2").get_web_acl_for_resource(ResourceArn=balancer["LoadBalancerArn"])["WebACL"]
    assert acl["ARN"] == outputs["LoadBalancerWebAclArn"]
    groups = [one for one in acl["Rules"] if "RuleGroupReferenceStatement" in one["Statement"]]
    assert len(groups) == 3


@pytest.mark.requirement("P2.2")
def test_gateway_requires_certificates_and_keys_and_throttles(outputs: Outputs, client: Client) -> None:
    gateway = client("apigateway")
    name = outputs["ApiEndpoint"].removeprefix("https://")
    domain = gateway.get_domain_name(domainName=name)
    assert domain["mutualTlsAuthentication"]["truststoreVersion"]
    assert gateway.get_rest_api(restApiId=outputs["RestApiId"])["disableExecuteApiEndpoint"] is True
    stage = gateway.get_stage(restApiId=outputs["RestApiId"], stageName=outputs["StageName"])
    assert stage["methodSettings"]["*/*"]["throttlingRateLimit"] == 1000
    plan = gateway.get_usage_plan(usagePlanId=outputs["UsagePlanId"])
    assert plan["throttle"]["rateLimit"] == 1000
    assert gateway.get_usage_plan_keys(usagePlanId=outputs["UsagePlanId"])["items"]


@pytest.mark.requirement("P3.2")
def test_dead_letters_have_a_queue(outputs: Outputs, client: Client) -> None:
    queue = client("sqs").get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["All"])["Attributes"]
    dead = client("sqs").get_queue_attributes(QueueUrl=outputs["DeadLetterQueueUrl"], AttributeNames=["All"])
    assert json.loads(queue["RedrivePolicy"])["deadLetterTargetArn"] == dead["Attributes"]["QueueArn"]
    assert "KmsMasterKeyId" in queue
    (source,) = client("lambda").list_event_source_mappings(FunctionName=outputs["ProcessingFunctionName"])[
        "EventSourceMappings"
    ]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.requirement("P4.1", "P4.2")
def test_the_database_has_a_writer_and_two_readers_and_iam(outputs: Outputs, client: Client) -> None:
    (cluster,) = client("rds").describe_db_clusters(DBClusterIdentifier=outputs["DatabaseClusterId"])["DBClusters"]
    assert sorted(one["IsClusterWriter"] for one in cluster["DBClusterMembers"]) == [False, False, True]
    assert cluster["IAMDatabaseAuthenticationEnabled"] is True
    assert cluster["StorageEncrypted"] is True


@pytest.mark.requirement("P4.3")
def test_a_document_is_versioned_private_and_replicated(outputs: Outputs, client: Client) -> None:
    s3, bucket = client("s3"), outputs["DocumentsBucketName"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    (replication,) = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
    assert replication["Destination"]["Bucket"] != f"arn:aws:s3:::{bucket}"


@pytest.mark.requirement("P4.4")
def test_the_keys_rotate(outputs: Outputs, client: Client) -> None:
    kms = client("kms")
    own = [
        one
        for one in kms.list_aliases(Limit=100)["Aliases"]
        if f"/{outputs['EnvironmentSuffix']}/" in one["AliasName"] and not one["AliasName"].startswith("alias/aws/")
    ]
    assert len(own) == 5
    assert all(kms.get_key_rotation_status(KeyId=one["TargetKeyId"])["KeyRotationEnabled"] for one in own)


@pytest.mark.requirement("P5.1")
def test_the_dashboard_is_there(outputs: Outputs, client: Client) -> None:
    body = client("cloudwatch").get_dashboard(DashboardName=outputs["DashboardName"])["DashboardBody"]
    assert "PaymentProcessingTime" in body
    assert "success rate" in body


@pytest.mark.requirement("P5.2")
def test_audit_logs_are_kept_for_seven_years(outputs: Outputs, client: Client) -> None:
    groups = client("logs").get_paginator("describe_log_groups").paginate()
    kept = {one["logGroupName"]: one.get("retentionInDays") for page in groups for one in page["logGroups"]}
    own = {name: days for name, days in kept.items() if outputs["EnvironmentSuffix"] in name}
    assert sum(days == AUDIT_DAYS for days in own.values()) == 6
    assert None not in own.values()
    assert client("cloudtrail").get_trail_status(Name=outputs["TrailName"])["IsLogging"] is True
