"""IAM policy of the deploy role: Lambda, CloudWatch, EventBridge, SNS, SQS and Step Functions."""

from __future__ import annotations

from modules.delivery.permissions.grants import (
    IMPLIED_BY_ANOTHER_CALL,
    NOT_ANOTHERS,
    OTHER_SETTINGS,
    TAGS,
    UPDATE_IN_PLACE,
    WITH_TAGS,
    Grant,
)

OPERATIONS: tuple[Grant, ...] = (
    Grant(
        sid="Functions",
        service="lambda",
        on=("arn:aws:lambda:*:{account}:function:{own}", "arn:aws:lambda:*:{account}:function:{own}:*"),
        rehearsed="AddPermission CreateFunction DeleteFunction GetFunction GetFunctionCodeSigningConfig GetPolicy "
        "InvokeFunction ListTags ListVersionsByFunction PutFunctionConcurrency RemovePermission",
        unrehearsed={
            UPDATE_IN_PLACE: "DeleteFunctionConcurrency GetFunctionConfiguration UpdateFunctionCode "
            "UpdateFunctionConfiguration",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="NewEventSources",
        service="lambda",
        rehearsed="CreateEventSourceMapping",
        conditions=(("ArnLike", "lambda:FunctionArn", ("arn:aws:lambda:*:{account}:function:{own}",)),),
    ),
    Grant(
        sid="EventSources",
        service="lambda",
        on=("arn:aws:lambda:*:{account}:event-source-mapping:*",),  # known by ids
        rehearsed="DeleteEventSourceMapping GetEventSourceMapping ListTags",
        unrehearsed={UPDATE_IN_PLACE: "UpdateEventSourceMapping", WITH_TAGS: "TagResource", TAGS: "UntagResource"},
        conditions=NOT_ANOTHERS,
    ),
    Grant(
        sid="LogGroups",
        service="logs",
        on=(
            "arn:aws:logs:*:{account}:log-group:/{path}*",
            "arn:aws:logs:*:{account}:log-group:/aws/ecs/containerinsights/{own}/*",
            "arn:aws:logs:*:{account}:log-group:/aws/rds/cluster/{own}/*",
            "arn:aws:logs:*:{account}:log-group:RDSOSMetrics*",  # RDS's log group of enhanced monitoring
            "arn:aws:logs:*:{account}:log-group:/aws/vendedlogs/*/{path}*",
            "arn:aws:logs:*:{account}:log-group:aws-waf-logs-{path}*",
        ),
        rehearsed="CreateLogGroup DeleteLogGroup ListTagsForResource PutRetentionPolicy",
        unrehearsed={
            UPDATE_IN_PLACE: "AssociateKmsKey DeleteRetentionPolicy DisassociateKmsKey",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="LogDeliveries",
        service="logs",
        on=(
            "arn:aws:logs:*:{account}:delivery:*",  # known by ids
            "arn:aws:logs:*:{account}:delivery-destination:{own}",
            "arn:aws:logs:*:{account}:delivery-source:{own}",
        ),
        rehearsed="CreateDelivery DeleteDelivery DeleteDeliveryDestination DeleteDeliverySource GetDelivery "
        "GetDeliveryDestination GetDeliverySource ListTagsForResource PutDeliveryDestination PutDeliverySource",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateDeliveryConfiguration",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
        conditions=NOT_ANOTHERS,
    ),
    Grant(
        sid="SeeLogs",
        service="logs",
        rehearsed="DescribeLogGroups",
        unrehearsed={
            IMPLIED_BY_ANOTHER_CALL: "CreateLogDelivery DeleteLogDelivery DescribeResourcePolicies GetLogDelivery "
            "ListLogDeliveries PutResourcePolicy UpdateLogDelivery"
        },
    ),
    Grant(
        sid="Alarms",
        service="cloudwatch",
        on=("arn:aws:cloudwatch:*:{account}:alarm:{path}*",),
        rehearsed="DeleteAlarms ListTagsForResource PutCompositeAlarm PutMetricAlarm",
        unrehearsed={WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(
        sid="Dashboards",
        service="cloudwatch",
        on=("arn:aws:cloudwatch::{account}:dashboard/{own}",),
        rehearsed="DeleteDashboards GetDashboard PutDashboard",
    ),
    Grant(
        sid="ScalingAlarms",  # Application Auto Scaling manages them, on behalf of the caller that sets a target
        service="cloudwatch",
        on=(
            "arn:aws:cloudwatch:*:{account}:alarm:TargetTracking-cluster:{own}*",
            "arn:aws:cloudwatch:*:{account}:alarm:TargetTracking-service/{own}/{own}*",
        ),
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "DeleteAlarms PutMetricAlarm"},
    ),
    Grant(
        sid="SeeAlarms",  # AWS requires the action on all alarms, whichever are named
        service="cloudwatch",
        on=("arn:aws:cloudwatch:*:{account}:alarm:*",),
        rehearsed="DescribeAlarms",
    ),
    Grant(
        sid="Events",
        service="events",
        on=("arn:aws:events:*:{account}:rule/{own}",),
        rehearsed="DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule PutTargets RemoveTargets",
        unrehearsed={WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(
        sid="Topics",
        service="sns",
        on=("arn:aws:sns:*:{account}:{own}",),
        rehearsed="CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource SetTopicAttributes",
        unrehearsed={
            OTHER_SETTINGS: "Subscribe",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(sid="Subscriptions", service="sns", unrehearsed={OTHER_SETTINGS: "GetSubscriptionAttributes Unsubscribe"}),
    Grant(
        sid="Queues",
        service="sqs",
        on=("arn:aws:sqs:*:{account}:{own}",),
        rehearsed="CreateQueue DeleteQueue GetQueueAttributes ListQueueTags SetQueueAttributes",
        unrehearsed={WITH_TAGS: "TagQueue", TAGS: "UntagQueue"},
    ),
    Grant(
        sid="Workflows",
        service="states",
        on=("arn:aws:states:*:{account}:stateMachine:{own}",),
        rehearsed="CreateStateMachine DeleteStateMachine DescribeStateMachine ListStateMachineVersions "
        "ListTagsForResource",
        unrehearsed={UPDATE_IN_PLACE: "UpdateStateMachine", WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(sid="CheckWorkflows", service="states", rehearsed="ValidateStateMachineDefinition"),
)
