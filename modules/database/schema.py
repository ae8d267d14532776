"""Schema migration of the database, by a function (Q1, W7.1).

Creates in a region the function from lambda/prepare_database in the private tier, with its role and its flows to the
clusters of both regions, and, where settings say so, its invocation by Terraform whenever the function's code changes:
resources that need the new schema depend on the invocation. Migrations are safe while the previous versions serve, and
go forward only. ADR 0030 says why Terraform invokes it. The recovery region's function is not invoked unless the
primary region is lost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.lambda_invocation import LambdaInvocation
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.database.cluster import DATABASE_NAME
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.database.secrets import MASTER, PROCESSES
from modules.function import Function, FunctionSpecification
from modules.keys import Keys
from modules.network.endpoints import Endpoints
from modules.network.vpc import Network
from modules.policy_documents import Statement, when
from settings.common import FUNCTIONS_CA_FILE
from settings.naming import OPERATOR_USERNAME, PREPARE_DATABASE, Names

TIMEOUT_SECONDS = 900  # Lambda's maximum: indexes are built concurrently, and migrations retry to get locks


class DatabaseSchema(Construct):
    """The function as ``function``; resources that need the schema depend on ``ready``."""

    requirements = ("Q1", "Q2", "W7.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        access: DatabaseAccess,
        network: Network,
        endpoints: Endpoints,
        keys: Keys,
        operators: bool,
        call_after: Sequence[ITerraformDependable] | None,
    ) -> None:
        """``endpoints`` gives the group by which the function reads the master's secret.

        ``operators`` says whether operators may log in to the database.

        Terraform calls it ``call_after`` these, which a login as the master needs; None: a deployment does not.
        """
        super().__init__(scope, id_)
        self._operators = operators
        self.function = Function(
            self,
            "function",
            names=names,
            specification=FunctionSpecification(
                purpose=PREPARE_DATABASE,
                title="preparation of the database",
                description="Brings the schema of the database up to date, and lets each process use its part",
                timeout_seconds=TIMEOUT_SECONDS,
                memory_mib=512,
                variables={
                    "DATABASE_HOST": access.hosts,
                    "DATABASE_PORT": str(POSTGRESQL_PORT),
                    "DATABASE_NAME": DATABASE_NAME,
                    "DATABASE_LOGIN": "secret",
                    "DATABASE_SECRET_ARN": access.secret_of(MASTER),
                    "DATABASE_CA_FILE": FUNCTIONS_CA_FILE,
                    "DATABASE_LOGINS": json.dumps(dict(PROCESSES)),
                    "OPERATOR_ROLE": OPERATOR_USERNAME,
                },
            ),
            key=keys.logs,
            statements=_permissions(access),
            network=network,
            groups=[endpoints.clients],
        )
        reason = "The preparation of the database changes its schema"
        access.allow_from(self, "payments-preparation", self.function.group, reason=reason)
        self.ready: list[ITerraformDependable] = []
        if call_after is not None:
            # Terraform cannot infer it: the function must be able to log in, and the writer must be there.
            self.ready = [self._call([self.function.policy, *self.function.group.rules, *call_after])]

    def _call(self, needed: Sequence[ITerraformDependable]) -> LambdaInvocation:
        function = self.function.function
        return LambdaInvocation(
            self,
            "call",
            function_name=function.function_name,
            # other code is called again, and so is a change of who may log in
            input=json.dumps({"code": function.source_code_hash_input, "operators": self._operators}),
            lifecycle_scope="CRUD",  # a change does not replace it; a destruction does nothing
            depends_on=list(needed),
        )


def _permissions(access: DatabaseAccess) -> list[Statement]:
    secret = f"{access.secret_of(MASTER)}-??????"
    return [
        Statement(sid="ReadTheMastersLogin", actions=["secretsmanager:GetSecretValue"], resources=[secret]),
        Statement(
            sid="DecryptTheMastersLogin",
            actions=["kms:Decrypt"],
            resources=[access.key.arn],
            condition=[
                when("StringEquals", "kms:ViaService", f"secretsmanager.{access.region}.amazonaws.com"),
                when("StringLike", "kms:EncryptionContext:SecretARN", secret),
            ],
        ),
    ]
