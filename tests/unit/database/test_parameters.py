"""Database parameters (W3.1): TLS only, and who changed what."""

from __future__ import annotations

import pytest

from tests.synthesized import Block, Synthesized
from tests.unit.database.support import REGIONS, cluster


def parameters(group: Block) -> dict[str, str]:
    return {one["name"]: one["value"] for one in group["parameter"]}


@pytest.mark.requirement("W3.1")
@pytest.mark.requirement("W5.5")
@pytest.mark.parametrize("region", REGIONS)
def test_database_speaks_tls_only_and_says_who_changed_what(platform: Synthesized, region: str) -> None:
    group = platform.by_id(cluster(platform, region)["db_cluster_parameter_group_name"])
    assert group["family"] == "aurora-postgresql17"
    own = parameters(group)
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
