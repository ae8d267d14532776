"""A platform that has lived is set to another way of recovery, and destroyed: nothing is left (W8.2)."""

from __future__ import annotations

import pytest

from settings import Settings
from tests.lifecycle.changes import APPLIED
from tests.lifecycle.ending import Ended
from tests.lifecycle.laws import changes_the_database_in_place, replaces_nothing_in_use

pytestmark = pytest.mark.lifecycle


def test_destroyed_platform_had_an_export_failovers_and_releases(ended: Ended) -> None:
    """What is destroyed is what exports, failovers and releases leave as well; each is looked at in its own file."""
    assert ended.exported == "SUCCEEDED"
    assert ended.exit_codes == [0, 0, 0, 3]  # there, back, released, rolled back


@pytest.mark.requirement("W3.4")
@pytest.mark.requirement("W3.5")
def test_deployed_platform_can_change_to_recovery_by_snapshots(ended: Ended) -> None:
    assert ended.applied.recovery_clusters == []
    assert ended.applied.plan == []


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("change", APPLIED)
def test_settings_change_replaces_no_resource_in_use(ended: Ended, change: str) -> None:
    replaces_nothing_in_use(change, ended.applied.by_change[change])


@pytest.mark.requirement("W7.1")
@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("change", APPLIED)
def test_database_change_is_made_in_place(ended: Ended, change: str) -> None:
    changes_the_database_in_place(change, ended.applied.by_change[change])


@pytest.mark.requirement("W3.3")
def test_lost_master_password_is_replaced_in_cluster_and_secret_together(ended: Ended) -> None:
    changed = {line.rsplit("_", 1)[0] for line in ended.applied.by_change["database-password"]}
    assert changed == {
        "update aws_rds_cluster.primary_database_cluster",
        "replace aws_secretsmanager_secret_version.primary_database-secrets_master-version",
    }


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W3.3")
def test_replaced_master_password_is_found_nowhere_else(ended: Ended) -> None:
    assert ended.applied.new_passwords == ["administrator"]
    assert ended.applied.found == []


@pytest.mark.requirement("W8.1")
def test_a_reviewer_who_may_only_read_the_state_sees_the_whole_change(ended: Ended) -> None:
    assert ended.applied.done
    assert sorted(ended.applied.reviewed) == sorted(ended.applied.done)


@pytest.mark.requirement("W8.2")
def test_destroyed_platform_leaves_no_resource(ended: Ended) -> None:
    assert ended.left == {}


@pytest.mark.requirement("W0.3")
def test_the_state_bucket_outlives_the_platform(ended: Ended, local_settings: Settings) -> None:
    assert ended.buckets_left == [local_settings.state.bucket, local_settings.state.replica]
