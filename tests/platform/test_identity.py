"""An environment that extends another's file has an identity of its own (W0.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import Settings, load
from settings.loading import known_environments
from tests.synthesized import Synthesized, region_of, synthesize

pytestmark = pytest.mark.requirement("W0.4")
NAMES = re.compile(r"(^|_)(name|names|identifier|id|alias|aliases|bucket|url)$")
# Attributes that are equal in both environments: they name no resource, or one within a parent that differs.
EQUAL = {
    ("aws_cloudwatch_metric_alarm", "metric_name"): "its dimensions differ",
    ("aws_cloudwatch_metric_alarm", "threshold_metric_id"): "within the alarm",
    ("aws_iam_role_policy", "name"): "within the role",
    ("aws_rds_cluster", "database_name"): "within the cluster",
    ("aws_rds_cluster_instance", "ca_cert_identifier"): "AWS's",
    ("aws_route53_record", "set_identifier"): "within the record's name",
    ("aws_vpc_endpoint", "service_name"): "AWS's",
    ("aws_vpc_peering_connection", "peer_owner_id"): "the account",
}
# What an account, or an account and region, has once.
SINGLETONS = {
    "aws_cloudtrail",
    "aws_config_configuration_recorder",
    "aws_ecr_replication_configuration",
    "aws_guardduty_detector",
    "aws_iam_openid_connect_provider",
    "aws_s3_account_public_access_block",
    "aws_securityhub_account",
}


def extending(folder: Path, base: str) -> Settings:
    """The settings of a pull request's environment, as in the README."""
    file = folder / "pr-42.toml"
    file.write_text(f'extends = "{base}"\nenvironment_suffix = "pr-42"\n')
    return load(str(file))


def identities(platform: Synthesized) -> Iterator[tuple[str, str, str, str]]:
    """Type, region, attribute and value of each literal name."""
    for address, type_, block in platform.blocks:
        if address.startswith(("data.", "ephemeral.")) or not type_.startswith("aws_"):
            continue
        for attribute, value in block.items():
            for one in value if isinstance(value, list) else [value]:
                if NAMES.search(attribute) and isinstance(one, str) and "${" not in one:
                    yield type_, region_of(block), attribute, one


@pytest.mark.parametrize("base", known_environments())
def test_environment_that_extends_another_has_an_identity_of_its_own(tmp_path: Path, base: str) -> None:
    first, second = synthesize(load(base)), synthesize(extending(tmp_path, base))
    own = set(identities(second))
    assert len(own) > 300
    shared = {(type_, attribute): value for type_, _, attribute, value in own & set(identities(first))}
    assert {key: value for key, value in shared.items() if key not in EQUAL} == {}
    assert SINGLETONS & set(first.configuration["resource"])
    assert SINGLETONS & set(second.configuration["resource"]) == set()


def test_file_that_keeps_the_suffix_keeps_the_identity(tmp_path: Path) -> None:
    file = tmp_path / "larger.toml"
    file.write_text('extends = "staging"\n[database]\ninstance_class = "db.r8g.large"\n')
    assert load(str(file)).edge.host_names == load("staging").edge.host_names == ("@",)


def test_identity_that_a_file_sets_itself_is_its_own(tmp_path: Path) -> None:
    file = tmp_path / "pr-42.toml"
    file.write_text('extends = "staging"\nenvironment_suffix = "pr-42"\n[edge]\nhost_names = ["demo"]\n')
    assert load(str(file)).edge.host_names == ("demo",)


def test_identity_does_not_pass_through_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the base's own, nor what the base itself extends."""
    monkeypatch.setattr("settings.loading.ENVIRONMENTS", tmp_path)
    for name, text in {
        "a": Path("settings/environments/staging.toml")
        .read_text()
        .replace('extends = "_services"', "")
        .replace("operator_access = true", ""),
        "b": 'extends = "a"\nenvironment_suffix = "b"\n[edge]\nhost_names = ["b"]\n',
        "c": 'extends = "b"\nenvironment_suffix = "c"\n',
    }.items():
        (tmp_path / f"{name}.toml").write_text(text)
    assert [load(name).edge.host_names for name in "abc"] == [("@",), ("b",), ()]
