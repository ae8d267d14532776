"""Restore tests (W3.4): a backup is restored once a month."""

from __future__ import annotations

import re

import pytest

from tests.synthesized import Synthesized, region_of
from tests.unit.backup.support import only


@pytest.mark.requirement("W3.4")
def test_a_backup_is_restored_once_a_month_in_the_databases_own_subnets(backups: Synthesized) -> None:
    plan = only(backups, "aws_backup_restore_testing_plan")
    assert re.fullmatch(r"[a-zA-Z0-9_]{1,50}", plan["name"])
    assert plan["schedule_expression"] == "cron(30 4 2 * ? *)"
    (points,) = plan["recovery_point_selection"]
    assert [region_of(backups.by_id(vault)) for vault in points["include_vaults"]] == ["primary"]
    selection = only(backups, "aws_backup_restore_testing_selection")
    assert selection["protected_resource_type"] == "Aurora"
    cluster = backups.by_id(selection["restore_metadata_overrides"]["dbSubnetGroupName"])
    assert cluster is only(backups, "aws_rds_cluster")
