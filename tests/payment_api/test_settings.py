"""The payment API's settings: each wrong value is one line that says what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from payment_api.settings import ENVIRONMENTS, SettingsError, known_environments, load
from payment_api.settings.sizing import CONCURRENT_TRANSACTIONS


def lines(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "one.toml"
    path.write_text(f'extends = "staging"\n{text}\n')
    with pytest.raises(SettingsError) as refused:
        load(str(path))
    return refused.value.lines


@pytest.mark.requirement("P6.2")
@pytest.mark.parametrize("environment", known_environments(ENVIRONMENTS))
def test_each_environment_of_the_project_is_right_and_in_singapore(environment: str) -> None:
    settings = load(environment)
    assert settings.region == "ap-southeast-1"
    assert settings.replica_region != settings.region


@pytest.mark.requirement("P6.4")
def test_only_production_is_protected() -> None:
    assert [name for name in known_environments(ENVIRONMENTS) if load(name).protected] == ["production"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('replica_region = "ap-southeast-1"', "replica_region: 'ap-southeast-1' is not allowed; a region other"),
        ('environment_suffix = "Bad"', "one.toml: environment_suffix: 'Bad' is not allowed; lower-case letters"),
        (f'environment_suffix = "{"a" * 40}"', "one that is"),
        ('[network]\nzones = ["us-east-1a", "us-east-1b", "us-east-1c"]', "network.zones: ['us-east-1a'"),
        ('[network]\nzones = ["ap-southeast-1a", "ap-southeast-1a", "ap-southeast-1b"]', "3 different zones"),
        ('[network]\nacquirer_networks = ["0.0.0.0/0"]', "a block of public addresses from /24 to /32"),
        ('[network]\nacquirer_networks = ["10.0.0.0/28"]', "a block of public addresses from /24 to /32"),
        ('[gateway]\ntrust_store_version = "null"', "the id of an object's version"),
        ('[secrets]\nrotation_days = 31', "secrets.rotation_days: 31 is not allowed"),
        (
            '[secrets]\nkey_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000002"',
            "one in ap-southeast-1",
        ),
        ('[domain]\napi_name = "api.other.example.com"', "a name below zone_name"),
        ('[domain]\napi_name = "direct-staging.pay.example.com"', "one other than api_name"),
        ('[secrets]\napi_key = "payapi/staging/first-client"', "without a hyphen and six characters at its end"),
        ("protected = true", "alarm_email_addresses: () is not allowed; where protected is true"),
        ("[service]\nmaximum_tasks = 48", "service.maximum_tasks: is now called max_tasks"),
        ('[service]\nimage = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/payments:latest"', "named by digest"),
        ("[service]\naudit_months = 11", "service.audit_months: 11 is not allowed; input should be greater"),
        ('[service]\nmemory_mib = 16384', "Fargate takes 2048 to 8192"),
        ('[documents]\narchive_days = 91', "archive_days: 91 is not allowed"),
        ('[processing]\ntimeout_seconds = 30', "timeout_seconds: 30 is not allowed; 40 or more is"),
        ('[database]\ninstance_class = "t4g.medium"', "max_connections: 2000 is not allowed; up to 450 is"),
        ("[database]\nport = 5432", "database.port: 5432 is not a known setting"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_line_that_says_what_is_allowed(tmp_path: Path, text: str, line: str) -> None:
    (said,) = lines(tmp_path, text)
    assert line in said


@pytest.mark.requirement("P6.4", "P6.6")
def test_hosts_and_secrets_are_named_after_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "pr.toml"
    path.write_text('extends = "staging"\nenvironment_suffix = "pr-7"\n')
    settings = load(str(path))
    assert (settings.domain.api_name, settings.domain.load_balancer_name) == (
        "api-pr-7.pay.example.com",
        "direct-pr-7.pay.example.com",
    )
    assert settings.secrets.database == "payapi/pr-7/database"
    assert not settings.owns_account


@pytest.mark.requirement("P6.4", "P6.6")
def test_identity_of_an_environment_is_not_inherited(tmp_path: Path) -> None:
    path = tmp_path / "pr.toml"
    path.write_text('extends = "production"\nenvironment_suffix = "pr-7"\nprotected = false\n')
    with pytest.raises(SettingsError) as refused:
        load(str(path))
    said = "\n".join(refused.value.lines)
    assert "domain.api_name: 'api.pay.example.com' is not allowed; it names the environment of production" in said
    assert "domain.load_balancer_name" in said
    assert len(refused.value.lines) == 2
    path.write_text('extends = "production"\n')
    assert load(str(path)).domain.api_name == "api.pay.example.com"


@pytest.mark.requirement("P3.4")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[service]\nmax_tasks = 26", "service.max_tasks: concurrent requests of all tasks"),
        ("[service]\nmin_tasks = 3", "service.min_tasks: concurrent requests of the minimum of tasks"),
        ("[service]\nrequests_in_flight_per_task = 300", "or burst_requests 2000"),
        ("[gateway]\nrequests_per_day_and_client = 10000000", "requests of a client in a day"),
        ("[processing]\nconcurrency = 49", "processing.concurrency: payments a second that the functions process"),
        (
            "[database]\nmax_connections = 1500",
            "database.max_connections: connections to the writer: 1200 is not allowed",
        ),
    ],
)
def test_sizes_that_ten_thousand_transactions_would_outgrow_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (line,) = lines(tmp_path, text)
    assert said in line


@pytest.mark.requirement("P3.4")
@pytest.mark.parametrize("environment", known_environments(ENVIRONMENTS))
def test_every_environment_is_sized_for_ten_thousand_transactions(environment: str) -> None:
    found = load(environment).bounds
    assert any(bound.needed == CONCURRENT_TRANSACTIONS == 10_000 for bound in found)
    assert all(bound.holds for bound in found)
