"""Records of Route 53: those of several environments in one zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.support import Client

pytestmark = pytest.mark.requirement("W8.2", "W8.6")


def test_record_of_a_set_is_deleted_alone_where_another_name_has_the_same_set(client: Callable[..., Client]) -> None:
    route53 = client("route53")
    zone = route53.create_hosted_zone(Name="shared.example.com", CallerReference="records")["HostedZone"]["Id"]

    def change(action: str, name: str, identifier: str) -> None:
        record: dict[str, Any] = {
            "Name": name,
            "Type": "A",
            "SetIdentifier": identifier,
            "Weight": 1,
            "TTL": 60,
            "ResourceRecords": [{"Value": "192.0.2.1"}],
        }
        changes = [{"Action": action, "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    for name in ("one.shared.example.com", "two.shared.example.com"):
        change("UPSERT", name, "us-east-2")
        change("UPSERT", name, "us-west-2")
    change("DELETE", "one.shared.example.com", "us-east-2")
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert sorted((one["Name"], one["SetIdentifier"]) for one in records if "SetIdentifier" in one) == [
        ("one.shared.example.com.", "us-west-2"),
        ("two.shared.example.com.", "us-east-2"),
        ("two.shared.example.com.", "us-west-2"),
    ]
