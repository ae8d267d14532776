"""Settings of the database: what AWS would refuse is refused here, a line each (W0.4, W3.1, W3.5)."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from settings import SettingsError, load
from settings.database import (
    ENGINE_VERSIONS,
    MEMORY_GIB,
    MINUTES_PER_DAY,
    SERVERLESS,
    WEEKDAYS,
    DatabaseSettings,
    overlap,
)

pytestmark = pytest.mark.requirement("W0.4")


SERVERLESS_LINE = 'instance_class = "db.serverless"\n'


SNAPSHOTS = 'recovery = "snapshots"\nrecovery_instances = 0\n'


def lines_of(tmp_path: Path, database: str, more: str = "") -> tuple[str, ...]:
    """The lines that a file with these lines in its table of the database is refused with."""
    file = tmp_path / "wrong.toml"
    file.write_text(f'extends = "local"\n[database]\n{database}\n{more}')
    with pytest.raises(SettingsError) as refused:
        load(str(file))
    return refused.value.lines


@pytest.mark.parametrize(
    ("database", "field", "value", "allowed"),
    [
        ('engine_version = "17.3"', "engine_version", "'17.3'", "17.9"),  # PostgreSQL has it, Aurora does not
        ('engine_version = "17"', "engine_version", "'17'", "17.9"),
        ("engine_version = 17.9", "engine_version", "17.9", "string"),
        ('instance_class = "db.m7g.large"', "instance_class", "'db.m7g.large'", "db.r8g.large"),
        ('instance_class = "db.r8g.medium"', "instance_class", "'db.r8g.medium'", "db.serverless"),
        ('instance_class = "db.t4g.large"', "instance_class", "'db.t4g.large'", "db.r6g.large or larger"),
        (
            'instance_class = "db.serverless"\nmin_serverless_units = 4.0',
            "min_serverless_units",
            "4.0",
            "8 or more",
        ),
        ("min_serverless_units = 0.7", "min_serverless_units", "0.7", "multiple of 0.5"),
        (
            f"{SNAPSHOTS}{SERVERLESS_LINE}max_serverless_units = 0.5\nmin_serverless_units = 0.5",
            "max_serverless_units",
            "0.5",
            "1.0 or more",
        ),
        ("readers = 1", "readers", "1", "2"),
        ("max_readers = 15", "max_readers", "15", "readers (2) to 14"),
        ("readers = 5", "max_readers", "4", "readers (5) to 14"),
        ("connections_per_reader = 1500", "connections_per_reader", "1500", "up to 1342"),
        ("backup_retention_days = 36", "backup_retention_days", "36", "35"),
        ('backup_window = "03:00-03:20"', "backup_window", "'03:00-03:20'", "30 minutes or more"),
        ('backup_window = "3:00-4:00"', "backup_window", "'3:00-4:00'", "such as 03:00-04:00"),
        ('maintenance_window = "sun:05:00-tue:05:00"', "maintenance_window", "'sun:05:00-tue:05:00'", "to a day"),
        ('maintenance_window = "sun:03:30-sun:04:30"', "maintenance_window", "'sun:03:30-sun:04:30'", "03:00-04:00"),
        ("performance_insights_days = 30", "performance_insights_days", "30", "a multiple of 31"),
        ('database_insights_mode = "advanced"', "performance_insights_days", "7", "465 or more"),
        ('database_insights_mode = "full"', "database_insights_mode", "'full'", "'standard' or 'advanced'"),
        ("monitoring_seconds = 0", "monitoring_seconds", "0", "1, 5, 10, 15, 30 or 60"),
        ("rotation_days = 0", "rotation_days", "0", "1"),
        ("rotation_window_hours = 25", "rotation_window_hours", "25", "24"),
        ('recovery = "backups"', "recovery", "'backups'", "'global' or 'snapshots'"),
        ('recovery = "snapshots"', "recovery_instances", "1", "0 is"),
        ("recovery_point_seconds = 0", "recovery_point_seconds", "0", "1"),
        ("enforce_recovery_point = true", "recovery_point_seconds", "5", "20 or more"),
        (f"{SNAPSHOTS}enforce_recovery_point = true", "enforce_recovery_point", "True", "false is"),
    ],
)
def test_wrong_value_is_one_line_with_field_value_and_what_is_allowed(
    tmp_path: Path, database: str, field: str, value: str, allowed: str
) -> None:
    if "recovery_instances" not in database and "recovery =" not in database:
        database += '\nrecovery = "global"\nrecovery_instances = 1'
    lines = lines_of(tmp_path, database)
    assert len(lines) == 1, lines
    assert f"database.{field}: {value}" in lines[0]
    assert allowed in lines[0]


def test_tasks_may_open_four_fifths_of_the_connections_of_an_instance(tmp_path: Path) -> None:
    services = "[services.web]\nconnections_per_task = 20\n"  # 243 with the default of 5, 423 with 20
    (line,) = lines_of(tmp_path, f'{SNAPSHOTS}instance_class = "db.t4g.medium"', services)
    assert "database.instance_class: 'db.t4g.medium' is not allowed" in line
    assert "tasks may hold 80% of its 419 connections, 335, and could hold 423" in line
    larger = tmp_path / "right.toml"
    larger.write_text(f'extends = "local"\n[database]\n{SNAPSHOTS}instance_class = "db.t4g.large"\n{services}')
    assert load(str(larger)).database.max_connections == 839


@pytest.mark.parametrize(
    ("values", "connections"),
    [
        # AWS's own example of the formula is 15.25 GiB with 1600; these are as long in proportion.
        ({"instance_class": "db.t4g.medium"}, 419),
        ({"instance_class": "db.r8g.large"}, 1678),
        ({"instance_class": "db.r8g.xlarge"}, 3357),
        ({"instance_class": "db.r8g.2xlarge"}, 5000),
        ({"instance_class": SERVERLESS, "max_serverless_units": 8.0}, 1669),
        ({"instance_class": SERVERLESS, "max_serverless_units": 15.5}, 1669),
        ({"instance_class": SERVERLESS, "max_serverless_units": 128.0}, 5000),
        ({"instance_class": SERVERLESS, "max_serverless_units": 128.0, "min_serverless_units": 0.5}, 2000),
    ],
)
def test_connections_follow_the_class(values: dict[str, Any], connections: int) -> None:
    assert DatabaseSettings(**values, connections_per_reader=100).max_connections == connections


def published(name: str) -> dict[str, Any]:
    """What AWS publishes of RDS with CloudFormation, as cfn-lint carries it."""
    folder = resources.files("cfnlint") / "data" / "schemas" / "extensions"
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


def of_aurora_postgresql(rules: dict[str, Any], attribute: str) -> set[str]:
    """The values of an attribute that a set of rules names for the engine."""
    found: set[str] = set()
    for rule in rules["allOf"]:
        if rule["if"]["properties"]["Engine"].get("const") == "aurora-postgresql" and isinstance(rule["then"], dict):
            found |= set(rule["then"]["properties"][attribute]["enum"])
    return found


@pytest.mark.requirement("W3.1")
def test_engine_versions_are_those_that_aws_has() -> None:
    known = {version for versions in ENGINE_VERSIONS.values() for version in versions}
    assert known <= of_aurora_postgresql(published("aws_rds_dbcluster/engine_version.json"), "EngineVersion")
    deprecated = json.dumps(published("aws_rds_dbcluster/engine_version_deprecated.json")["allOf"][1]["if"])
    assert "aurora-postgresql" in deprecated
    assert not [version for version in known if f'"{version}"' in deprecated]
    for major, versions in ENGINE_VERSIONS.items():
        assert all(version.startswith(f"{major}.") for version in versions)


@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("region", ["us-east-2", "us-west-2"])
def test_classes_are_those_that_the_engine_runs_on_in_both_regions(region: str) -> None:
    rules = published("aws_rds_dbinstance/dbinstanceclass_enum.json")[region]
    assert {*MEMORY_GIB, SERVERLESS} <= of_aurora_postgresql(rules, "DBInstanceClass")


minutes_of_day = st.integers(0, MINUTES_PER_DAY - 1)


def clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def moment(minutes: int) -> str:
    return f"{WEEKDAYS[minutes // MINUTES_PER_DAY % 7]}:{clock(minutes)}"


@given(minutes_of_day, st.integers(30, 600), st.integers(0, 7 * MINUTES_PER_DAY - 1), st.integers(30, MINUTES_PER_DAY))
def test_windows_overlap_where_they_share_a_minute(begin: int, length: int, week_begin: int, week_length: int) -> None:
    daily = f"{clock(begin)}-{clock(begin + length)}"
    weekly = f"{moment(week_begin)}-{moment(week_begin + week_length)}"
    taken = {(begin + minute) % MINUTES_PER_DAY for minute in range(length)}
    shared = any((week_begin + minute) % MINUTES_PER_DAY in taken for minute in range(week_length))
    assert overlap(daily, weekly) == shared
    if shared:
        with pytest.raises(ValidationError, match="maintenance_window"):
            DatabaseSettings(backup_window=daily, maintenance_window=weekly)
    else:
        DatabaseSettings(backup_window=daily, maintenance_window=weekly)
