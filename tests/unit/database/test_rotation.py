"""Rotation of the database's secrets (W3.3)."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from iam.synthesized import policies
from modules.database.secrets import USERNAMES
from tests.synthesized import Synthesized, path_of

DATABASE_SECRETS = [  # as iam/synthesized.py writes the ARN of a secret
    f"arn:aws:secretsmanager:us-east-2:123456789012:secret:payments/local/database/{name}-A1b2C3"
    for name in ("master", *USERNAMES)
]


@pytest.mark.requirement("W3.3")
def test_rotation_begins_when_all_that_it_needs_is_there(platform: Synthesized) -> None:
    rotations = [
        one
        for one in platform.resources("aws_secretsmanager_secret_rotation").values()
        if "database-rotation" in path_of(one)
    ]
    assert len(rotations) == 1 + len(USERNAMES)
    for rotation in rotations:
        assert rotation["rotation_rules"] == {"automatically_after_days": 30, "duration": "3h"}
        needed = {one.split(".")[0] for one in rotation["depends_on"]}
        assert needed == {
            "aws_secretsmanager_secret_version",
            "aws_lambda_invocation",  # of the schema's function, which makes the application's role
            "aws_lambda_permission",
            "aws_iam_role_policy",
            "aws_vpc_security_group_egress_rule",
            "aws_vpc_security_group_ingress_rule",
            "aws_rds_cluster_instance",
            # what the function needs of the network, by the law of tests/policy/test_order.py
            "aws_network_acl",
            "aws_route_table_association",
            "aws_vpc_endpoint",
        }
        (version,) = [one for one in rotation["depends_on"] if one.startswith("aws_secretsmanager_secret_version.")]
        assert platform.by_id("${" + version + ".id}")["secret_id"] == rotation["secret_id"]
    permission = platform.resource("aws_lambda_permission", "primary/database-rotation/permission")
    assert permission["principal"] == "secretsmanager.amazonaws.com"
    assert permission["source_account"] == "123456789012"


@pytest.mark.requirement("W3.3")
def test_only_the_rotation_writes_the_databases_secrets(platform: Synthesized) -> None:
    """By name or by pattern, in whatever policy, but for who deploys (tests/policy/test_delivery_roles.py)."""
    written = {}
    for policy in policies(platform.configuration, account_id="123456789012"):
        for statement in policy.statements:
            if statement["Effect"] == "Deny" or "secretsmanager:PutSecretValue" not in statement["Action"]:
                continue
            if names := [one for one in DATABASE_SECRETS if any(fnmatchcase(one, r) for r in statement["Resource"])]:
                written[policy.owner.split(".")[1]] = names
    ((owner, names),) = ((owner, names) for owner, names in written.items() if "_delivery_" not in owner)
    assert owner.startswith("primary_database-rotation_function_policy")
    assert names == DATABASE_SECRETS
