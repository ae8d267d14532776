"""IAM policy of the deploy role: IAM roles, the services that they are passed to, and KMS keys."""

from __future__ import annotations

from modules.delivery.permissions.grants import (
    BOUNDED,
    IMPLIED_BY_ANOTHER_CALL,
    NEW,
    NOT_ANOTHERS,
    OWN,
    TAGS,
    UPDATE_IN_PLACE,
    WITH_TAGS,
    Grant,
)

# Services that roles are passed to; tests hold it against the roles' trust.
PASSED_TO = (
    "backup.amazonaws.com",
    "codedeploy.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "events.amazonaws.com",
    "lambda.amazonaws.com",
    "monitoring.rds.amazonaws.com",
    "s3.amazonaws.com",
    "states.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
)
# Services that make a role of their own when they are first used in an account.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html
LINKED = (
    "ecs.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "rds.amazonaws.com",
    "rds.application-autoscaling.amazonaws.com",
    "replication.ecr.amazonaws.com",
    "restore-testing.backup.amazonaws.com",
    "wafv2.amazonaws.com",
)
# The services through which a deployment uses the platform's keys: they encrypt on behalf of the creating principal.
THROUGH = ("backup", "ecr", "rds", "s3", "secretsmanager")

SECURITY: tuple[Grant, ...] = (
    Grant(
        sid="Roles",
        service="iam",
        on=("arn:aws:iam::{account}:role/{own}",),
        rehearsed="DeleteRole GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole "
        "ListRolePolicies",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription",
            WITH_TAGS: "TagRole",
            TAGS: "UntagRole",
        },
    ),
    Grant(
        sid="BoundedRoles",
        service="iam",
        on=("arn:aws:iam::{account}:role/{own}",),
        rehearsed="CreateRole DeleteRolePolicy PutRolePolicy",
        unrehearsed={UPDATE_IN_PLACE: "PutRolePermissionsBoundary"},
        conditions=BOUNDED,
    ),
    Grant(
        sid="HandOverRoles",
        service="iam",
        on=("arn:aws:iam::{account}:role/{own}",),
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "PassRole"},
        conditions=(("StringEquals", "iam:PassedToService", PASSED_TO),),
    ),
    Grant(
        sid="RolesOfServices",
        service="iam",
        on=("arn:aws:iam::{account}:role/aws-service-role/*",),
        unrehearsed={"a service makes its own role when the account first uses it": "CreateServiceLinkedRole"},
        conditions=(("StringEquals", "iam:AWSServiceName", LINKED),),
    ),
    Grant(
        sid="SeeDelivery",
        service="iam",
        on=("arn:aws:iam::{account}:policy/{own}", "{identity_provider}"),
        rehearsed="GetOpenIDConnectProvider GetPolicy GetPolicyVersion ListPolicyVersions",
    ),
    Grant(
        sid="Keys",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        rehearsed="ScheduleKeyDeletion",
        unrehearsed={
            IMPLIED_BY_ANOTHER_CALL: "DeleteAlias",
            UPDATE_IN_PLACE: "UpdateKeyDescription",
            TAGS: "UntagResource",
        },
        conditions=OWN,
    ),
    Grant(
        sid="SeeKeys",  # and what is asked of a key as soon as it is made
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        rehearsed="DescribeKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus ListResourceTags",
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "CreateAlias"},
        conditions=NOT_ANOTHERS,
    ),
    Grant(sid="NewKeys", service="kms", rehearsed="CreateKey", conditions=NEW),
    Grant(
        sid="TagKeys",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unrehearsed={WITH_TAGS: "TagResource"},
        conditions=(*NEW, *NOT_ANOTHERS),
    ),
    Grant(
        sid="KeyNames",
        service="kms",
        on=("arn:aws:kms:*:{account}:alias/{own}",),
        rehearsed="CreateAlias DeleteAlias",
    ),
    Grant(sid="SeeKeyNames", service="kms", rehearsed="ListAliases"),
    Grant(
        sid="UseKeysThroughServices",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "CreateGrant Decrypt Encrypt GenerateDataKey* ReEncrypt* RetireGrant"},
        conditions=(
            *NOT_ANOTHERS,
            ("StringLike", "kms:ViaService", tuple(f"{one}.*.amazonaws.com" for one in THROUGH)),
        ),
    ),
)
