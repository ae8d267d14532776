"""Logs of the distribution (W4.1, W5.3)."""

from __future__ import annotations

import pytest

from tests.synthesized import Synthesized, path_of
from tests.unit.ingress.support import distribution


@pytest.mark.requirement("W4.1")
@pytest.mark.requirement("W5.3")
def test_requests_are_logged_for_30_days_without_customer_data(platform: Synthesized) -> None:
    group = platform.resource("aws_cloudwatch_log_group", "global/distribution-logs/log-group")
    assert group["retention_in_days"] == 30
    assert path_of(platform.by_id(group["kms_key_id"])).endswith("global/keys/logs")
    source = platform.resource("aws_cloudwatch_log_delivery_source", "distribution-logs/source")
    assert platform.by_id(source["resource_arn"]) == distribution(platform)
    destination = platform.resource("aws_cloudwatch_log_delivery_destination", "distribution-logs/destination")
    (configuration,) = destination["delivery_destination_configuration"]
    assert platform.by_id(configuration["destination_resource_arn"]) == group
    delivery = platform.resource("aws_cloudwatch_log_delivery", "distribution-logs/delivery")
    assert not {"cs(Cookie)", "cs-uri-query"} & set(delivery["record_fields"])
    assert {"sc-status", "cs-uri-stem", "x-edge-request-id"} <= set(delivery["record_fields"])


@pytest.mark.requirement("W5.3")
def test_changed_fields_replace_the_delivery_as_aws_refuses_their_update(platform: Synthesized) -> None:
    """https://github.com/hashicorp/terraform-provider-aws/issues/46108"""
    delivery = platform.resource("aws_cloudwatch_log_delivery", "distribution-logs/delivery")
    (trigger,) = delivery["lifecycle"]["replace_triggered_by"]
    fields = platform.configuration["resource"]["terraform_data"][trigger.removeprefix("terraform_data.")]
    assert fields["input"]["record_fields"] == delivery["record_fields"]
