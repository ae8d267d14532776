"""IAM actions of an AWS API call, and its resources as far as its parameters name them.

A call and its action mostly have one name; where they do not, the names are here. Names and ARNs become the ARN that
AWS would authorize; resources with ids mostly stay unknown.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol


class Call(Protocol):
    """A call: ``service`` and ``operation`` as botocore's models name them, ``action`` the IAM action of that name.

    ``resource`` maps a parameter that names a resource to its name, id or ARN.
    """

    @property
    def service(self) -> str: ...  # noqa: D102
    @property
    def operation(self) -> str: ...  # noqa: D102
    @property
    def action(self) -> str: ...  # noqa: D102
    @property
    def region(self) -> str: ...  # noqa: D102
    @property
    def resource(self) -> Mapping[str, str | list[str]]: ...  # noqa: D102


# Calls that AWS allows any caller with credentials.
# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
WITHOUT_PERMISSION = {"sts:GetCallerIdentity"}

# Calls whose actions have other names. S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "cloudfront:CreateDistributionWithTags": ("cloudfront:CreateDistribution", "cloudfront:TagResource"),
    "lambda:Invoke": ("lambda:InvokeFunction",),
    "lambda:InvokeWithResponseStream": ("lambda:InvokeFunction",),
    "sns:PublishBatch": ("sns:Publish",),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    "sqs:ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
    "sqs:DeleteMessageBatch": ("sqs:DeleteMessage",),
    "sqs:SendMessageBatch": ("sqs:SendMessage",),
    "s3:CompleteMultipartUpload": ("s3:PutObject",),
    "s3:CopyObject": ("s3:PutObject",),
    "s3:CreateMultipartUpload": ("s3:PutObject",),
    "s3:DeleteBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:DeleteBucketLifecycle": ("s3:PutLifecycleConfiguration",),
    "s3:DeleteBucketOwnershipControls": ("s3:PutBucketOwnershipControls",),
    "s3:DeleteBucketReplication": ("s3:PutReplicationConfiguration",),
    "s3:DeleteBucketTagging": ("s3:PutBucketTagging",),
    "s3:DeleteObjects": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "s3:DeletePublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "s3:GetBucketAccelerateConfiguration": ("s3:GetAccelerateConfiguration",),
    "s3:GetBucketCors": ("s3:GetBucketCORS",),
    "s3:GetBucketEncryption": ("s3:GetEncryptionConfiguration",),
    "s3:GetBucketLifecycleConfiguration": ("s3:GetLifecycleConfiguration",),
    "s3:GetBucketNotificationConfiguration": ("s3:GetBucketNotification",),
    "s3:GetBucketReplication": ("s3:GetReplicationConfiguration",),
    "s3:GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
    "s3:GetPublicAccessBlock": ("s3:GetBucketPublicAccessBlock",),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:HeadObject": ("s3:GetObject",),
    "s3:ListBuckets": ("s3:ListAllMyBuckets",),
    "s3:ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "s3:ListObjectVersions": ("s3:ListBucketVersions",),
    "s3:ListObjects": ("s3:ListBucket",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:PutBucketEncryption": ("s3:PutEncryptionConfiguration",),
    "s3:PutBucketLifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "s3:PutBucketNotificationConfiguration": ("s3:PutBucketNotification",),
    "s3:PutBucketReplication": ("s3:PutReplicationConfiguration",),
    "s3:PutPublicAccessBlock": ("s3:PutBucketPublicAccessBlock",),
    "s3:UploadPart": ("s3:PutObject",),
}

# The resource of a call, by its service and the parameter that names it; {} is the parameter's value.
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "acm": {"CertificateArn": "{}"},
    "access-analyzer": {"analyzerName": "arn:aws:access-analyzer:{region}:{account}:analyzer/{}"},
    "application-autoscaling": {"ResourceARN": "{}"},
    "budgets": {
        "Budget.BudgetName": "arn:aws:budgets::{account}:budget/{}",
        "BudgetName": "arn:aws:budgets::{account}:budget/{}",
        "ResourceARN": "{}",
    },
    "cloudfront": {"Resource": "{}"},
    "cloudtrail": {"TrailName": "{}"},
    "cloudwatch": {
        "AlarmName": "arn:aws:cloudwatch:{region}:{account}:alarm:{}",
        "AlarmNames": "arn:aws:cloudwatch:{region}:{account}:alarm:{}",
        "DashboardName": "arn:aws:cloudwatch::{account}:dashboard/{}",
        "DashboardNames": "arn:aws:cloudwatch::{account}:dashboard/{}",
        "ResourceARN": "{}",
    },
    "ecr": {
        "repositoryName": "arn:aws:ecr:{region}:{account}:repository/{}",
        "repositoryNames": "arn:aws:ecr:{region}:{account}:repository/{}",
        "resourceArn": "{}",
    },
    "ecs": {"clusterName": "arn:aws:ecs:{region}:{account}:cluster/{}", "resourceArn": "{}"},
    "elasticloadbalancing": {
        "ListenerArn": "{}",
        "LoadBalancerArn": "{}",
        "RuleArn": "{}",
        "TargetGroupArn": "{}",
    },
    "events": {"Name": "arn:aws:events:{region}:{account}:rule/{}", "ResourceARN": "{}"},
    "kms": {"AliasName": "arn:aws:kms:{region}:{account}:{}"},
    "logs": {"logGroupName": "arn:aws:logs:{region}:{account}:log-group:{}"},
    "rds": {
        "DBClusterIdentifier": "arn:aws:rds:{region}:{account}:cluster:{}",
        "DBClusterParameterGroupName": "arn:aws:rds:{region}:{account}:cluster-pg:{}",
        "DBInstanceIdentifier": "arn:aws:rds:{region}:{account}:db:{}",
        "DBParameterGroupName": "arn:aws:rds:{region}:{account}:pg:{}",
        "DBSubnetGroupName": "arn:aws:rds:{region}:{account}:subgrp:{}",
        "GlobalClusterIdentifier": "arn:aws:rds::{account}:global-cluster:{}",
        "ResourceName": "{}",
    },
    "secretsmanager": {"SecretId": "{}"},
    "sns": {
        "Name": "arn:aws:sns:{region}:{account}:{}",
        "ResourceArn": "{}",
        "TopicArn": "{}",
    },
    "sqs": {"QueueName": "arn:aws:sqs:{region}:{account}:{}"},
    "states": {"resourceArn": "{}", "stateMachineArn": "{}"},
    "wafv2": {"ResourceArn": "{}", "ResourceARN": "{}", "WebACLArn": "{}"},
}


def actions_of(call: Call) -> tuple[str, ...]:
    """The actions that a call needs; none if any caller may make it."""
    if call.action in WITHOUT_PERMISSION:
        return ()
    if call.service == "s3control":
        return (f"s3:{'Get' if call.operation.startswith('Get') else 'Put'}AccountPublicAccessBlock",)
    if call.service == "budgets" and "Tag" not in call.operation:
        # https://docs.aws.amazon.com/cost-management/latest/userguide/billing-permissions-ref.html
        return (f"budgets:{'View' if call.operation.startswith('Describe') else 'Modify'}Budget",)
    return ACTIONS.get(call.action, (call.action,))


def resources_of(call: Call, account_id: str) -> list[str]:
    """The ARNs of a call's resources; empty where its parameters do not name them."""
    service = call.action.partition(":")[0]
    if special := SPECIAL.get(service):
        found = list(special(call))
    else:
        known = PARAMETERS.get(service, {})
        found = [pattern.format(one, region="{region}", account="{account}") for pattern, one in _named(call, known)]
    arns = [one.format(region=call.region, account=account_id) for one in found]
    return [arn for arn in arns if arn.startswith("arn:")]


def context_of(call: Call, account_id: str) -> dict[str, str]:
    """The condition keys that the parameters give: where, and of an event source for which function."""
    context = {"aws:RequestedRegion": call.region}
    if call.operation == "CreateEventSourceMapping":
        name = call.resource["FunctionName"]
        context["lambda:FunctionArn"] = f"arn:aws:lambda:{call.region}:{account_id}:function:{name}"
    return context


def _named(call: Call, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, pattern in known.items():
        value = call.resource.get(name, [])
        yield from ((pattern, one) for one in ([value] if isinstance(value, str) else value) if one)


def _of_s3(call: Call) -> Iterator[str]:
    bucket, key = call.resource.get("Bucket"), call.resource.get("Key")
    if call.operation == "DeleteObjects":
        key = "*"
    if bucket:
        yield f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


def _of_codedeploy(call: Call) -> Iterator[str]:
    """The deployment group if one is named: application and configuration are then not the resource."""
    named = call.resource
    place = "arn:aws:codedeploy:{region}:{account}"
    if group := named.get("deploymentGroupName"):
        yield f"{place}:deploymentgroup:{named['applicationName']}/{group}"
    elif application := named.get("applicationName"):
        yield f"{place}:application:{application}"
    elif config := named.get("deploymentConfigName"):
        yield f"{place}:deploymentconfig:{config}"


def _of_iam(call: Call) -> Iterator[str]:
    """The role if one is named: the policy that is attached to it is then a condition."""
    named = call.resource
    if role := named.get("RoleName"):
        yield f"arn:aws:iam::{{account}}:role/{role}"
    else:
        yield from (str(named[key]) for key in ("PolicyArn", "OpenIDConnectProviderArn") if key in named)


def _of_lambda(call: Call) -> Iterator[str]:
    if call.operation == "CreateEventSourceMapping":
        return  # the function is a condition there, and no resource
    if name := call.resource.get("FunctionName"):
        yield str(name) if str(name).startswith("arn:") else f"arn:aws:lambda:{{region}}:{{account}}:function:{name}"


def _of_backup(call: Call) -> Iterator[str]:
    """A recovery point by its own ARN, whichever vault it is in; to make one is authorized on the vault."""
    points = [one for _, one in _named(call, {"RecoveryPointArn": "{}"})]
    if points:
        yield from points
        return
    known = {
        "BackupVaultName": "arn:aws:backup:{region}:{account}:backup-vault:{}",
        "RestoreTestingPlanName": "arn:aws:backup:{region}:{account}:restore-testing-plan:{}",
        **({} if call.operation == "StartBackupJob" else {"ResourceArn": "{}"}),
    }
    yield from (pattern.format(one, region="{region}", account="{account}") for pattern, one in _named(call, known))


SPECIAL: Mapping[str, Callable[[Call], Iterator[str]]] = {
    "backup": _of_backup,
    "codedeploy": _of_codedeploy,
    "iam": _of_iam,
    "lambda": _of_lambda,
    "s3": _of_s3,
}
