"""The origin secret: load balancers accept requests of the platform's own distribution only (W2.1, W0.5).

Creates the secret, replicated to the recovery region; the function that creates and rotates the CloudFront function and
the rule groups that send and check it (lambda/rotate_origin_secret); its invocation by Terraform; the rotation; and an
alarm on its failures. CloudFront's prefix list alone would accept every other customer's distribution, too. ADR 0025
says why Terraform does not create the rule groups itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.lambda_invocation import LambdaInvocation
from cdktf_cdktf_provider_aws.lambda_permission import LambdaPermission
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret, SecretsmanagerSecretReplica
from cdktf_cdktf_provider_aws.secretsmanager_secret_rotation import (
    SecretsmanagerSecretRotation,
    SecretsmanagerSecretRotationRotationRules,
)
from constructs import Construct

from modules.function import Function, FunctionSpecification
from modules.ingress.firewall import ORIGIN_VERIFY_HEADER
from modules.keys import Keys, SecretReplica, to_put_values
from modules.monitoring.alarm_topic import AlarmTopic
from modules.policy_documents import Statement
from modules.region import Region
from settings.edge import EdgeSettings
from settings.firewall import ORIGIN_VERIFY_UNITS
from settings.naming import Names
from synthesis.packaging import REPOSITORY

ORIGIN_VERIFY_SECRET = "origin-verify"  # noqa: S105 (its name)
FUNCTION = "rotate-origin-secret"
TIMEOUT_SECONDS = 300  # the function waits up to 120 s for its role's policy to propagate
RECOVERY_DAYS = 30  # in which a protected environment's secret can be restored


class OriginVerify(Construct):
    """The secret, its rotation, and what sends and checks it. In the primary region."""

    requirements = ("W2.1", "W0.5")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: EdgeSettings,
        host_name: str,
        recovery: Region,
        keys: Keys,
        recovery_keys: Keys,
        topic: AlarmTopic,
        tags: Mapping[str, str],
        protected: bool,
    ) -> None:
        """``host_name`` is one of the distribution's; ``tags`` are put on what the function creates."""
        super().__init__(scope, id_)
        self._names = names
        self._regions = {"primary": Region.of(self).name, "recovery": recovery.name}
        self._keys, self._recovery_keys = keys, recovery_keys
        self.secret = SecretsmanagerSecret(
            self,
            "secret",
            name=names.secret(ORIGIN_VERIFY_SECRET),
            description="What the distribution sends to the load balancers, and they ask for",
            kms_key_id=keys.secrets.arn,
            recovery_window_in_days=RECOVERY_DAYS if protected else 0,
            # A destroyed environment's replica may be there for a while; a protected one may have been promoted.
            force_overwrite_replica_secret=not protected,
            replica=[SecretsmanagerSecretReplica(region=recovery.name, kms_key_id=recovery_keys.secrets.arn)],
        )
        variables = self._variables(settings, host_name, tags)
        self.function = Function(
            self,
            "function",
            names=names,
            specification=FunctionSpecification(
                purpose=FUNCTION,
                title="rotation of the origin secret",
                description="Makes and rotates what marks requests as the distribution's own, and what checks it",
                timeout_seconds=TIMEOUT_SECONDS,
                variables=variables,
            ),
            key=keys.logs,
            statements=[*self._on_the_secret(), *self._on_what_it_makes()],
            topic=topic,  # the values before stay good until a rotation succeeds
        )
        self.call = LambdaInvocation(
            self,
            "call",
            function_name=self.function.function.function_name,
            # Changes whenever the function would create something else: Terraform then invokes it again.
            input=json.dumps({"made_by": _digest(variables)}),
            lifecycle_scope="CRUD",
            # not inferable: the function needs its permissions to create, and on destroy to remove
            depends_on=[self.function.policy],
        )
        self._rotation_days = settings.origin_verify_rotation_days

    @property
    def viewer_function_arn(self) -> str:
        """The ARN of the CloudFront function that adds the secret to requests."""
        return self._answer("viewer_function_arn")

    def rule_group_arn(self, region_id: str) -> str:
        """The ARN of the rule group of ``primary`` or ``recovery`` that blocks requests without the secret."""
        return self._answer(f"{region_id}_rule_group_arn")

    def _answer(self, name: str) -> str:
        return f"${{jsondecode({self.call.fqn}.result).{name}}}"

    def _variables(self, settings: EdgeSettings, host_name: str, tags: Mapping[str, str]) -> dict[str, str]:
        return {
            "SECRET_ARN": self.secret.arn,
            "HEADER": ORIGIN_VERIFY_HEADER,
            "REGIONS": json.dumps(self._regions),
            "RULE_GROUP": self._names.of(ORIGIN_VERIFY_SECRET),
            "RULE_GROUP_CAPACITY": str(ORIGIN_VERIFY_UNITS),
            "VIEWER_FUNCTION": self._names.of(ORIGIN_VERIFY_SECRET),
            "HEALTH_PATH": settings.health_check.path,
            "TEST_URL": f"https://{host_name}/",
            "TAGS": json.dumps(dict(tags)),
        }

    def _on_the_secret(self) -> list[Statement]:
        return [
            Statement(
                sid="RotateTheSecret",
                actions=[
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                resources=[self.secret.arn],
            ),
            to_put_values(
                SecretReplica(region=self._regions["primary"], key=self._keys.secrets),
                SecretReplica(region=self._regions["recovery"], key=self._recovery_keys.secrets),
            ),
        ]

    def _on_what_it_makes(self) -> list[Statement]:
        account, name = self._names.account_id, self._names.of(ORIGIN_VERIFY_SECRET)
        return [
            Statement(
                sid="WriteTheRuleGroups",
                actions=[
                    "wafv2:CreateRuleGroup",
                    "wafv2:DeleteRuleGroup",
                    "wafv2:GetRuleGroup",
                    "wafv2:TagResource",
                    "wafv2:UpdateRuleGroup",
                ],
                resources=[
                    f"arn:aws:wafv2:{region}:{account}:regional/rulegroup/{name}/*" for region in self._regions.values()
                ],
            ),
            Statement(sid="FindThem", actions=["wafv2:ListRuleGroups"], resources=["*"]),  # it knows no resource
            # It knows no resource. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudfront.html
            Statement(sid="MakeTheViewerFunction", actions=["cloudfront:CreateFunction"], resources=["*"]),
            Statement(
                sid="WriteTheViewerFunction",
                actions=[
                    "cloudfront:DeleteFunction",
                    "cloudfront:DescribeFunction",
                    "cloudfront:GetFunction",
                    "cloudfront:PublishFunction",
                    "cloudfront:UpdateFunction",
                ],
                resources=[f"arn:aws:cloudfront::{account}:function/{name}"],
            ),
        ]

    def rotate(self, *, after: Sequence[ITerraformDependable]) -> None:
        """Rotate the secret; ``after`` is what a request through CloudFront needs: configuration tests one."""
        function = self.function.function
        permission = LambdaPermission(
            self,
            "permission",
            function_name=function.function_name,
            action="lambda:InvokeFunction",
            principal="secretsmanager.amazonaws.com",
            source_account=self._names.account_id,
            source_arn=self.secret.arn,
        )
        SecretsmanagerSecretRotation(
            self,
            "rotation",
            secret_id=self.secret.id,
            rotation_lambda_arn=function.arn,
            rotation_rules=SecretsmanagerSecretRotationRotationRules(automatically_after_days=self._rotation_days),
            rotate_immediately=False,
            # not inferable: configuring a rotation invokes the function, which needs a value to test
            depends_on=[self.call, permission, *after],
        )


def _digest(variables: Mapping[str, str]) -> str:
    """What the function creates depends on its variables and on the code of the CloudFront function."""
    own = {name: value for name, value in variables.items() if name != "SECRET_ARN"}  # a reference, which varies
    code = (REPOSITORY / "shared" / "origin_secret" / "viewer_function.js").read_bytes()
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode() + code).hexdigest()
