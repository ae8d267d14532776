"""Settings: what is accepted, and how what is not is said."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings import Settings, SettingsError, chosen_environment, known_environments, load, loading
from settings.base import SettingsModel
from settings.errors import describe
from settings.former_keys import FORMER_KEYS
from settings.loading import ENVIRONMENTS
from settings.reference import groups

pytestmark = pytest.mark.requirement("W0.4")


SCHEDULE = (
    '[services.web.scheduled_scaling.sale]\nschedule = "{}"\ntime_zone = "{}"\nmin_tasks = 2\nmax_tasks = {}\n'
    'until = "cron(0 9 * * ? *)"'
)


REPOSITORY = Path(__file__).parents[3]


def lines_of(tmp_path: Path, text: str) -> tuple[str, ...]:
    """The lines that a settings file is refused with."""
    file = tmp_path / "pull-request.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load(str(file))
    return refused.value.lines


def test_every_former_key_names_an_existing_key_and_is_not_a_key_itself() -> None:
    models: list[type[SettingsModel]] = [Settings, *groups(Settings)]
    keys = {name for model in models for name in model.model_fields}
    assert set(FORMER_KEYS.values()) <= keys
    assert not keys & set(FORMER_KEYS)


@pytest.mark.parametrize("environment", ["local", "staging", "production"])
def test_shipped_environments_are_valid(environment: str) -> None:
    settings = load(environment)
    assert settings.environment_suffix == environment
    assert list(settings.services) == ["web", "payments", "reports"]
    assert settings.protected == (environment == "production")


@pytest.mark.parametrize(
    ("change", "field", "value", "allowed"),
    [
        ('[primary]\ncidr = "10.10.0.0/33"', "primary.cidr", "'10.10.0.0/33'", "an IPv4 CIDR block is allowed"),
        ('[primary]\ncidr = "10.10.0.1/16"', "primary.cidr", "'10.10.0.1/16'", "no address bit set"),
        ('[primary]\ncidr = "10.10.0.0/24"', "primary.cidr", "'10.10.0.0/24'", "/16 to /20"),
        ('[primary]\ncidr = "8.8.0.0/16"', "primary.cidr", "'8.8.0.0/16'", "RFC 1918"),
        ("[primary]\ncidr = 10", "primary.cidr", "10", "valid string"),
        ('[primary]\nname = "ohio"', "primary.name", "'ohio'", "such as us-east-2"),
        ('[primary]\nzones = ["us-east-2a", "us-east-2a", "us-east-2b"]', "primary.zones", "us-east-2a", "3 different"),
        ('[primary]\nzones = ["us-west-2a", "us-west-2b", "us-west-2c"]', "primary.zones", "us-west-2a", "us-east-2"),
        ('[recovery]\ncidr = "10.10.128.0/20"', "recovery.cidr", "'10.10.128.0/20'", "not overlap primary.cidr"),
        ('[network]\nnat_gateway = "one"', "network.nat_gateway", "'one'", "not a known setting"),
        ("[services.web]\nminimum_tasks = 2", "services.web.minimum_tasks", "minimum_tasks", "is now called min_tasks"),
        ('colour = "blue"', "colour", "'blue'", "not a known setting"),
        ('[network]\nnat_gateways = "two"', "network.nat_gateways", "'two'", "'none', 'one' or 'one_per_zone'"),
        ("[network]\nflow_log_aggregation_seconds = 61", "flow_log_aggregation_seconds", "61", "60 or 600"),
        ("[network]\ninterface_endpoint_zones = 4", "interface_endpoint_zones", "4", "1, 2 or 3"),
        ('environment_suffix = "asuffixtoolongforaws"', "environment_suffix", "toolong", "AWS allows 32"),
        ('environment_suffix = "Upper"', "environment_suffix", "'Upper'", "lower-case"),
        (
            f'[domain]\nname = "{"a" * 30}.example.com"',
            "domain.name",
            "example.com",
            "1 shorter is, or a shorter environment_suffix",
        ),
        (
            f'[edge]\nhost_names = ["{"a" * 60}"]',
            "domain.name",
            "pay.example.com",
            "the name of a certificate, and AWS allows 64 characters",
        ),
        (
            '[edge]\norigin_routing = "latency"\n[database]\nrecovery = "snapshots"\nrecovery_instances = 0',
            "edge.origin_routing",
            "latency",
            "the recovery region has no database",
        ),
        ('account_id = "12345"', "account_id", "'12345'", "12 digits"),
        ("account_id = 123456789012", "account_id", "123456789012", "string"),
        ('protected = "no"', "protected", "'no'", "boolean"),
        ("[encryption]\nrotation_period_days = 89", "encryption.rotation_period_days", "89", "90"),
        ("[encryption]\ndeletion_window_days = 31", "encryption.deletion_window_days", "31", "30"),
        ("[storage]\nbackup_expiration_days = 59", "storage.backup_expiration_days", "59", "60 or more"),
        ('name_prefix = "sg"', "name_prefix", "'sg'", "which AWS keeps for itself"),
        ('[primary]\nname = "us-gov-west-1"', "primary.name", "'us-gov-west-1'", "commercial AWS region"),
        (
            'alarm_email_addresses = ["a@example.com", "a@example.com"]',
            "alarm_email_addresses",
            "a@example.com",
            "once",
        ),
        ('[tags]\nplatform = "x"', "tags.platform", "'platform'", "the platform sets itself"),
        ("[storage]\nbackup_infrequent_access_days = 29", "storage.backup_infrequent_access_days", "29", "30"),
        ('[tags]\n"aws:mine" = "x"', "tags.aws:mine", "'aws:mine'", "letters"),
        ('alarm_email_addresses = ["nobody"]', "alarm_email_addresses.0", "'nobody'", "e-mail"),
        ('[state]\nbucket = "Not_A_Bucket"', "state.bucket", "'Not_A_Bucket'", "bucket name"),
        ('[services.web]\nimage = "nginx:latest"', "services.web.image", "'nginx:latest'", "named by digest"),
        ("[services.web]\nmemory_mib = 4096", "services.web.memory_mib", "4096", "512 to 2048 in steps of 512"),
        ("[services.web]\nmax_tasks = 1", "services.web.max_tasks", "1", "min_tasks (2) or more"),
        ("[services.web]\npath_patterns = []", "services.web.path_patterns", "()", "needs a path"),
        ('[services.reports]\npath_patterns = ["/r/*"]', "services.reports.path_patterns", "/r/*", "a worker"),
        ("[services.web]\npriority = 1000", "services.payments.priority", "1000", "web has it"),
        ("[services.web]\nport = 443", "services.web.port", "443", "1024"),
        ('[services.web]\ncontainer_check = ["a\\nb"]', "services.web.container_check.0", "a", "plain characters"),
        ("[services.web]\nuser = 0", "services.web.user", "0", "1"),
        ("[services.web.health_check]\ntimeout_seconds = 15", "health_check.timeout_seconds", "15", "less than"),
        ("[services.web.health_check]\nslow_start_seconds = 5", "health_check.slow_start_seconds", "5", "30 to 900"),
        ("[services.web]\nconnections_per_task = 110", "database.instance_class", "db.r8g.large", "web 2640"),
        ("[services.web]\nconnections_per_task = 110", "database.instance_class", "db.r8g.large", "both regions"),
        ("[services.web]\npriority = 1", "services.web.priority", "1", "2"),
        ("[recovery]\nstandby_percent = 0", "recovery.standby_percent", "0", "1"),
        (
            SCHEDULE.format("rate(1 day)", "UTC", 6),
            "services.web.scheduled_scaling.sale.schedule",
            "rate(1 day)",
            "at(",
        ),
        (SCHEDULE.format("cron(0 6 * * * *)", "UTC", 6), "scheduled_scaling.sale.schedule", "cron(0 6", "? for day"),
        (SCHEDULE.format("at(2026-02-30T06:00:00)", "UTC", 6), "sale.schedule", "2026-02-30", "yyyy-mm-dd"),
        (SCHEDULE.format("cron(0 6 * * ? *)", "Mars/Base", 6), "sale.time_zone", "'Mars/Base'", "Europe/Vienna"),
        (SCHEDULE.format("cron(0 6 * * ? *)", "UTC", 1), "sale.max_tasks", "1", "min_tasks (2) or more"),
        (SCHEDULE.format("cron(0 6 * * ? *)", "UTC", 9), "sale.max_tasks", "9", "max_tasks (6)"),
        (SCHEDULE.format("cron(0 9 * * ? *)", "UTC", 6), "sale.until", "cron(0 9", "another time than schedule"),
        ('[processing]\nservice = "reports"', "processing.service", "'reports'", "critical service is: web, payments"),
        ('[processing]\nservice = "shop"', "processing.service", "'shop'", "critical service is: web, payments"),
        (
            "[services.payments]\nconnections_per_task = 1",
            "services.payments.connections_per_task",
            "1",
            "2 or more is: it accepts payments",
        ),
        ("[processing]\nconcurrency = 250", "database.instance_class", "db.r8g.large", "processing 2510"),
        ("[processing]\nconcurrency = 1", "processing.concurrency", "1", "2"),
        ("[processing]\naudit_months = 11", "processing.audit_months", "11", "greater than or equal to 12"),
        ('[services.web.variables]\nAUDIT_MONTHS = "24"', "variables", "AUDIT_MONTHS", "sets itself"),
        ("[processing]\nbatch_size = 11", "processing.batch_size", "11", "10"),
        ("[processing]\ncall_seconds = 31", "processing.timeout_seconds", "45", "46 or more"),
        ('[processing.acquirer]\nurl = "http://a.example.com"', "processing.acquirer.url", "'http://a", "https://"),
        ('[processing.acquirer]\nurl = "https://a.example.com:8443"', "acquirer.url", "8443", "on port 443"),
        ('[processing.acquirer]\nlook_up = "guess"', "acquirer.look_up", "guess", "'reference'"),
        ("[processing.acquirer]\nkey_retention_hours = 0", "key_retention_hours", "0", "look_up is 'key'"),
        ("[processing.acquirer]\ndecides_within_hours = 721", "decides_within_hours", "721", "720"),
        ('[processing.acquirer]\nnetworks = ["10.0.0.0/24"]', "acquirer.networks.0", "10.0.0.0/24", "public addresses"),
        ('[processing.acquirer]\nnetworks = ["203.0.112.0/23"]', "acquirer.networks.0", "/23", "/24 to /32"),
        ('[domain]\nname = "no domain"', "domain.name", "'no domain'", "pay.example.com"),
        ("[release]\ncanary_percent = 100", "release.canary_percent", "100", "99"),
        ("[backups]\ndaily_retention_days = 0", "backups.daily_retention_days", "0", "1"),
        ("[backups]\nmonthly_retention_months = 1", "backups.monthly_retention_months", "1", "2 or more"),
        ("[backups]\nmonthly_copy_retention_months = 1", "monthly_copy_retention_months", "1", "2 or more"),
        ('[backups]\nstart_utc = "24:00"', "backups.start_utc", "'24:00'", "a time of day is allowed, such as 01:30"),
        (
            '[backups]\nstart_utc = "03:59"',
            "backups.start_utc",
            "'03:59'",
            "outside database.backup_window (03:00-04:00)",
        ),
        (
            '[backups]\nstart_utc = "00:10"\n[database]\nbackup_window = "23:30-00:30"',
            "backups.start_utc",
            "'00:10'",
            "outside database.backup_window (23:30-00:30)",
        ),
        ("[backups]\ncompletion_window_minutes = 119", "completion_window_minutes", "119", "120"),
        (
            "[backups]\nstart_window_minutes = 720",
            "backups.completion_window_minutes",
            "720",
            "more than start_window_minutes (720)",
        ),
        ("[backups]\ncold_storage_after_days = 30", "backups.cold_storage_after_days", "30", "not a known setting"),
        ("[backups]\nexport_timeout_hours = 169", "backups.export_timeout_hours", "169", "168"),
        ("[backups.lock]\ngrace_days = 2", "backups.lock.grace_days", "2", "3"),
        ('[backups.lock]\nmode = "strict"', "backups.lock.mode", "'strict'", "'governance' or 'compliance'"),
        (
            "protected = true\n[backups.lock]\nmin_retention_days = 36",
            "backups.lock.min_retention_days",
            "36",
            "35 or fewer is, the days of daily_retention_days",
        ),
        (
            "protected = true\n[backups.lock]\nmax_retention_days = 371",
            "backups.lock.max_retention_days",
            "371",
            "372 or more is, the days of monthly_retention_months",
        ),
        ('extends = "nowhere"', "extends", "'nowhere'", "local, production, staging"),
        (
            f'services.web.image = "123456789012.dkr.ecr.us-east-2.amazonaws.com/payments/other/web@sha256:{"0" * 64}"',
            "services.web.image",
            "payments/other/web",
            "123456789012's repository payments/local/web alone",
        ),
        (
            f'services.web.image = "210987654321.dkr.ecr.us-east-2.amazonaws.com/payments/local/web@sha256:{"0" * 64}"',
            "services.web.image",
            "210987654321",
            "123456789012's repository payments/local/web alone",
        ),
    ],
)
def test_wrong_value_is_one_line_with_field_value_and_what_is_allowed(
    tmp_path: Path, change: str, field: str, value: str, allowed: str
) -> None:
    base = "" if "extends" in change else 'extends = "local"\n'
    lines = lines_of(tmp_path, base + change)
    assert len(lines) == 1, lines
    assert lines[0].startswith("pull-request.toml: ")
    assert field in lines[0]
    assert value in lines[0]
    assert allowed in lines[0]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    lines = lines_of(
        tmp_path,
        'extends = "local"\naccount_id = "1"\nunknown = 1\n'
        'environment_suffix = "asuffixthatismuchtoolongforaws"\n'
        '[primary]\nzones = []\n[recovery]\nname = "us-east-2"\ncidr = "10.10.0.0/16"\n',
    )
    for field in ("account_id", "environment_suffix", "unknown", "primary.zones", "recovery.zones"):
        assert any(f" {field}: " in line for line in lines), (field, lines)


def test_rules_over_fields_are_reported_with_wrong_fields(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, 'extends = "local"\naccount_id = "1"\n[recovery]\ncidr = "10.10.0.0/16"\n')
    assert [line.split(": ")[1] for line in lines] == ["account_id", "recovery.cidr"]


def test_missing_field_is_named(tmp_path: Path) -> None:
    assert any(line == "pull-request.toml: account_id: not set; it is required" for line in lines_of(tmp_path, ""))


def test_internet_egress_requires_a_nat_gateway(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, 'extends = "local"\n[network]\nnat_gateways = "none"\n')
    assert len(lines) == len(load("local").services) + 1  # and the acquirer's
    assert all("reaches_internet: True is not allowed" in line for line in lines[:-1])
    assert "processing.acquirer.url" in lines[-1]


def test_files_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "ENVIRONMENTS", tmp_path)
    (tmp_path / "one.toml").write_text('extends = "two"')
    (tmp_path / "two.toml").write_text('extends = "one"')
    with pytest.raises(SettingsError, match="extends: 'one' is not allowed"):
        load("one")


@pytest.mark.parametrize("text", ["= 1", "[primary", "a = 1\na = 2", "\x00"])
def test_invalid_toml_is_one_line(tmp_path: Path, text: str) -> None:
    lines = lines_of(tmp_path, text)
    assert len(lines) == 1
    assert "not TOML" in lines[0]


def test_a_file_that_extends_another_holds_only_the_difference(tmp_path: Path) -> None:
    file = tmp_path / "pr-123.toml"
    file.write_text(
        'extends = "staging"\nenvironment_suffix = "pr-123"\n[network]\nflow_log_aggregation_seconds = 60\n'
    )
    settings, staging = load(str(file)), load("staging")
    assert settings.environment_suffix == "pr-123"
    assert settings.network.flow_log_aggregation_seconds == 60
    assert settings.network.interface_endpoint_zones == staging.network.interface_endpoint_zones
    assert settings.account_id == staging.account_id


def test_environment_is_chosen_by_option_before_variable() -> None:
    variables = {"PLATFORM_ENVIRONMENT": "production"}
    assert chosen_environment(["--environment", "staging"], variables) == "staging"
    assert chosen_environment(["--environment=staging"], variables) == "staging"
    assert chosen_environment([], variables) == "production"
    assert chosen_environment([], {}) == "local"


@pytest.mark.parametrize("environment", ["nowhere", "", "../local", "missing.toml", "a\nb"])
def test_unknown_environment_names_those_that_are_known(environment: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(environment)
    (line,) = refused.value.lines
    assert all(known in line for known in known_environments())
    assert "\n" not in line


def test_program_ends_with_two_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text('extends = "local"\n[primary]\ncidr = "ten"\n')
    ended = subprocess.run(
        [sys.executable, "main.py", "--environment", str(file)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert "primary.cidr: 'ten' is not allowed" in ended.stderr


toml_text = st.text(max_size=40)


toml_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | toml_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(toml_text, inner, max_size=4),
    max_leaves=12,
)


FIELDS = [
    "name_prefix", "environment_suffix", "account_id", "protected", "primary", "recovery", "state", "tags",
    "alarm_email_addresses", "network", "encryption", "storage", "surprise", "services", "release", "domain",
    "database",
]  # fmt: skip


def refused_or_valid(values: dict[str, Any]) -> None:
    """What a settings file of these values leads to: settings, or lines of the promised form."""
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        lines = describe(error, "file.toml").lines
        assert lines
        for line in lines:
            assert line.startswith("file.toml: ")
            assert line.isprintable()
            assert "Traceback" not in line


@given(st.dictionaries(st.sampled_from(FIELDS), toml_values))
def test_any_values_give_lines_and_never_a_traceback(values: dict[str, Any]) -> None:
    base = tomllib.loads((ENVIRONMENTS / "local.toml").read_text())
    refused_or_valid(base | values)


@given(st.sampled_from(["primary", "recovery", "state", "network", "encryption", "storage"]), st.data())
def test_any_values_within_a_table_give_lines_and_never_a_traceback(table: str, data: st.DataObject) -> None:
    base = tomllib.loads((ENVIRONMENTS / "local.toml").read_text())
    inner = base.get(table, {})
    known = [*inner, "surprise", "rotation_period_days", "unfinished_upload_days", "nat_gateways"]
    changes = data.draw(st.dictionaries(st.sampled_from(known), toml_values))
    refused_or_valid(base | {table: inner | changes})


@given(text=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_as_a_file_give_lines_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    file = tmp_path_factory.mktemp("settings") / "any.toml"
    file.write_bytes(text)
    with pytest.raises(SettingsError) as refused:
        load(str(file))
    assert refused.value.lines
    assert all(line.isprintable() for line in refused.value.lines)
