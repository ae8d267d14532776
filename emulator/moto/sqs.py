"""SQS: redrive policies in AWS's format.

moto has no redrive-allow policy, returns a redrive policy with blanks in it, which Terraform sees as a difference, and
loses a queue's policy when any other attribute is set.
"""

from __future__ import annotations

import json
from typing import Any

from moto.sqs.models import Queue, SQSBackend

from emulator.moto.extend import Method, override

ALLOW = "RedriveAllowPolicy"


@override(Queue)
def _set_attributes(original: Method, self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
    """Store the redrive-allow policy; keep the policy when others are set."""
    kept = getattr(self, "policy", None)
    original(self, attributes, now)
    if "Policy" not in attributes:
        self.policy = kept
    if ALLOW in attributes:
        self.redrive_allow_policy_as_sent = attributes[ALLOW]


@override(SQSBackend)
def get_queue_attributes(original: Method, self: Any, queue_name: str, attribute_names: list[str]) -> dict[str, Any]:
    """Return the redrive-allow policy if requested, and JSON without blanks."""
    asked = [name for name in attribute_names or [] if name != ALLOW]
    answer = dict(original(self, queue_name, asked))
    allow = getattr(self.get_queue(queue_name), "redrive_allow_policy_as_sent", None)
    if allow and not {ALLOW, "All"}.isdisjoint(attribute_names or []):
        answer[ALLOW] = allow
    if answer.get("RedrivePolicy"):
        answer["RedrivePolicy"] = json.dumps(json.loads(answer["RedrivePolicy"]), separators=(",", ":"))
    return answer
