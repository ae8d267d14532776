"""Resources of requests: a name, an id or a URL becomes the ARN that AWS authorizes (W8.4)."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.authorization.api import ApiRequest
from emulator.authorization.resources import authorized_resources

pytestmark = pytest.mark.requirement("W8.4")

ACCOUNT = "123456789012"
SERVICE = "service/main/web"
# Operation, parameters as sent, and the resource within the service, region and account.
CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "ecs:DescribeServices",
        {"cluster": "main", "services[0]": "web", "services[1]": "x"},
        [SERVICE, "service/main/x"],
    ),
    ("ecs:CreateService", {"cluster": "main", "serviceName": "web"}, [SERVICE]),
    (
        "ecs:DeleteService",
        {"cluster": "main", "service": f"arn:aws:ecs:us-east-2:{ACCOUNT}:service/main/web"},
        [SERVICE],
    ),
    ("ecs:UpdateService", {"service": "web"}, ["service/default/web"]),
    ("ecs:DescribeClusters", {"clusters[0]": "main"}, ["cluster/main"]),
    ("ecs:PutClusterCapacityProviders", {"cluster": "main"}, ["cluster/main"]),
    ("ecs:RegisterTaskDefinition", {"family": "web"}, ["task-definition/web:*"]),
    ("sqs:SetQueueAttributes", {"QueueUrl": f"https://sqs.us-east-2.amazonaws.com/{ACCOUNT}/jobs"}, ["jobs"]),
    ("events:PutTargets", {"Rule": "export", "EventBusName": "default"}, ["rule/export"]),
    ("states:CreateStateMachine", {"name": "export"}, ["stateMachine:export"]),
    ("logs:PutRetentionPolicy", {"logGroupName": "/web"}, ["log-group:/web:log-stream:"]),
    ("logs:GetDeliverySource", {"name": "edge"}, ["delivery-source:edge"]),
    ("logs:PutDeliveryDestination", {"name": "edge"}, ["delivery-destination:edge"]),
    (
        "logs:CreateDelivery",
        {
            "deliverySourceName": "edge",
            "deliveryDestinationArn": f"arn:aws:logs:us-east-2:{ACCOUNT}:delivery-destination:edge",
        },
        ["delivery:*", "delivery-source:edge", "delivery-destination:edge"],
    ),
    (
        "lambda:ListTags",
        {"Resource": f"arn:aws:lambda:us-east-2:{ACCOUNT}:event-source-mapping:1"},
        ["event-source-mapping:1"],
    ),
    (
        "cloudtrail:ListTags",
        {"ResourceIdList[0]": f"arn:aws:cloudtrail:us-east-2:{ACCOUNT}:trail/audit"},
        ["trail/audit"],
    ),
    ("cloudtrail:GetTrailStatus", {"Name": "audit"}, ["trail/audit"]),
    (
        "codedeploy:ListTagsForResource",
        {"ResourceArn": f"arn:aws:codedeploy:us-east-2:{ACCOUNT}:deploymentgroup:web/web"},
        ["deploymentgroup:web/web"],
    ),
    ("elasticloadbalancing:CreateTargetGroup", {"Name": "web-b", "VpcId": "vpc-1"}, ["targetgroup/web-b/*"]),
    ("elasticloadbalancing:CreateLoadBalancer", {"Name": "main"}, ["loadbalancer/app/main/*"]),
    ("ec2:DeleteSubnet", {"SubnetId": "subnet-1"}, ["subnet/subnet-1"]),
    (
        "backup:StartBackupJob",
        {"BackupVaultName": "backups", "ResourceArn": f"arn:aws:rds:us-east-2:{ACCOUNT}:cluster:one"},
        ["backup-vault:backups"],
    ),
    ("backup:ListRecoveryPointsByBackupVault", {"BackupVaultName": "backups"}, ["backup-vault:backups"]),
    (
        "backup:DeleteRecoveryPoint",
        {
            "BackupVaultName": "backups",
            "RecoveryPointArn": f"arn:aws:backup:us-east-2:{ACCOUNT}:recovery-point:one",
        },
        ["recovery-point:one"],
    ),
]


@pytest.mark.parametrize(("action", "parameters", "expected"), CASES)
def test_request_is_authorized_on_the_resources_that_it_names(
    action: str, parameters: dict[str, Any], expected: list[str]
) -> None:
    service, _, operation = action.partition(":")
    named = {key: value for key, value in parameters.items() if key.endswith(("Name", "Arn", "Id"))}
    request = ApiRequest(
        service=service,
        operation=operation,
        action=action,
        region="us-east-2",
        account=ACCOUNT,
        resource=named,
        parameters=parameters,
    )
    arns = [f"arn:aws:{service}:us-east-2:{ACCOUNT}:{one}" for one in expected]
    assert authorized_resources(request, action) == arns
