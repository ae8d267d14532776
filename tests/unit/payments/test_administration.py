"""The function that makes merchants: what it may read, who else may not, and who may call it (Q3, W3.3)."""

from __future__ import annotations

import pytest

from modules.database.secrets import ADMINISTRATION, USERNAMES
from payments.administration import KeySettings
from payments.settings import DatabaseLogin, DatabaseSettings
from tests.synthesized import Synthesized, path_of
from tests.unit.payments.support import understood

pytestmark = [pytest.mark.requirement("Q3", "W3.3")]

REGIONS = {"primary": "us-east-2", "recovery": "us-west-2"}
FUNCTION = "merchant-administration/function"


def readers(platform: Synthesized, purpose: str) -> set[str]:
    """The paths of the roles' policies that let a secret of the database be read."""
    found = set()
    for policy in platform.resources("aws_iam_role_policy").values():
        for statement in platform.statements(policy["policy"]).values():
            named = [one for one in statement.get("resources", []) if f"/database/{purpose}-" in one]
            if named and "secretsmanager:GetSecretValue" in statement["actions"]:
                found.add(path_of(policy))
    return found


@pytest.mark.parametrize("region", REGIONS)
def test_function_understands_its_environment_and_reads_its_login_and_the_peppers_alone(
    platform: Synthesized, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = platform.resource("aws_lambda_function", f"{region}/{FUNCTION}/function")
    variables = {**own["environment"]["variables"], "AWS_REGION": REGIONS[region]}
    prefix = f"arn:aws:secretsmanager:{REGIONS[region]}:123456789012:secret:payments/local"
    database = understood(DatabaseSettings, variables, monkeypatch)
    assert (database.login, database.secret_arn) == (DatabaseLogin.SECRET, f"{prefix}/database/{ADMINISTRATION}")
    assert understood(KeySettings, variables, monkeypatch).api_key_peppers_secret_arn == f"{prefix}/api-key-peppers"
    policy = platform.resource("aws_iam_role_policy", f"{region}/{FUNCTION}/policy")
    statements = platform.statements(policy["policy"]).values()
    read = [arn for one in statements if "secretsmanager:GetSecretValue" in one["actions"] for arn in one["resources"]]
    assert read == [f"{prefix}/database/{ADMINISTRATION}-??????", f"{prefix}/api-key-peppers-??????"]


def test_each_login_is_read_by_its_process_and_by_the_rotation_alone(platform: Synthesized) -> None:
    expected = {
        "application": {"services/payments-task/", "services/web-task/", "services/reports-task/"},
        "processing": {"payments-processing/process-payment/", "payments-processing/reconcile-payments/"},
        "publishing": {"services/payments-task/"},
        "administration": {f"{FUNCTION}/"},
    }
    assert set(expected) == set(USERNAMES)
    for purpose, processes in expected.items():
        found = {path.partition("/primary/")[2] for path in readers(platform, purpose) if "/primary/" in path}
        others = {path for path in found if not path.startswith(tuple(processes))}
        assert {path for path in others if not path.startswith("database-rotation/")} == set(), purpose
        assert all(any(path.startswith(process) for path in found) for process in processes), purpose


def test_nothing_invokes_the_function_but_who_may_invoke_functions(platform: Synthesized) -> None:
    """No service of AWS has a permission on it, and no role of the platform one to invoke it."""
    own = platform.resource("aws_lambda_function", f"primary/{FUNCTION}/function")
    permissions = platform.resources("aws_lambda_permission").values()
    assert permissions
    assert not [one for one in permissions if platform.by_id(one["function_name"]) == own]
    roles = [path_of(one) for one in platform.resources("aws_iam_role_policy").values() if invokes(platform, one)]
    assert roles
    assert not [path for path in roles if "delivery" not in path and "administer" in path]


def invokes(platform: Synthesized, policy: dict[str, str]) -> bool:
    statements = platform.statements(policy["policy"]).values()
    return any("lambda:InvokeFunction" in one["actions"] for one in statements)
