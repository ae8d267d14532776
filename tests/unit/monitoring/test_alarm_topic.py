"""Topics of alarms (W5.2): encrypted, for the environment's own alarms, with the subscribers of the settings."""

from __future__ import annotations

import pytest

from settings import Settings, load
from tests.platform.support import REGIONS
from tests.synthesized import Synthesized, path_of, region_of, synthesize


@pytest.mark.requirement("W5.2")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("path", ["alarms", "paging/pages"])
def test_topics_are_encrypted_and_take_own_alarms_only(platform: Synthesized, region: str, path: str) -> None:
    topic = platform.resource("aws_sns_topic", f"/{region}/{path}/topic")
    assert path_of(platform.by_id(topic["kms_master_key_id"])) == f"payment-platform/{region}/keys/logs"
    policy = platform.resource("aws_sns_topic_policy", f"/{region}/{path}/policy")
    statements = platform.statements(policy["policy"])
    publish = statements["PublishByOwnAlarms"]
    assert publish["principals"] == [{"type": "Service", "identifiers": ["cloudwatch.amazonaws.com"]}]
    values = {one["variable"]: one["values"] for one in publish["condition"]}
    assert values == {
        "aws:SourceAccount": ["123456789012"],
        "aws:SourceArn": [f"arn:aws:cloudwatch:{REGIONS[region]}:123456789012:alarm:payments/local/*"],
    }
    assert statements["NothingWithoutTls"]["effect"] == "Deny"


@pytest.mark.requirement("W5.2")
def test_notified_and_paged_addresses_are_settings() -> None:
    pages = {"paging_email_addresses": ["night@example.com"], "paging_addresses": ["https://pager.example.com/a/b"]}
    values = load("local").model_dump() | {"observability": pages, "alarm_email_addresses": ["day@example.com"]}
    platform = synthesize(Settings.model_validate(values))
    found = sorted(
        (region_of(one), path_of(platform.by_id(one["topic_arn"])).split("/")[2], one["protocol"], one["endpoint"])
        for one in platform.resources("aws_sns_topic_subscription").values()
    )
    assert found == sorted(
        (region, *rest)
        for region in REGIONS
        for rest in (
            ("alarms", "email", "day@example.com"),
            ("paging", "email", "night@example.com"),
            ("paging", "https", "https://pager.example.com/a/b"),
        )
    )
    by_https = [one for one in platform.resources("aws_sns_topic_subscription").values() if one["protocol"] == "https"]
    assert all(one["endpoint_auto_confirms"] for one in by_https)


@pytest.mark.requirement("W5.2")
def test_alarms_are_sent_to_the_addresses_that_settings_list() -> None:
    platform = synthesize(load("local").model_copy(update={"alarm_email_addresses": ("on-call@example.com",)}))
    subscriptions = platform.resources("aws_sns_topic_subscription").values()
    assert sorted(region_of(subscription) for subscription in subscriptions) == ["global", "primary", "recovery"]
    assert {subscription["endpoint"] for subscription in subscriptions} == {"on-call@example.com"}
