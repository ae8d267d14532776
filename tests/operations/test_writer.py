"""Nothing of the database is destroyed while its writer is in the recovery region (W3.3, W8.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from operations.deployment.writer import refuse_loss_of_writer
from operations.outcome import Refused
from tests.synthesized import Synthesized

pytestmark = pytest.mark.requirement("W3.3", "W8.1")
TYPES = ("aws_rds_global_cluster", "aws_rds_cluster", "aws_rds_cluster_instance")


def arn_of(id_: str) -> str:
    return f"arn:aws:rds:{id_.partition('_')[0]}:123456789012:cluster:{id_}"


def plan(platform: Synthesized, writer: str, *destroyed: str) -> str:
    """The plan of the deployed databases, of which these types are destroyed; ``writer`` begins its cluster's id."""
    members: list[dict[str, Any]] = [
        {"db_cluster_arn": arn_of(id_), "is_writer": id_.startswith(writer)}
        for id_ in platform.resources("aws_rds_cluster")
    ]
    assert sum(one["is_writer"] for one in members) == 1
    before: dict[str, Any] = {"aws_rds_global_cluster": {"global_cluster_members": members}}
    changes = [
        {
            "address": f"{type_}.{id_}",
            "type": type_,
            "change": {
                "actions": ["delete"] if type_ in destroyed else ["no-op"],
                "before": before.get(type_, {"arn": arn_of(id_)}),
            },
        }
        for type_ in TYPES
        for id_ in platform.resources(type_)
    ]
    return json.dumps({"resource_changes": changes})


@pytest.mark.parametrize("type_", TYPES)
def test_plan_that_destroys_a_part_of_the_database_is_refused_while_the_writer_is_away(
    platform: Synthesized, type_: str
) -> None:
    with pytest.raises(Refused, match=f"its writer is arn:.*{type_}.*make failover TO=primary first"):
        refuse_loss_of_writer(plan(platform, "recovery", type_))
    refuse_loss_of_writer(plan(platform, "recovery"))
    refuse_loss_of_writer(plan(platform, "primary", type_))


def test_first_deployment_has_no_writer() -> None:
    created = {"address": "aws_rds_global_cluster.g", "type": "aws_rds_global_cluster"}
    refuse_loss_of_writer(
        json.dumps({"resource_changes": [{**created, "change": {"actions": ["create"], "before": None}}]})
    )
