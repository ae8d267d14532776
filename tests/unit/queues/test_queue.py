"""Queues with dead-letter queues (W1.4, P3.2)."""

from __future__ import annotations

import json

import pytest

from tests.synthesized import Synthesized, path_of
from tests.unit.services.support import REGIONS


@pytest.mark.requirement("W1.3")
@pytest.mark.parametrize("region", REGIONS)
def test_worker_queue_is_encrypted_and_has_its_own_dead_letter_queue(platform: Synthesized, region: str) -> None:
    queue = platform.resource("aws_sqs_queue", f"{region}/services/reports-queue/queue")
    dead = platform.resource("aws_sqs_queue", f"{region}/services/reports-queue/dead-letters")
    for one in (queue, dead):
        assert path_of(platform.by_id(one["kms_master_key_id"])).endswith(f"{region}/keys/objects")
    assert json.loads(queue["redrive_policy"])["deadLetterTargetArn"].endswith(f":{dead['name']}")
    allow = platform.resource(
        "aws_sqs_queue_redrive_allow_policy", f"{region}/services/reports-queue/redrive-allow-policy"
    )
    assert json.loads(allow["redrive_allow_policy"])["sourceQueueArns"][0].endswith(f":{queue['name']}")
