"""The deployed platform fails over to its other region, and back, by the command (W3.5, W7.2)."""

from __future__ import annotations

import pytest

from tests.lifecycle.clients import CLUSTER
from tests.lifecycle.traffic import Moved

pytestmark = pytest.mark.lifecycle


@pytest.mark.requirement("W3.5")
@pytest.mark.requirement("W7.2")
def test_plan_is_empty_after_failover_to_another_instance_or_region(moved: Moved) -> None:
    there, back = moved.there, moved.back
    assert (there.code, back.code) == (0, 0), there.output + back.output
    clusters = [
        "us-west-2:123456789012:cluster:payments-recovery-database-local",
        f"us-east-2:123456789012:cluster:{CLUSTER}",
    ]
    assert [there.writers, back.writers] == [[f"arn:aws:rds:{one}"] for one in clusters]
    # The second also after releases, which move no database (test_release.py).
    assert (there.plan, moved.releases.plan) == ([], [])
