"""Operators' access to the database (W8.10): what its task may do and reach, and that settings can leave it out."""

from __future__ import annotations

import pytest

from settings.naming import OPERATOR_USERNAME
from tests.synthesized import Synthesized, path_of
from tests.unit.database.support import REGIONS, with_database

pytestmark = pytest.mark.requirement("W8.10")


@pytest.mark.parametrize("region", REGIONS)
def test_the_task_may_hold_its_session_and_nothing_else(platform: Synthesized, region: str) -> None:
    policy = platform.resource("aws_iam_role_policy", f"{region}/operator-access/policy")
    statements = platform.statements(policy["policy"])
    assert set(statements) == {"OpenSessionChannels", "DecryptTheSession"}
    assert all(one.startswith("ssmmessages:") for one in statements["OpenSessionChannels"]["actions"])
    assert statements["DecryptTheSession"]["actions"] == ["kms:Decrypt"]
    role = platform.resource("aws_iam_role", f"{region}/operator-access/role")
    (trust,) = platform.statements(role["assume_role_policy"]).values()
    assert trust["principals"] == [{"type": "Service", "identifiers": ["ecs-tasks.amazonaws.com"]}]


@pytest.mark.parametrize("region", REGIONS)
def test_the_task_reaches_the_databases_of_both_regions_and_nothing_reaches_it(
    platform: Synthesized, region: str
) -> None:
    group = platform.resource("aws_security_group", f"{region}/operator-access/group/security-group")
    rules = {
        kind: [
            one
            for one in platform.resources(f"aws_vpc_security_group_{kind}_rule").values()
            if platform.by_id(one["security_group_id"]) == group
        ]
        for kind in ("egress", "ingress")
    }
    assert [one["from_port"] for one in rules["egress"]] == [5432, 5432]
    assert rules["ingress"] == []


def test_without_the_setting_there_is_no_access_and_the_role_is_shut_out() -> None:
    without = with_database(operator_access=False)
    assert not [path for path in map(path_of, without.resources("aws_iam_role").values()) if "operator-access" in path]
    call = without.resource("aws_lambda_invocation", "primary/payments-schema/call")
    assert '"operators": false' in call["input"]
    function = without.resource("aws_lambda_function", "primary/payments-schema/function/function")
    assert function["environment"]["variables"]["OPERATOR_ROLE"] == OPERATOR_USERNAME
