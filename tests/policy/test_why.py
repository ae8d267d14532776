"""`python -m policy.why`: the decision over all policies of the synthesized configuration, and how it is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from operations.outcome import Refused
from policy.why import decide, lines
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W8.5")

ACCOUNT = "123456789012"
REPOSITORY = Path(__file__).parents[2]
LOGIN = f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:payments/local/database/application-A1b2C3"
TASK = "payments-web-task-us-east-2-local"


def asked(platform: Synthesized, *, role: str = TASK, **changes: Any) -> dict[str, Any]:
    request = {
        "configuration": platform.configuration,
        "account_id": ACCOUNT,
        "role": role,
        "action": "secretsmanager:GetSecretValue",
        "resource": LOGIN,
        "in_network": False,
        "context": {},
    }
    return request | changes


def test_the_statement_that_allows_is_named_in_each_policy_that_must(platform: Synthesized) -> None:
    verdict = decide(**asked(platform, in_network=True))

    assert verdict.is_allowed
    said = "\n".join(lines(verdict))
    assert "ReadTheDatabasesLogin allows" in said
    for kind in ("VPC endpoint policy", "identity-based policy", "permissions boundary"):
        assert kind in said


def test_action_without_an_allow_is_denied_with_the_missing_statement(platform: Synthesized) -> None:
    verdict = decide(**asked(platform, action="secretsmanager:PutSecretValue"))

    assert verdict.refused_by == "identity-based policy"
    assert (
        f"missing: a statement in the identity-based policy: Allow secretsmanager:PutSecretValue on {LOGIN}"
        in (lines(verdict)[-1])
    )


def test_a_key_is_used_only_through_the_service_that_its_conditions_name(platform: Synthesized) -> None:
    keys = [id_ for id_ in platform.resources("aws_kms_key") if "primary_keys_" in id_]
    through = {"kms:ViaService": "secretsmanager.us-east-2.amazonaws.com", "kms:EncryptionContext:SecretARN": LOGIN}
    allowed = {
        (id_, bool(context))
        for id_ in keys
        for context in (through, {})
        if decide(**asked(platform, action="kms:Decrypt", resource=f"aws_kms_key.{id_}", context=context)).is_allowed
    }
    assert len(allowed) == 1
    assert all(by_service for _, by_service in allowed)


def test_a_boundary_refuses_what_an_identity_policy_allows(platform: Synthesized) -> None:
    deploys = {"role": "payments-delivery-deploy-local", "action": "ec2:DescribeVpcs", "resource": "*"}
    here, elsewhere = ({"aws:RequestedRegion": region} for region in ("us-east-2", "eu-central-1"))

    assert decide(**asked(platform, **deploys, context=here)).is_allowed
    refused = decide(**asked(platform, **deploys, context=elsewhere))
    assert (refused.refused_by, refused.denied) == ("permissions boundary", True)
    assert "statement NowhereElse denies" in lines(refused)[-1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"role": "payments-web-task-us-east-2"}, f"the nearest are {TASK}"),
        ({"action": "secretsmanager:ReadSecret"}, "has no secretsmanager:ReadSecret"),
        ({"resource": "aws_sqs_queue.nowhere"}, "neither an ARN nor the address of a resource"),
    ],
)
def test_unknown_role_action_or_resource_is_refused_in_one_line(
    platform: Synthesized, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(Refused) as refused:
        decide(**asked(platform, **changes))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_why_prints_the_decision_and_exits_with_its_code(platform: Synthesized, tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    file.write_text(json.dumps(platform.configuration))

    def run(action: str, *options: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "policy.why", TASK, action, LOGIN, "--configuration", str(file), *options]
        ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    code, said = run("secretsmanager:GetSecretValue", "--caller-in-network")
    assert (code, said.splitlines()[0]) == (0, f"allowed: secretsmanager:GetSecretValue on {LOGIN}")
    assert run("secretsmanager:DeleteSecret")[0] == 1
    assert run("secretsmanager:GetSecretValue", "--condition", "nonsense")[0] == 2
