"""The schema of the database, brought up to date by a function (Q1, W7.1).

Creates the function from lambda/prepare_database in the private tier, with its role and its way to the database, and,
where settings say so, the call that Terraform makes whenever the function's code changes: what needs the new schema
comes after it. The steps are safe while the versions before serve, and go forward only. Why Terraform calls it is ADR
0030.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.lambda_invocation import LambdaInvocation
from constructs import Construct

from modules.database.cluster import DATABASE_NAME, Database
from modules.database.prerequisites import POSTGRESQL_PORT
from modules.database.secrets import APPLICATION_USERNAME, DatabaseSecrets
from modules.function import Function, FunctionSpecification
from modules.keys import Keys
from modules.network.endpoints import Endpoints
from modules.network.security_groups import Flow
from modules.network.vpc import Network
from modules.policy_documents import Statement, when
from modules.region import Region
from settings.common import FUNCTIONS_CA_FILE
from settings.naming import PREPARE_DATABASE, Names

TIMEOUT_SECONDS = 600  # an index is built beside what runs, and steps wait for locks again and again


class DatabaseSchema(Construct):
    """The function as ``function``; ``ready`` is what those wait for who need the schema."""

    requirements = ("Q1", "Q2", "W7.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        database: Database,
        secrets: DatabaseSecrets,
        network: Network,
        endpoints: Endpoints,
        keys: Keys,
        on_deploy: bool,
    ) -> None:
        """``endpoints`` gives the group by which the function reads the master's secret."""
        super().__init__(scope, id_)
        self.function = Function(
            self,
            "function",
            names=names,
            specification=FunctionSpecification(
                purpose=PREPARE_DATABASE,
                title="preparation of the database",
                description="Brings the schema of the database up to date, and lets the application use it",
                timeout_seconds=TIMEOUT_SECONDS,
                memory_mib=512,
                variables={
                    "DATABASE_HOST": database.cluster.endpoint,
                    "DATABASE_PORT": str(POSTGRESQL_PORT),
                    "DATABASE_NAME": DATABASE_NAME,
                    "DATABASE_LOGIN": "secret",
                    "DATABASE_SECRET_ARN": secrets.master.arn,
                    "DATABASE_CA_FILE": FUNCTIONS_CA_FILE,
                    "APPLICATION_ROLE": APPLICATION_USERNAME,
                },
            ),
            key=keys.logs,
            statements=_permissions(secrets, keys, Region.of(self).name),
            network=network,
            groups=[endpoints.clients],
        )
        flow = Flow(
            self,
            "payments-preparation-to-database",
            source=self.function.group,
            destination=database.group,
            port=POSTGRESQL_PORT,
            reason="The preparation of the database changes its schema",
        )
        # Terraform cannot infer it: who is called must be able to log in, and the writer must be there.
        needed = [self.function.policy, secrets.master_version, flow.egress, flow.ingress, *database.instances]
        self.ready: list[ITerraformDependable] = [self._call(needed)] if on_deploy else []

    def _call(self, needed: Sequence[ITerraformDependable]) -> LambdaInvocation:
        function = self.function.function
        return LambdaInvocation(
            self,
            "call",
            function_name=function.function_name,
            input=json.dumps({"code": function.source_code_hash_input}),  # other code is called again
            lifecycle_scope="CRUD",  # a change is no replacement; a destruction asks for nothing
            depends_on=list(needed),
        )


def _permissions(secrets: DatabaseSecrets, keys: Keys, region: str) -> list[Statement]:
    arn = secrets.master.arn
    return [
        Statement(sid="ReadTheMastersLogin", actions=["secretsmanager:GetSecretValue"], resources=[arn]),
        Statement(
            sid="DecryptTheMastersLogin",
            actions=["kms:Decrypt"],
            resources=[keys.secrets.arn],
            condition=[
                when("StringEquals", "kms:ViaService", f"secretsmanager.{region}.amazonaws.com"),
                when("StringEquals", "kms:EncryptionContext:SecretARN", arn),
            ],
        ),
    ]
