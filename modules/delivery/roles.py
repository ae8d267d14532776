"""OIDC roles by which GitHub Actions plan and deploy an environment, and their permissions boundary (W8.1).

Creates GitHub's OpenID Connect provider in the account where settings say so, and three roles that only workflows of
one repository can assume. The plan role serves pull requests and the main branch: it reads the state and what the
configuration looks up, and no secret. The drift role serves the main branch alone: it reads what a refresh reads, and
no secret value. The deploy role serves jobs of one protected GitHub environment: its policies are those of
modules/delivery/permissions/, under a boundary that it cannot change. It creates roles only with the platform's
boundary (modules/delivery/permissions_boundary.py) and cannot change what this module makes: only an administrator
deploys that.

https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf_cdktf_provider_aws.iam_openid_connect_provider import IamOpenidConnectProvider
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from modules.delivery.permissions.deploy import DEPLOY
from modules.delivery.permissions.drift import DRIFT
from modules.delivery.permissions.grants import IDENTITY_PROVIDER, Reach, statements
from modules.delivery.permissions.plan import PLAN
from modules.delivery.permissions.watch import READING
from modules.delivery.permissions_boundary import PermissionsBoundary
from modules.policy_documents import PolicyDocument, Statement, federated, when
from settings.delivery import DeliverySettings, role_name, subjects
from settings.naming import DELIVERY, DELIVERY_BOUNDARY, KEEPERS, WATCHERS

AUDIENCE = "sts.amazonaws.com"  # the audience that aws-actions/configure-aws-credentials requests
SECONDS_PER_MINUTE = 60
SHORTEST_SESSION_SECONDS = 3600  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html

# Every action that changes IAM. https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
CHANGES_OF_IAM = [
    "iam:Add*",
    "iam:Attach*",
    "iam:Create*",
    "iam:Delete*",
    "iam:Detach*",
    "iam:PassRole",
    "iam:Put*",
    "iam:Remove*",
    "iam:Set*",
    "iam:Tag*",
    "iam:Untag*",
    "iam:Update*",
]
# Actions that give a role permissions: allowed on roles with the boundary only.
POWERS_OF_ROLES = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
# Of IAM only roles, and reads; no users, groups, access keys, policies or providers.
OF_IAM = ["iam:*Role*", "iam:Get*", "iam:List*"]
# Denied, so that no policy added later allows it.
NO_SECRETS = Statement(
    sid="NoSecrets",
    effect="Deny",
    actions=["secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "ssm:GetParameter*"],
    resources=["*"],
)
# The deploy role may not read or write objects, even where a bucket policy, which it can edit, would allow it.
OBJECTS = ["s3:GetObject*", "s3:PutObject*", "s3:RestoreObject"]
# Protection of the state bucket, set by operations/state/bucket.py.
PROTECTION_OF_STATE = [
    "s3:DeleteBucket*",
    "s3:DeleteObjectVersion*",
    "s3:PutBucket*",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
]


class Delivery(Construct):
    """Identity provider, roles for plans, deployments and drift, and their permissions boundaries."""

    requirements = ("W8.1",)

    def __init__(
        self, scope: Construct, id_: str, *, reach: Reach, settings: DeliverySettings, owns_provider: bool
    ) -> None:
        """``settings`` must name a repository; ``owns_provider``: make the account's identity provider."""
        super().__init__(scope, id_)
        self._reach, self._names = reach, reach.names
        self._provider_arn = self._provider(owned=owns_provider)
        self.role_boundary = PermissionsBoundary(self, "role-boundary", reach=reach)
        self._boundary = self._policy(
            DELIVERY_BOUNDARY, self._bounds(), "What deploys may come to this at most, and cannot change it"
        )
        trusted = subjects(settings, self._names)
        self.plan_role = self._role(
            "plan",
            "Plans of pull requests and of the main branch: reads the state, and no secret",
            subjects=trusted["plan"],
            seconds=SHORTEST_SESSION_SECONDS,
        )
        plan_policy = self._allow(self.plan_role, "plan", [*statements(PLAN, reach), NO_SECRETS])
        self.deploy_role = self._role(
            "deploy",
            "Deploys what has been reviewed, from the one protected GitHub environment",
            subjects=trusted["deploy"],
            seconds=settings.session_minutes * SECONDS_PER_MINUTE,
        )
        for domain, grants in DEPLOY.items():
            self._allow(self.deploy_role, f"deploy-{domain}", statements(grants, reach))
        self.drift_role = self._role(
            "drift",
            "Looks from the main branch at what AWS has, and at no secret",
            subjects=trusted["drift"],
            seconds=SHORTEST_SESSION_SECONDS,
        )
        self._attach(self.drift_role, "drift-state", plan_policy)
        for domain, grants in DRIFT.items():
            self._allow(self.drift_role, f"drift-{domain}", statements(grants, reach))

    def _provider(self, *, owned: bool) -> str:
        """ARN of the provider. Its certificate is not pinned: AWS trusts GitHub's by its own list of authorities.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
        """
        if not owned:
            return self._reach.fill("{identity_provider}")
        return IamOpenidConnectProvider(
            self, "provider", url=f"https://{IDENTITY_PROVIDER}", client_id_list=[AUDIENCE]
        ).arn

    def _role(self, purpose: str, description: str, *, subjects: list[str], seconds: int) -> IamRole:
        """Make a role that workflows assume whose token has exactly one of ``subjects``."""
        trust = PolicyDocument(
            self,
            f"{purpose}-trust",
            statement=[
                Statement(
                    sid="AssumedByWorkflows",
                    actions=["sts:AssumeRoleWithWebIdentity"],
                    principals=[federated(self._provider_arn)],
                    condition=[
                        when("StringEquals", f"{IDENTITY_PROVIDER}:aud", AUDIENCE),
                        when("StringEquals", f"{IDENTITY_PROVIDER}:sub", *subjects),
                    ],
                )
            ],
        )
        return IamRole(
            self,
            f"{purpose}-role",
            name=role_name(self._names, purpose),
            description=description,
            assume_role_policy=trust.json,
            max_session_duration=seconds,
            permissions_boundary=self._boundary.arn,
        )

    def _allow(self, role: IamRole, purpose: str, allowed: Sequence[Statement]) -> IamPolicy:
        policy = self._policy(f"{DELIVERY}-{purpose}", allowed, role.description_input or purpose)
        self._attach(role, purpose, policy)
        return policy

    def _attach(self, role: IamRole, purpose: str, policy: IamPolicy) -> None:
        IamRolePolicyAttachment(self, f"{purpose}-attachment", role=role.name, policy_arn=policy.arn)

    def _policy(self, purpose: str, allowed: Sequence[Statement], description: str) -> IamPolicy:
        id_ = purpose.removeprefix(f"{DELIVERY}-")
        document = PolicyDocument(self, f"{id_}-document", statement=list(allowed))
        name = self._names.of(purpose)
        return IamPolicy(self, f"{id_}-policy", name=name, description=description, policy=document.json)

    def _bounds(self) -> list[Statement]:
        """Statements of the boundary of both roles; a boundary grants nothing, it limits what policies grant."""
        fill = self._reach.fill
        services = {grant.service for grants in (PLAN, *DEPLOY.values()) for grant in grants} - {"iam", *WATCHERS}
        watched = [f"{service}:{verb}*" for service in WATCHERS for verb in READING]
        return [
            Statement(
                sid="AtMost",
                actions=[*(f"{service}:*" for service in sorted(services)), *watched, *OF_IAM],
                resources=["*"],
            ),
            Statement(
                sid="NowhereElse",
                effect="Deny",
                actions=["*"],
                resources=["*"],
                condition=[when("StringNotEquals", "aws:RequestedRegion", *self._reach.regions)],
            ),
            Statement(
                sid="NoRoleWithoutItsBoundary",
                effect="Deny",
                actions=POWERS_OF_ROLES,
                resources=["*"],
                condition=[when("StringNotEquals", "iam:PermissionsBoundary", fill("{role_boundary}"))],
            ),
            Statement(
                sid="NoBoundaryTakenAway", effect="Deny", actions=["iam:DeleteRolePermissionsBoundary"], resources=["*"]
            ),
            Statement(
                sid="NothingOfDeliveryItself",
                effect="Deny",
                actions=CHANGES_OF_IAM,
                resources=[
                    fill("arn:aws:iam::{account}:role/{delivery}"),
                    fill("arn:aws:iam::{account}:policy/{delivery}"),
                    "arn:aws:iam::*:oidc-provider/*",
                    # and of what watches the account, and so who deploys
                    fill("arn:aws:iam::{account}:role/{audit}"),
                    fill("arn:aws:iam::{account}:role/{configuration}"),
                ],
            ),
            Statement(
                sid="NothingOfTheAudit",
                effect="Deny",
                actions=[*PROTECTION_OF_STATE, "s3:CreateBucket", "s3:DeleteObject*"],
                resources=[fill("{audit_bucket}"), fill("{audit_bucket}/*")],
            ),
            Statement(
                sid="NothingOfTheAccount",
                effect="Deny",
                actions=["s3:PutAccountPublicAccessBlock"],
                resources=["*"],
            ),
            Statement(  # nobody reads, by a role of the deploy role's making, what the next statement denies
                sid="NobodyElseKeepsObjects",
                effect="Deny",
                actions=["iam:CreateRole", "iam:UpdateAssumeRolePolicy"],
                resources=[fill(f"arn:aws:iam::{{account}}:role/{one}") for one in KEEPERS],
            ),
            Statement(
                sid="NobodyElseReadsBackups",
                effect="Deny",
                actions=["s3:PutBucketPolicy"],
                resources=[fill("{backups}")],
            ),
            Statement(sid="NobodyElseDecrypts", effect="Deny", actions=["kms:PutKeyPolicy"], resources=["*"]),
            Statement(
                sid="NothingInBuckets",
                effect="Deny",
                actions=OBJECTS,
                not_resources=[fill("{state}/*"), fill("arn:aws:s3:::{own}-{account}-*/failover/*")],
            ),
            Statement(
                sid="NothingOfTheStatesProtection",
                effect="Deny",
                actions=PROTECTION_OF_STATE,
                resources=[fill("{state}"), fill("{state}/*")],
            ),
        ]
