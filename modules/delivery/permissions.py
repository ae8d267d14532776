"""What the roles of delivery may do: a table, service by service (W8.1).

Creates nothing. A grant is a line of one service: on what, which actions rehearsals made, and which none made that are
needed all the same, by the reason. The record of the rehearsals is held against it (policy/delivery.py): whatever a
rehearsal did is allowed, and nothing that none did without a reason. Another service is another line.

Where AWS knows names, a grant is for the environment's own; where it knows ids only, for what bears the environment's
tags, or, where neither is known, for all of a kind. Which actions know what is in
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from modules.policy_documents import Condition, Statement, when
from settings.naming import AUDIT, CONFIGURATION, DELIVERY, ROLE_BOUNDARY, Names

IDENTITY_PROVIDER = "token.actions.githubusercontent.com"

# Why an action is allowed although no rehearsal makes it.
CHANGE = "settings change something in place: rehearsals plan such changes, and apply none"
TAGS = "the tags of something that exists are changed: rehearsals plan that, and apply none"
BESIDE = "AWS asks for it beside the action that is recorded"
ASIDE = "the local AWS answers with the thing itself, where AWS lets a caller wait and look again"
REGISTRY = "made by the environment that owns_registry_settings: not by the rehearsal"
OTHER_SETTINGS = "made under settings that the rehearsal does not have"
AUDIT_READ = "read where settings have the account watched; what watches is an administrator's to change"
AUDIT_MADE = "made where settings have the account watched"
BUDGET = "made where settings have a budget"
FAILOVER = "a failover between regions, or the way back"
RELEASE = "a release that is stopped or resumed"

Conditions = tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Whose permissions: the environment's names, the bucket of its state, and the regions that it is in."""

    names: Names
    state_bucket: str
    regions: tuple[str, ...]

    @property
    def state_key(self) -> str:
        """Where in the bucket the state of this environment lies."""
        return f"{self.names.prefix}/{self.names.suffix}/terraform.tfstate"

    def fill(self, pattern: str) -> str:
        """A pattern of the table with this environment's names in it."""
        names = self.names
        return pattern.format(
            account=names.account_id,
            prefix=names.prefix,
            suffix=names.suffix,
            own=names.of("*"),
            path=f"{names.prefix}/{names.suffix}/",
            state=f"arn:aws:s3:::{self.state_bucket}",
            state_key=self.state_key,
            role_boundary=f"arn:aws:iam::{names.account_id}:policy/{names.of(ROLE_BOUNDARY)}",
            identity_provider=f"arn:aws:iam::{names.account_id}:oidc-provider/{IDENTITY_PROVIDER}",
            delivery=f"{names.prefix}-{DELIVERY}-*",
            audit=f"{names.prefix}-{AUDIT}-*",
            audit_bucket=f"arn:aws:s3:::{names.of(AUDIT)}-{names.account_id}-*",
            configuration=f"{names.prefix}-{CONFIGURATION}-*",
        )


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Actions of one service, without its name before them, and what they are allowed on."""

    sid: str
    service: str
    on: tuple[str, ...] = ("*",)
    made: str = ""
    """What rehearsals do."""
    unmade: Mapping[str, str] = field(default_factory=dict)
    """What none does and is allowed all the same, by the reason."""
    conditions: Conditions = ()

    @property
    def actions(self) -> list[str]:
        """All actions, with the service."""
        return sorted(f"{self.service}:{one}" for text in (self.made, *self.unmade.values()) for one in text.split())

    @property
    def made_actions(self) -> set[str]:
        """Those that rehearsals must have made."""
        return {f"{self.service}:{one}" for one in self.made.split()}

    def statement(self, reach: Reach) -> Statement:
        """The statement that allows it."""
        return Statement(
            sid=self.sid,
            actions=self.actions,
            resources=[reach.fill(one) for one in self.on],
            condition=list(self._conditions(reach)) or None,
        )

    def _conditions(self, reach: Reach) -> Iterator[Condition]:
        for test, variable, values in self.conditions:
            yield when(test, variable, *(reach.fill(value) for value in values))


# What exists bears the environment's tags (stacks/payment_platform.py sets them on everything that takes any).
OWN: Conditions = (
    ("StringEquals", "aws:ResourceTag/platform", ("{prefix}",)),
    ("StringEquals", "aws:ResourceTag/environment_suffix", ("{suffix}",)),
)
# What is made is made with them.
NEW: Conditions = (
    ("StringEquals", "aws:RequestTag/platform", ("{prefix}",)),
    ("StringEquals", "aws:RequestTag/environment_suffix", ("{suffix}",)),
)
BOUNDED: Conditions = (("StringEquals", "iam:PermissionsBoundary", ("{role_boundary}",)),)
# The bucket key's context is the bucket, an object's own key the object.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
OF_STATE: Conditions = (
    ("StringLike", "kms:ViaService", ("s3.*.amazonaws.com",)),
    ("StringLike", "kms:EncryptionContext:aws:s3:arn", ("{state}", "{state}/{state_key}*")),
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
# Through which services a deployment uses the platform's keys: they encrypt on behalf of whoever makes the thing.
THROUGH = ("backup", "ecr", "rds", "s3", "secretsmanager")

WITH_TAGS = "what is made is tagged in the same call, for which AWS asks for this action too"

# Who reviews a change sees what it would do, from the state and without asking AWS for what is there: a refresh would
# read the database's passwords (docs/decisions/0031-who-deploys.md). What is left is the state, and what the
# configuration looks up.
PLAN: tuple[Grant, ...] = (
    Grant(
        sid="ReadState",
        service="s3",
        on=("{state}/{state_key}",),
        made="GetObject",
    ),
    Grant(sid="FindState", service="s3", on=("{state}",), made="ListBucket"),
    Grant(
        sid="DecryptState",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unmade={BESIDE: "Decrypt"},
        conditions=OF_STATE,
    ),
    Grant(sid="LookUpNetwork", service="ec2", made="DescribeManagedPrefixLists"),
    Grant(
        sid="LookUpPrefixes",
        service="ec2",
        on=("arn:aws:ec2:*:aws:prefix-list/*", "arn:aws:ec2:*:{account}:prefix-list/*"),
        made="GetManagedPrefixListEntries",
    ),
    Grant(sid="FindCachePolicies", service="cloudfront", made="ListCachePolicies"),
    Grant(
        sid="LookUpCachePolicies",  # AWS's own among them
        service="cloudfront",
        on=("arn:aws:cloudfront::*:cache-policy/*",),
        made="GetCachePolicy",
    ),
    Grant(
        sid="LookUpZone",
        service="route53",
        unmade={OTHER_SETTINGS: "ListHostedZones"},
    ),
    Grant(sid="MakeUpPasswords", service="secretsmanager", made="GetRandomPassword"),
)

STATE = (
    Grant(
        sid="KeepState",
        service="s3",
        on=("{state}/{state_key}*",),  # and the lock beside it
        made="DeleteObject GetObject PutObject",
    ),
    Grant(sid="FindState", service="s3", on=("{state}",), made="ListBucket"),
    Grant(
        sid="EncryptState",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unmade={BESIDE: "Decrypt GenerateDataKey"},
        conditions=OF_STATE,
    ),
)

NETWORK = (
    Grant(
        sid="SeeNetworks",
        service="ec2",
        made="DescribeAddresses DescribeAddressesAttribute DescribeFlowLogs DescribeInternetGateways "
        "DescribeManagedPrefixLists DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaces "
        "DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules DescribeSecurityGroups DescribeSubnets "
        "DescribeVpcEndpoints DescribeVpcPeeringConnections DescribeVpcs",
        unmade={BESIDE: "DescribeAvailabilityZones"},
    ),
    Grant(
        sid="SeeNetworksParts",
        service="ec2",
        on=(
            "arn:aws:ec2:*:{account}:prefix-list/*",
            "arn:aws:ec2:*:{account}:vpc/*",
            "arn:aws:ec2:*:aws:prefix-list/*",
        ),
        made="DescribeVpcAttribute GetManagedPrefixListEntries",
    ),
    Grant(
        # They join things that exist to things that do not yet, or close AWS's own defaults: AWS asks for the action
        # on all of them, and a condition on tags would refuse those that have none. The boundary keeps them to the
        # environment's regions.
        sid="MakeNetworks",
        service="ec2",
        on=("arn:aws:ec2:*:{account}:*/*",),
        made="AcceptVpcPeeringConnection AllocateAddress AssociateRouteTable AttachInternetGateway "
        "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateFlowLogs CreateInternetGateway "
        "CreateNatGateway CreateNetworkAcl CreateNetworkAclEntry CreateRoute CreateRouteTable CreateSecurityGroup "
        "CreateSubnet CreateTags CreateVpc CreateVpcEndpoint CreateVpcPeeringConnection DeleteNetworkAclEntry "
        "DetachInternetGateway DisassociateAddress DisassociateRouteTable ModifyVpcPeeringConnectionOptions "
        "ReplaceNetworkAclAssociation RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
        unmade={
            CHANGE: "ModifySecurityGroupRules ReplaceNetworkAclEntry ReplaceRoute ReplaceRouteTableAssociation "
            "UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress",
        },
    ),
    Grant(
        sid="ChangeOwnNetworks",
        service="ec2",
        on=("arn:aws:ec2:*:{account}:*/*",),
        made="DeleteFlowLogs DeleteInternetGateway DeleteNatGateway DeleteNetworkAcl DeleteRoute DeleteRouteTable "
        "DeleteSecurityGroup DeleteSubnet DeleteVpc DeleteVpcEndpoints DeleteVpcPeeringConnection ModifyVpcAttribute "
        "ReleaseAddress",
        unmade={CHANGE: "ModifySubnetAttribute ModifyVpcEndpoint", TAGS: "DeleteTags"},
        conditions=OWN,
    ),
)

EDGE = (
    Grant(
        sid="Certificates",
        service="acm",
        on=("arn:aws:acm:*:{account}:certificate/*",),
        made="DeleteCertificate DescribeCertificate ListTagsForCertificate",
        unmade={TAGS: "RemoveTagsFromCertificate"},
        conditions=OWN,
    ),
    Grant(
        sid="NewCertificates",
        service="acm",
        made="RequestCertificate",
        conditions=NEW,
    ),
    Grant(
        sid="TagCertificates",
        service="acm",
        on=("arn:aws:acm:*:{account}:certificate/*",),
        unmade={WITH_TAGS: "AddTagsToCertificate"},
        conditions=NEW,
    ),
    Grant(
        sid="Distributions",
        service="cloudfront",
        on=("arn:aws:cloudfront::{account}:distribution/*",),
        made="DeleteDistribution GetDistribution ListTagsForResource UpdateDistribution",
        unmade={TAGS: "UntagResource"},
        conditions=OWN,
    ),
    Grant(sid="NewDistributions", service="cloudfront", made="CreateDistribution", conditions=NEW),
    Grant(
        sid="TagDistributions",
        service="cloudfront",
        on=("arn:aws:cloudfront::{account}:distribution/*",),
        unmade={WITH_TAGS: "TagResource"},
        conditions=NEW,
    ),
    Grant(
        sid="DistributionPolicies",  # known by ids, and without tags
        service="cloudfront",
        on=tuple(
            f"arn:aws:cloudfront::{{account}}:{kind}/*"
            for kind in ("cache-policy", "origin-access-control", "origin-request-policy", "response-headers-policy")
        ),
        made="DeleteCachePolicy DeleteOriginAccessControl DeleteOriginRequestPolicy DeleteResponseHeadersPolicy "
        "GetOriginAccessControl GetOriginRequestPolicy GetResponseHeadersPolicy",
        unmade={
            CHANGE: "UpdateCachePolicy UpdateOriginAccessControl UpdateOriginRequestPolicy UpdateResponseHeadersPolicy"
        },
    ),
    Grant(
        sid="SeeCachePolicies",  # AWS's own among them
        service="cloudfront",
        on=("arn:aws:cloudfront::*:cache-policy/*",),
        made="GetCachePolicy",
    ),
    Grant(
        sid="NewDistributionPolicies",
        service="cloudfront",
        made="CreateCachePolicy CreateOriginAccessControl CreateOriginRequestPolicy CreateResponseHeadersPolicy "
        "ListCachePolicies",
    ),
    Grant(
        sid="DistributionLogs",
        service="cloudfront",
        on=("arn:aws:cloudfront::{account}:distribution/*",),
        unmade={BESIDE: "AllowVendedLogDeliveryForResource"},
        conditions=OWN,
    ),
    Grant(
        sid="Names",  # zones, health checks and changes are known by ids; a zone may be one that others made
        service="route53",
        on=(
            "arn:aws:route53:::change/*",
            "arn:aws:route53:::healthcheck/*",
            "arn:aws:route53:::hostedzone/*",
        ),
        made="ChangeResourceRecordSets ChangeTagsForResource DeleteHealthCheck DeleteHostedZone GetChange "
        "GetHealthCheck GetHostedZone ListResourceRecordSets ListTagsForResource",
        unmade={
            CHANGE: "UpdateHealthCheck UpdateHostedZoneComment",
            BESIDE: "AssociateVPCWithHostedZone",  # private names of interface endpoints
        },
    ),
    Grant(
        sid="NewNames",
        service="route53",
        made="CreateHealthCheck CreateHostedZone",
        unmade={OTHER_SETTINGS: "ListHostedZones"},
    ),
    Grant(
        sid="Firewalls",
        service="wafv2",
        on=("arn:aws:wafv2:*:{account}:*/ipset/{own}/*", "arn:aws:wafv2:*:{account}:*/webacl/{own}/*"),
        made="CreateIPSet CreateWebACL DeleteIPSet DeleteLoggingConfiguration DeleteWebACL GetIPSet "
        "GetLoggingConfiguration GetWebACL ListTagsForResource PutLoggingConfiguration",
        unmade={
            CHANGE: "UpdateIPSet UpdateWebACL",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="Parts",  # of a web ACL: AWS's groups of rules, and those that the platform's function makes
        service="wafv2",
        on=("arn:aws:wafv2:*:*:*/managedruleset/*/*", "arn:aws:wafv2:*:{account}:*/rulegroup/{own}/*"),
        unmade={BESIDE: "CreateWebACL UpdateWebACL"},
    ),
    Grant(
        sid="Protect",
        service="wafv2",
        on=(
            "arn:aws:wafv2:*:{account}:regional/webacl/{own}/*",
            "arn:aws:elasticloadbalancing:*:{account}:loadbalancer/app/{own}/*",
        ),
        made="AssociateWebACL DisassociateWebACL GetWebACLForResource",
    ),
)

CONTAINERS = (
    Grant(
        sid="SeeLoadBalancers",
        service="elasticloadbalancing",
        made="DescribeCapacityReservation DescribeListenerAttributes DescribeListeners DescribeLoadBalancerAttributes "
        "DescribeLoadBalancers DescribeRules DescribeTags DescribeTargetGroupAttributes DescribeTargetGroups",
    ),
    Grant(
        sid="LoadBalancers",
        service="elasticloadbalancing",
        on=tuple(
            f"arn:aws:elasticloadbalancing:*:{{account}}:{kind}/{{own}}/*"
            for kind in ("listener/app", "listener-rule/app", "loadbalancer/app", "targetgroup")
        ),
        made="CreateListener CreateLoadBalancer CreateRule CreateTargetGroup DeleteListener DeleteLoadBalancer "
        "DeleteRule DeleteTargetGroup ModifyLoadBalancerAttributes ModifyTargetGroupAttributes",
        unmade={
            CHANGE: "ModifyListener ModifyListenerAttributes ModifyRule ModifyTargetGroup SetSecurityGroups SetSubnets",
            WITH_TAGS: "AddTags",
            TAGS: "RemoveTags",
        },
    ),
    Grant(
        sid="ProtectLoadBalancers",
        service="elasticloadbalancing",
        on=("arn:aws:elasticloadbalancing:*:{account}:loadbalancer/app/{own}/*",),
        unmade={BESIDE: "CreateWebACLAssociation DeleteWebACLAssociation GetLoadBalancerWebACL"},
    ),
    Grant(sid="ProtectAny", service="elasticloadbalancing", unmade={BESIDE: "SetWebAcl"}),
    Grant(
        sid="OrderRules",
        service="elasticloadbalancing",
        unmade={CHANGE: "SetRulePriorities"},
        on=("arn:aws:elasticloadbalancing:*:{account}:listener-rule/app/{own}/*",),
    ),
    Grant(
        sid="SeeTasks",
        service="ecs",
        made="DeregisterTaskDefinition DescribeTaskDefinition ListTaskDefinitions",
        unmade={"a destruction forgets the revisions that releases made": "ListTaskDefinitionFamilies"},
    ),
    Grant(
        sid="Containers",
        service="ecs",
        on=(
            "arn:aws:ecs:*:{account}:cluster/{own}",
            "arn:aws:ecs:*:{account}:service/{own}/{own}",
            "arn:aws:ecs:*:{account}:task-definition/{own}:*",
        ),
        made="CreateCluster CreateService DeleteCluster DeleteService DescribeClusters DescribeServices "
        "PutClusterCapacityProviders RegisterTaskDefinition UpdateService",
        unmade={
            CHANGE: "UpdateCluster UpdateClusterSettings",
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
        made="CreateApplication CreateDeployment CreateDeploymentConfig CreateDeploymentGroup DeleteApplication "
        "DeleteDeploymentConfig DeleteDeploymentGroup GetApplication GetDeployment GetDeploymentConfig "
        "GetDeploymentGroup ListDeployments ListTagsForResource",
        unmade={
            CHANGE: "UpdateApplication UpdateDeploymentGroup",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
            BESIDE: "GetApplicationRevision RegisterApplicationRevision",
        },
    ),
    Grant(
        sid="WatchReleases",
        service="codedeploy",
        made="GetDeploymentTarget",
        unmade={RELEASE: "StopDeployment"},
    ),
    Grant(
        sid="Images",
        service="ecr",
        on=("arn:aws:ecr:*:{account}:repository/{path}*",),
        made="CreateRepository DeleteLifecyclePolicy DeleteRepository DescribeRepositories GetLifecyclePolicy "
        "ListTagsForResource PutLifecyclePolicy",
        unmade={
            CHANGE: "PutImageScanningConfiguration PutImageTagMutability",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="Registry",
        service="ecr",
        unmade={REGISTRY: "DescribeRegistry PutReplicationConfiguration"},
    ),
    Grant(
        sid="Scaling",
        service="application-autoscaling",
        on=("arn:aws:application-autoscaling:*:{account}:scalable-target/*",),  # known by ids
        made="DeleteScalingPolicy DeleteScheduledAction DeregisterScalableTarget ListTagsForResource PutScalingPolicy "
        "PutScheduledAction RegisterScalableTarget",
        unmade={WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(
        sid="SeeScaling",
        service="application-autoscaling",
        made="DescribeScalableTargets DescribeScalingPolicies DescribeScheduledActions",
    ),
)

DATA = (
    Grant(
        sid="Databases",
        service="rds",
        on=(
            *(f"arn:aws:rds:*:{{account}}:{kind}:{{own}}" for kind in ("cluster", "cluster-pg", "db", "pg", "subgrp")),
            "arn:aws:rds::{account}:global-cluster:{own}",
            "arn:aws:rds:*:{account}:og:default*",  # AWS's own option group, which every database names
        ),
        made="CreateDBCluster CreateDBClusterParameterGroup CreateDBInstance CreateDBParameterGroup "
        "CreateDBSubnetGroup CreateGlobalCluster DeleteDBCluster DeleteDBClusterParameterGroup DeleteDBInstance "
        "DeleteDBParameterGroup DeleteDBSubnetGroup DeleteGlobalCluster ListTagsForResource "
        "ModifyDBClusterParameterGroup ModifyDBParameterGroup RemoveFromGlobalCluster",
        unmade={
            CHANGE: "ModifyDBCluster ModifyDBInstance ModifyDBSubnetGroup ModifyGlobalCluster RebootDBInstance "
            "ResetDBClusterParameterGroup ResetDBParameterGroup",
            WITH_TAGS: "AddTagsToResource",
            TAGS: "RemoveTagsFromResource",
        },
    ),
    Grant(
        sid="SeeDatabases",  # a list without a name is asked for on all of a kind
        service="rds",
        on=(
            *(f"arn:aws:rds:*:{{account}}:{kind}:*" for kind in ("cluster", "cluster-pg", "db", "pg", "subgrp")),
            "arn:aws:rds::{account}:global-cluster:*",
        ),
        made="DescribeDBClusterParameterGroups DescribeDBClusterParameters DescribeDBClusters DescribeDBInstances "
        "DescribeDBParameterGroups DescribeDBParameters DescribeDBSubnetGroups DescribeGlobalClusters",
    ),
    Grant(
        sid="FinalSnapshot",
        service="rds",
        on=("arn:aws:rds:*:{account}:cluster-snapshot:{own}",),
        unmade={OTHER_SETTINGS: "AddTagsToResource CreateDBClusterSnapshot DeleteDBCluster"},
    ),
    Grant(
        sid="Passwords",
        service="secretsmanager",
        on=("arn:aws:secretsmanager:*:{account}:secret:{path}*",),
        made="CreateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetResourcePolicy GetSecretValue "
        "PutResourcePolicy PutSecretValue RotateSecret",
        unmade={
            CHANGE: "CancelRotateSecret UpdateSecret UpdateSecretVersionStage ValidateResourcePolicy",
            WITH_TAGS: "ReplicateSecretToRegions TagResource",
            TAGS: "UntagResource",
            BESIDE: "RemoveRegionsFromReplication",
        },
    ),
    Grant(sid="NewPasswords", service="secretsmanager", made="GetRandomPassword"),
    Grant(
        sid="Vaults",
        service="backup",
        on=("arn:aws:backup:*:{account}:backup-vault:{own}",),
        made="CreateBackupVault DeleteBackupVault DescribeBackupVault ListRecoveryPointsByBackupVault ListTags",
        unmade={
            OTHER_SETTINGS: "DeleteBackupVaultAccessPolicy DeleteBackupVaultLockConfiguration "
            "GetBackupVaultAccessPolicy PutBackupVaultAccessPolicy PutBackupVaultLockConfiguration",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="VaultStorage",
        service="backup-storage",
        unmade={BESIDE: "MountCapsule"},
    ),
    Grant(
        sid="BackupPlans",
        service="backup",
        on=(
            "arn:aws:backup:*:{account}:backup-plan:*",  # known by ids
            "arn:aws:backup:*:{account}:restore-testing-plan:{prefix}_*",
        ),
        made="CreateBackupPlan CreateBackupSelection CreateRestoreTestingPlan CreateRestoreTestingSelection "
        "DeleteBackupPlan DeleteBackupSelection DeleteRestoreTestingPlan DeleteRestoreTestingSelection GetBackupPlan "
        "GetBackupSelection GetRestoreTestingPlan GetRestoreTestingSelection ListTags",
        unmade={
            CHANGE: "UpdateBackupPlan UpdateRestoreTestingPlan UpdateRestoreTestingSelection",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="Buckets",
        service="s3",
        on=("arn:aws:s3:::{own}-{account}-*",),
        made="CreateBucket DeleteBucket DeleteBucketPolicy GetAccelerateConfiguration GetBucketAcl GetBucketCORS "
        "GetBucketLogging GetBucketNotification GetBucketObjectLockConfiguration GetBucketOwnershipControls "
        "GetBucketPolicy GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning "
        "GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration GetReplicationConfiguration ListBucket "
        "ListBucketVersions PutBucketLogging PutBucketNotification PutBucketOwnershipControls PutBucketPolicy "
        "PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning PutEncryptionConfiguration "
        "PutLifecycleConfiguration PutReplicationConfiguration",
    ),
    Grant(
        sid="EmptyBuckets",  # of an environment that is destroyed
        service="s3",
        on=("arn:aws:s3:::{own}-{account}-*/*",),
        made="DeleteObject DeleteObjectVersion",
    ),
)

SECURITY = (
    Grant(
        sid="Roles",
        service="iam",
        on=("arn:aws:iam::{account}:role/{own}",),
        made="DeleteRole GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies",
        unmade={
            CHANGE: "UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription",
            WITH_TAGS: "TagRole",
            TAGS: "UntagRole",
        },
    ),
    Grant(
        sid="BoundedRoles",
        service="iam",
        on=("arn:aws:iam::{account}:role/{own}",),
        made="CreateRole DeleteRolePolicy PutRolePolicy",
        unmade={CHANGE: "PutRolePermissionsBoundary"},
        conditions=BOUNDED,
    ),
    Grant(
        sid="HandOverRoles",
        service="iam",
        on=("arn:aws:iam::{account}:role/{own}",),
        unmade={BESIDE: "PassRole"},
        conditions=(("StringEquals", "iam:PassedToService", PASSED_TO),),
    ),
    Grant(
        sid="RolesOfServices",
        service="iam",
        on=("arn:aws:iam::{account}:role/aws-service-role/*",),
        unmade={"a service makes its own role when the account first uses it": "CreateServiceLinkedRole"},
        conditions=(("StringEquals", "iam:AWSServiceName", LINKED),),
    ),
    Grant(
        sid="SeeDelivery",
        service="iam",
        on=("arn:aws:iam::{account}:policy/{own}", "{identity_provider}"),
        made="GetOpenIDConnectProvider GetPolicy GetPolicyVersion ListPolicyVersions",
    ),
    Grant(
        sid="Keys",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        made="DescribeKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus ListResourceTags ScheduleKeyDeletion",
        unmade={
            BESIDE: "CreateAlias DeleteAlias",
            CHANGE: "PutKeyPolicy UpdateKeyDescription",
            TAGS: "UntagResource",
        },
        conditions=OWN,
    ),
    Grant(sid="NewKeys", service="kms", made="CreateKey", conditions=NEW),
    Grant(
        sid="TagKeys",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unmade={WITH_TAGS: "TagResource"},
        conditions=NEW,
    ),
    Grant(
        sid="KeyNames",
        service="kms",
        on=("arn:aws:kms:*:{account}:alias/{own}",),
        made="CreateAlias DeleteAlias",
    ),
    Grant(sid="SeeKeyNames", service="kms", made="ListAliases"),
    Grant(
        sid="UseKeysThroughServices",
        service="kms",
        on=("arn:aws:kms:*:{account}:key/*",),
        unmade={BESIDE: "CreateGrant Decrypt Encrypt GenerateDataKey* ReEncrypt* RetireGrant"},
        conditions=(*OWN, ("StringLike", "kms:ViaService", tuple(f"{one}.*.amazonaws.com" for one in THROUGH))),
    ),
)

OPERATIONS = (
    Grant(
        sid="Functions",
        service="lambda",
        on=("arn:aws:lambda:*:{account}:function:{own}", "arn:aws:lambda:*:{account}:function:{own}:*"),
        made="AddPermission CreateFunction DeleteFunction GetFunction GetFunctionCodeSigningConfig GetPolicy "
        "InvokeFunction ListTags ListVersionsByFunction PutFunctionConcurrency RemovePermission",
        unmade={
            CHANGE: "DeleteFunctionConcurrency GetFunctionConfiguration UpdateFunctionCode UpdateFunctionConfiguration",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="NewEventSources",
        service="lambda",
        made="CreateEventSourceMapping",
        conditions=(("ArnLike", "lambda:FunctionArn", ("arn:aws:lambda:*:{account}:function:{own}",)),),
    ),
    Grant(
        sid="EventSources",
        service="lambda",
        on=("arn:aws:lambda:*:{account}:event-source-mapping:*",),  # known by ids
        made="DeleteEventSourceMapping GetEventSourceMapping ListTags",
        unmade={CHANGE: "UpdateEventSourceMapping", WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(
        sid="LogGroups",
        service="logs",
        on=(
            "arn:aws:logs:*:{account}:log-group:/{path}*",
            "arn:aws:logs:*:{account}:log-group:/aws/ecs/containerinsights/{own}/*",
            "arn:aws:logs:*:{account}:log-group:/aws/rds/cluster/{own}/*",
            "arn:aws:logs:*:{account}:log-group:RDSOSMetrics",  # AWS's name for what is measured within instances
            "arn:aws:logs:*:{account}:log-group:/aws/vendedlogs/*/{path}*",
            "arn:aws:logs:*:{account}:log-group:aws-waf-logs-{path}*",
        ),
        made="CreateLogGroup DeleteLogGroup ListTagsForResource PutRetentionPolicy",
        unmade={
            CHANGE: "AssociateKmsKey DeleteRetentionPolicy DisassociateKmsKey",
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
        made="CreateDelivery DeleteDelivery DeleteDeliveryDestination DeleteDeliverySource GetDelivery "
        "GetDeliveryDestination GetDeliverySource ListTagsForResource PutDeliveryDestination PutDeliverySource",
        unmade={
            CHANGE: "UpdateDeliveryConfiguration",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(
        sid="SeeLogs",
        service="logs",
        made="DescribeLogGroups",
        unmade={
            BESIDE: "CreateLogDelivery DeleteLogDelivery DescribeResourcePolicies GetLogDelivery ListLogDeliveries "
            "PutResourcePolicy UpdateLogDelivery"
        },
    ),
    Grant(
        sid="Alarms",
        service="cloudwatch",
        on=("arn:aws:cloudwatch:*:{account}:alarm:{path}*",),
        made="DeleteAlarms ListTagsForResource PutCompositeAlarm PutMetricAlarm",
        unmade={WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(
        sid="Dashboards",
        service="cloudwatch",
        on=("arn:aws:cloudwatch::{account}:dashboard/{own}",),
        made="DeleteDashboards GetDashboard PutDashboard",
    ),
    Grant(
        sid="ScalingAlarms",  # Application Auto Scaling keeps them, on behalf of who sets a target
        service="cloudwatch",
        on=(
            "arn:aws:cloudwatch:*:{account}:alarm:TargetTracking-cluster:{own}*",
            "arn:aws:cloudwatch:*:{account}:alarm:TargetTracking-service/{own}/{own}*",
        ),
        unmade={BESIDE: "DeleteAlarms PutMetricAlarm"},
    ),
    Grant(
        sid="SeeAlarms",  # AWS asks for the action on all alarms, whichever are named
        service="cloudwatch",
        on=("arn:aws:cloudwatch:*:{account}:alarm:*",),
        made="DescribeAlarms",
    ),
    Grant(
        sid="Events",
        service="events",
        on=("arn:aws:events:*:{account}:rule/{own}",),
        made="DeleteRule DescribeRule ListTagsForResource ListTargetsByRule PutRule PutTargets RemoveTargets",
        unmade={WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(
        sid="Topics",
        service="sns",
        on=("arn:aws:sns:*:{account}:{own}",),
        made="CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource SetTopicAttributes",
        unmade={
            OTHER_SETTINGS: "Subscribe",
            WITH_TAGS: "TagResource",
            TAGS: "UntagResource",
        },
    ),
    Grant(sid="Subscriptions", service="sns", unmade={OTHER_SETTINGS: "GetSubscriptionAttributes Unsubscribe"}),
    Grant(
        sid="Queues",
        service="sqs",
        on=("arn:aws:sqs:*:{account}:{own}",),
        made="CreateQueue DeleteQueue GetQueueAttributes ListQueueTags SetQueueAttributes",
        unmade={WITH_TAGS: "TagQueue", TAGS: "UntagQueue"},
    ),
    Grant(
        sid="Workflows",
        service="states",
        on=("arn:aws:states:*:{account}:stateMachine:{own}",),
        made="CreateStateMachine DeleteStateMachine DescribeStateMachine ListStateMachineVersions ListTagsForResource",
        unmade={CHANGE: "UpdateStateMachine", WITH_TAGS: "TagResource", TAGS: "UntagResource"},
    ),
    Grant(sid="CheckWorkflows", service="states", made="ValidateStateMachineDefinition"),
)

# What the operations above do not need already: services are scaled, targets and alarms looked at by them.
FAIL_OVER = (
    Grant(
        sid="MoveWriter",
        service="rds",
        on=("arn:aws:rds:*:{account}:cluster:{own}", "arn:aws:rds::{account}:global-cluster:{own}"),
        unmade={FAILOVER: "FailoverGlobalCluster SwitchoverGlobalCluster"},
    ),
    Grant(sid="SeeTargets", service="elasticloadbalancing", unmade={FAILOVER: "DescribeTargetHealth"}),
    Grant(sid="SeeMetrics", service="cloudwatch", unmade={FAILOVER: "GetMetricStatistics"}),
    Grant(
        sid="SeeHealth",
        service="route53",
        on=("arn:aws:route53:::healthcheck/*",),
        unmade={FAILOVER: "GetHealthCheckStatus"},
    ),
    Grant(
        sid="AskNames",
        service="route53",
        unmade={FAILOVER: "ListHealthChecks ListHostedZonesByName TestDNSAnswer"},
    ),
    Grant(
        sid="LockAndRecord",  # in the backups bucket of either region
        service="s3",
        on=("arn:aws:s3:::{own}-{account}-*/failover/*",),
        unmade={FAILOVER: "DeleteObject GetObject PutObject"},
    ),
)

# What watches the account watches who deploys, too: it is read, and changed by an administrator.
WATCH = (
    Grant(
        sid="SeeAnalyzers",
        service="access-analyzer",
        on=("arn:aws:access-analyzer:*:{account}:analyzer/{own}",),
        unmade={AUDIT_READ: "GetAnalyzer ListTagsForResource"},
    ),
    Grant(
        sid="SeeTrails",
        service="cloudtrail",
        on=("arn:aws:cloudtrail:*:{account}:trail/{own}",),
        unmade={AUDIT_READ: "GetEventSelectors GetInsightSelectors GetTrailStatus ListTags"},
    ),
    Grant(sid="ListTrails", service="cloudtrail", unmade={AUDIT_READ: "DescribeTrails"}),
    Grant(
        sid="SeeConfiguration",
        service="config",
        on=("arn:aws:config:*:{account}:config-rule/*", "arn:aws:config:*:{account}:configuration-recorder/*"),
        unmade={AUDIT_READ: "ListTagsForResource"},
    ),
    Grant(
        sid="ListConfiguration",
        service="config",
        unmade={AUDIT_READ: "DescribeConfigRules DescribeDeliveryChannels"},
    ),
    Grant(
        sid="ListRecorders",
        service="config",
        on=("arn:aws:config:*:{account}:configuration-recorder/*",),
        unmade={AUDIT_READ: "DescribeConfigurationRecorderStatus DescribeConfigurationRecorders"},
    ),
    Grant(
        sid="SeeDetectors",
        service="guardduty",
        on=("arn:aws:guardduty:*:{account}:detector/*",),
        unmade={AUDIT_READ: "GetDetector"},
    ),
    Grant(
        sid="SeeHub",
        service="securityhub",
        on=("arn:aws:securityhub:*:{account}:hub/default", "arn:aws:securityhub:*:{account}:finding-aggregator/*"),
        unmade={AUDIT_READ: "DescribeHub GetEnabledStandards GetFindingAggregator"},
    ),
    Grant(sid="SeeAccount", service="s3", unmade={AUDIT_READ: "GetAccountPublicAccessBlock"}),
    Grant(
        sid="CountInLogs",
        service="logs",
        on=("arn:aws:logs:*:{account}:log-group:/{path}*",),
        unmade={AUDIT_MADE: "DeleteMetricFilter DescribeMetricFilters PutMetricFilter"},
    ),
    Grant(
        sid="Budgets",
        service="budgets",
        on=("arn:aws:budgets::{account}:budget/{own}",),
        unmade={BUDGET: "ListTagsForResource ModifyBudget TagResource UntagResource ViewBudget"},
    ),
)
# Services whose settings only an administrator changes: the boundary lets them be looked at.
WATCHERS = ("access-analyzer", "cloudtrail", "config", "guardduty", "securityhub")
READING = ("Describe", "Get", "List")

# By policy: a managed policy may have 6,144 characters, and a role ten of them.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
DEPLOY: Mapping[str, tuple[Grant, ...]] = MappingProxyType(
    {
        "state": STATE,
        "network": NETWORK,
        "edge": EDGE,
        "containers": CONTAINERS,
        "data": DATA,
        "security": SECURITY,
        "operations": OPERATIONS,
        "fail-over": FAIL_OVER,
        "watch": WATCH,
    }
)


def statements(grants: Iterable[Grant], reach: Reach) -> list[Statement]:
    """The statements of a policy that gives these grants."""
    return [grant.statement(reach) for grant in grants]
