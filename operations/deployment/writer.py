"""The database's writer while it is in the recovery region: no plan may destroy a part of the database then.

Terraform destroys in an order that was made for a writer in the primary region: the instances of the recovery region go
first, which would be the only writer, and RDS then refuses to take the writer out of the global cluster.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-managing.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from operations.outcome import Refused

GLOBAL, CLUSTER, INSTANCE = "aws_rds_global_cluster", "aws_rds_cluster", "aws_rds_cluster_instance"
RECOVERY = f"{CLUSTER}.recovery_"
"""The beginning of the address of the recovery region's cluster."""


def refuse_loss_of_writer(plan: str) -> None:
    """Make sure that a plan, as `terraform show -json` writes it, destroys no database whose writer is elsewhere.

    Raises:
        Refused: the writer is in the recovery region, and a cluster, an instance or the global one would be destroyed.
    """
    changes = json.loads(plan).get("resource_changes", [])
    clusters = {_before(one).get("arn"): one["address"] for one in changes if one["type"] == CLUSTER}
    writers = [arn for one in changes if one["type"] == GLOBAL for arn in _writers(_before(one))]
    elsewhere = [arn for arn in writers if clusters.get(arn, "").startswith(RECOVERY)]
    destroyed = [
        one["address"]
        for one in changes
        if one["type"] in {GLOBAL, CLUSTER, INSTANCE} and "delete" in one["change"]["actions"]
    ]
    if elsewhere and destroyed:
        raise Refused(
            f"database: its writer is {elsewhere[0]}, in the recovery region, and {', '.join(destroyed)} would be "
            "destroyed: make failover TO=primary first"
        )


def _before(planned: Mapping[str, Any]) -> Mapping[str, Any]:
    return planned["change"].get("before") or {}


def _writers(global_cluster: Mapping[str, Any]) -> Iterator[str]:
    for member in global_cluster.get("global_cluster_members") or ():
        if member.get("is_writer"):
            yield member["db_cluster_arn"]
