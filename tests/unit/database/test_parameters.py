"""Database parameters (W3.1): TLS only, who changed what, and none that leaves a plan for ever."""

from __future__ import annotations

import pytest

from settings.database import ENGINE_VERSIONS
from tests.synthesized import Block, Synthesized
from tests.unit.database.support import REGIONS, cluster, instances, with_database

# The families' defaults by major version where they differ; "" is none (engine-default).
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Reference.ParameterGroups.html
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html (rds.force_ssl)
DEFAULTS = {
    "idle_in_transaction_session_timeout": "86400000",
    "log_connections": "0",
    "log_disconnections": "0",
    "log_lock_waits": "0",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "",
    "log_statement": "none",
    "pgaudit.log": "",
    "rds.global_db_rpo": "-1",
    "rds.accepted_password_auth_method": "md5+scram",
    "rds.force_ssl": {"15": "0", "16": "0", "17": "1", "18": "1"},
    "shared_preload_libraries": "pg_stat_statements",
    "ssl_min_protocol_version": "TLSv1.2",
    "track_io_timing": "1",
}


@pytest.fixture(scope="module", params=ENGINE_VERSIONS)
def major(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def platform(major: str) -> Synthesized:
    return with_database(engine_version=ENGINE_VERSIONS[major][-1])


def groups(platform: Synthesized, region: str) -> tuple[Block, Block]:
    """The parameter groups of the region's cluster and of its instances."""
    first, *_ = instances(platform, region)
    return (
        platform.by_id(cluster(platform, region)["db_cluster_parameter_group_name"]),
        platform.by_id(first["db_parameter_group_name"]),
    )


def parameters(group: Block) -> dict[str, str]:
    return {one["name"]: one["value"] for one in group["parameter"]}


@pytest.mark.requirement("W0.1")
@pytest.mark.parametrize("region", REGIONS)
def test_parameter_equal_to_its_familys_default_would_never_leave_the_plan(
    platform: Synthesized, major: str, region: str
) -> None:
    for group in groups(platform, region):
        assert group["family"] == f"aurora-postgresql{major}"
        assert group["parameter"]
        for name, value in parameters(group).items():
            default = DEFAULTS[name]
            assert value != (default[major] if isinstance(default, dict) else default), name


@pytest.mark.requirement("W3.1")
@pytest.mark.requirement("W5.5")
@pytest.mark.parametrize("region", REGIONS)
def test_database_requires_tls_and_logs_changes(platform: Synthesized, major: str, region: str) -> None:
    group, _ = groups(platform, region)
    defaults = {name: one[major] if isinstance(one, dict) else one for name, one in DEFAULTS.items()}
    own = defaults | parameters(group)
    assert own["rds.force_ssl"] == "1"
    assert own["ssl_min_protocol_version"] == "TLSv1.2"
    assert own["rds.accepted_password_auth_method"] == "scram"
    assert own["log_statement"] == "ddl"
    assert own["log_min_duration_statement"] == "1000"
    assert "pgaudit" in own["shared_preload_libraries"]
    assert own["pgaudit.log"] == "ddl,role"
    assert own["log_parameter_max_length"] == "0"  # no values of statements, which may be of cards
    static = [one for one in group["parameter"] if one["apply_method"] == "pending-reboot"]
    assert [one["name"] for one in static] == ["shared_preload_libraries"]
    assert "rds.global_db_rpo" not in parameters(group), "a writer that blocks commits is asked for"


@pytest.mark.requirement("W3.5")
def test_writer_of_either_region_blocks_commits_beyond_the_recovery_point_where_settings_enforce_it() -> None:
    enforced = with_database(recovery_point_seconds=30, enforce_recovery_point=True)
    for region in REGIONS:
        group, _ = groups(enforced, region)
        (one,) = [one for one in group["parameter"] if one["name"] == "rds.global_db_rpo"]
        assert (one["value"], one["apply_method"]) == ("30", "immediate")
        purpose = "database" if region == "primary" else "recovery-database"
        (alarm,) = [
            alarm
            for alarm in enforced.resources("aws_cloudwatch_metric_alarm").values()
            if alarm["alarm_name"].endswith(f"/{purpose}-global-lag")
        ]
        assert alarm["threshold"] == 30_000  # ms
