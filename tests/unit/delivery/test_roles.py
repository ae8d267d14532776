"""Settings of delivery, and what the stack makes of them (W8.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.deployment.delivery import lines
from settings import Settings, SettingsError, load
from settings.delivery import DeliverySettings
from tests.synthesized import Synthesized, local_with, path_of, synthesize

pytestmark = pytest.mark.requirement("W8.1")


IDS = "example@1234/payment-platform@5678"


def with_delivery(settings: Settings, **fields: object) -> Settings:
    return settings.model_copy(update={"delivery": DeliverySettings.model_validate(fields)})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('repository = "payment-platform"', "'payment-platform' is not allowed; owner/name is allowed, or owner@id"),
        ('repository = "https://github.com/example/x"', "is not allowed; owner/name is allowed"),
        ('repository = "example/*"', "'example/*' is not allowed; owner/name is allowed"),
        ('repository = "example@1/x"', "'example@1/x' is not allowed; owner/name is allowed"),
        ('repository = "-example/x"', "'-example/x' is not allowed; owner/name is allowed"),
        ('branch = "release/*"', "'release/*' is not allowed; the name of a branch"),
        ('github_environment = "prod:eu"', "'prod:eu' is not allowed; the name of a GitHub environment"),
        ("session_minutes = 30", "30 is not allowed; input should be greater than or equal to 60"),
        ("session_minutes = 721", "721 is not allowed; input should be less than or equal to 720"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_allowed(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'extends = "staging"\n[delivery]\n{text}\n')
    with pytest.raises(SettingsError) as refused:
        load(str(file))
    (said,) = refused.value.lines
    assert f"delivery.{text.partition(' ')[0]}: " in said
    assert line in said


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_no_delivery_role_exists_without_a_repository(environment: str) -> None:
    """A repository that is only an example could be made by anybody."""
    settings = load(environment)
    assert settings.delivery.repository is None
    assert list(lines(settings)) == []
    made = synthesize(settings)
    assert not made.resources("aws_iam_openid_connect_provider", none_is_right=True)
    assert not [path_of(role) for role in made.resources("aws_iam_role").values() if "/delivery/" in path_of(role)]
    assert not [role for role in made.resources("aws_iam_role").values() if "permissions_boundary" in role]


def test_the_provider_is_githubs_for_sts_and_its_certificate_is_not_pinned(platform: Synthesized) -> None:
    provider = platform.resource("aws_iam_openid_connect_provider", "delivery/provider")
    assert provider["url"] == "https://token.actions.githubusercontent.com"
    assert provider["client_id_list"] == ["sts.amazonaws.com"]
    assert "thumbprint_list" not in provider


def test_an_environment_that_does_not_own_the_provider_trusts_the_accounts(local_settings: Settings) -> None:
    other = local_settings.model_copy(update={"account_owner": "another"})
    shared = synthesize(with_delivery(other, repository="example/payment-platform"))
    assert not shared.resources("aws_iam_openid_connect_provider", none_is_right=True)
    for purpose in ("plan", "deploy", "drift"):
        role = shared.resource("aws_iam_role", f"delivery/{purpose}-role")
        (statement,) = shared.statements(role["assume_role_policy"]).values()
        assert statement["principals"] == [
            {
                "type": "Federated",
                "identifiers": ["arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"],
            }
        ]


def test_trust_policies_name_the_repository_branch_and_environment_of_the_settings(local_settings: Settings) -> None:
    made = synthesize(
        with_delivery(
            local_settings,
            repository=IDS,
            branch="trunk",
            github_environment="live",
            session_minutes=240,
        )
    )
    trusted = {
        purpose: next(
            one["values"]
            for one in made.statements(made.resource("aws_iam_role", f"{purpose}-role")["assume_role_policy"])[
                "AssumedByWorkflows"
            ]["condition"]
            if one["variable"].endswith(":sub")
        )
        for purpose in ("plan", "deploy", "drift")
    }
    assert trusted == {
        "plan": [f"repo:{IDS}:pull_request", f"repo:{IDS}:ref:refs/heads/trunk"],
        "deploy": [f"repo:{IDS}:environment:live"],
        "drift": [f"repo:{IDS}:ref:refs/heads/trunk"],
    }
    assert made.resource("aws_iam_role", "deploy-role")["max_session_duration"] == 240 * 60
    assert made.resource("aws_iam_role", "plan-role")["max_session_duration"] == 3600


def test_the_command_names_the_roles_that_the_stack_makes(local_settings: Settings, platform: Synthesized) -> None:
    said = dict(line.split("=", 1) for line in lines(local_settings))
    for purpose in ("plan", "deploy", "drift"):
        name = platform.resource("aws_iam_role", f"{purpose}-role")["name"]
        assert said[f"{purpose}_role"] == f"arn:aws:iam::123456789012:role/{name}"
    assert said["deploy_subjects"] == "repo:example/payment-platform:environment:local"
    assert (said["github_environment"], said["region"], said["session_seconds"]) == ("local", "us-east-2", "7200")


def test_role_names_fit_whatever_the_longest_suffix(local_settings: Settings) -> None:
    longest = synthesize(local_with(environment_suffix="s" * 12, name_prefix="p" * 8))
    assert max(len(one["name"]) for one in longest.resources("aws_iam_role").values()) <= 64
    assert max(len(one["name"]) for one in longest.resources("aws_iam_policy").values()) <= 128
