"""IAM policy of the deploy role: load balancers, ECS, CodeDeploy, ECR and Application Auto Scaling."""

from __future__ import annotations

from modules.delivery.permissions.grants import (
    IMPLIED_BY_ANOTHER_CALL,
    NOT_ANOTHERS,
    RELEASE,
    TAGS,
    UPDATE_IN_PLACE,
    WITH_TAGS,
    Grant,
)

CONTAINERS: tuple[Grant, ...] = (
    Grant(
        sid="SeeLoadBalancers",
        service="elasticloadbalancing",
        rehearsed="DescribeCapacityReservation DescribeListenerAttributes DescribeListeners "
        "DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeRules DescribeTags DescribeTargetGroupAttributes "
        "DescribeTargetGroups",
    ),
    Grant(
        sid="LoadBalancers",
        service="elasticloadbalancing",
        on=tuple(
            f"arn:aws:elasticloadbalancing:*:{{account}}:{kind}/{{own}}/*"
            for kind in ("listener/app", "listener-rule/app", "loadbalancer/app", "targetgroup")
        ),
        rehearsed="CreateListener CreateLoadBalancer CreateRule CreateTargetGroup DeleteListener DeleteLoadBalancer "
        "DeleteRule DeleteTargetGroup ModifyLoadBalancerAttributes ModifyTargetGroupAttributes",
        unrehearsed={
            UPDATE_IN_PLACE: "ModifyListener ModifyListenerAttributes ModifyRule ModifyTargetGroup SetSecurityGroups "
            "SetSubnets",
            WITH_TAGS: "AddTags",
            TAGS: "RemoveTags",
        },
    ),
    Grant(
        sid="ProtectLoadBalancers",
        service="elasticloadbalancing",
        on=("arn:aws:elasticloadbalancing:*:{account}:loadbalancer/app/{own}/*",),
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "CreateWebACLAssociation DeleteWebACLAssociation GetLoadBalancerWebACL"},
    ),
    Grant(sid="ProtectAny", service="elasticloadbalancing", unrehearsed={IMPLIED_BY_ANOTHER_CALL: "SetWebAcl"}),
    Grant(
        sid="OrderRules",
        service="elasticloadbalancing",
        unrehearsed={UPDATE_IN_PLACE: "SetRulePriorities"},
        on=("arn:aws:elasticloadbalancing:*:{account}:listener-rule/app/{own}/*",),
    ),
    Grant(
        sid="SeeTasks",
        service="ecs",
        rehearsed="DeregisterTaskDefinition DescribeTaskDefinition ListTaskDefinitions",
        unrehearsed={"a destruction forgets the revisions that releases made": "ListTaskDefinitionFamilies"},
    ),
    Grant(
        sid="Containers",
        service="ecs",
        on=(
            "arn:aws:ecs:*:{account}:cluster/{own}",
            "arn:aws:ecs:*:{account}:service/{own}/{own}",
            "arn:aws:ecs:*:{account}:task-definition/{own}:*",
        ),
        rehearsed="CreateCluster CreateService DeleteCluster DeleteService DescribeClusters DescribeServices "
        "PutClusterCapacityProviders RegisterTaskDefinition UpdateService",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateCluster UpdateClusterSettings",
            WITH_TAGS: "TagResource",
            TAGS: "ListTagsForResource UntagResource",
        },
    ),
    Grant(
        sid="Releases",
        service="codedeploy",
        on=(
            "arn:aws:codedeploy:*:{account}:application:{own}",
            "arn:aws:codedeploy:*:{account}:deploymentconfig:{own}",
            "arn:aws:codedeploy:*:{account}:deploymentgroup:{own}/{own}",
        ),
        rehearsed="CreateApplication CreateDeployment CreateDeploymentConfig CreateDeploymentGroup DeleteApplication "
        "DeleteDeploymentConfig DeleteDeploymentGroup GetApplication GetDeployment GetDeploymentConfig "
        "GetDeploymentGroup ListDeployments ListTagsForResource",
        unrehearsed={
            UPDATE_IN_PLACE: "UpdateApplication UpdateDeploymentGroup",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
            IMPLIED_BY_ANOTHER_CALL: "GetApplicationRevision RegisterApplicationRevision",
        },
    ),
    Grant(
        sid="WatchReleases",
        service="codedeploy",
        rehearsed="GetDeploymentTarget",
        unrehearsed={RELEASE: "StopDeployment"},
    ),
    Grant(
        sid="Images",
        service="ecr",
        on=("arn:aws:ecr:*:{account}:repository/{path}*",),
        rehearsed="CreateRepository DeleteLifecyclePolicy DeleteRepository DescribeRepositories GetLifecyclePolicy "
        "ListTagsForResource PutLifecyclePolicy",
        unrehearsed={
            UPDATE_IN_PLACE: "PutImageScanningConfiguration PutImageTagMutability",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="Registry",
        service="ecr",
        rehearsed="DescribeRegistry PutReplicationConfiguration",
    ),
    Grant(
        sid="Scaling",
        service="application-autoscaling",
        on=("arn:aws:application-autoscaling:*:{account}:scalable-target/*",),  # known by ids
        rehearsed="DeleteScalingPolicy DeleteScheduledAction DeregisterScalableTarget ListTagsForResource "
        "PutScalingPolicy PutScheduledAction RegisterScalableTarget",
        unrehearsed={WITH_TAGS: "TagResource", TAGS: "UntagResource"},
        conditions=NOT_ANOTHERS,
    ),
    Grant(
        sid="SeeScaling",
        service="application-autoscaling",
        rehearsed="DescribeScalableTargets DescribeScalingPolicies DescribeScheduledActions",
    ),
)
