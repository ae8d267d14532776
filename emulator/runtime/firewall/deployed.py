"""Web ACLs as they are deployed: what guards a load balancer or a distribution, and its decision."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from moto.wafv2.models import wafv2_backends

from alarms.sources import Inspected as Measured
from alarms.sources import of_inspected
from emulator.clock import CLOCK
from emulator.runtime.firewall.components import CLOUDFRONT_BODY_BYTES, LOAD_BALANCER_BODY_BYTES, Inspected
from emulator.runtime.firewall.statements import Surroundings
from emulator.runtime.firewall.web_acl import Decision, RuleGroup, WebAcl, decide
from emulator.runtime.forwarding import Request
from emulator.runtime.metering import METERING

CLOUDFRONT = "global"
HOME = "us-east-1"
"""The region of what CloudFront's web ACLs publish."""
BYTES_PER_KIB = 1024
SECONDS_PER_MINUTE = 60


@dataclass
class Rates:
    """Requests of rate-based rules, by rule and address; a window goes by the clock of :mod:`emulator.clock`."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def forget(self) -> None:
        """Start without a request: in a fork, which may have been forked while another thread had the lock."""
        self.__post_init__()

    def exceeds(self, key: str, *, limit: int, seconds: int) -> bool:
        """Count a request; whether there are more than ``limit`` in a window of ``seconds``."""
        now = time.monotonic()
        since = now - seconds / SECONDS_PER_MINUTE * CLOCK.seconds_per_minute
        with self._lock:
            times = self._times.setdefault(key, deque())
            times.append(now)
            while times[0] < since:
                times.popleft()
            return len(times) > limit


RATES = Rates()
os.register_at_fork(after_in_child=RATES.forget)


def of_load_balancer(account_id: str, region: str, arn: str) -> Any | None:
    """The web ACL (one of moto's) that is associated with a load balancer."""
    web_acls = wafv2_backends[account_id][region].wacls.values()
    return next((one for one in web_acls if arn in one.associated_resources), None)


def decision_at_load_balancer(
    account_id: str, region: str, arn: str, request: Request, address: str
) -> Decision | None:
    """The decision on a request to a load balancer; None where no web ACL is associated. The caller holds the turn.

    Raises:
        NotImplementedError: the web ACL has something that is not emulated.
    """
    web_acl = of_load_balancer(account_id, region, arn)
    if web_acl is None:
        return None
    inspected = Inspected(request=request, address=address, body_bytes=LOAD_BALANCER_BODY_BYTES)
    return _decide(account_id, region, web_acl, inspected)


def decision_at_edge(account_id: str, arn: str, request: Request, address: str) -> Decision | None:
    """The decision on a request to a distribution, whose web ACL has this ARN; None where it has none.

    Raises:
        NotImplementedError: the web ACL has something that is not emulated.
    """
    if not arn:
        return None
    web_acl = wafv2_backends[account_id][CLOUDFRONT].wacls[arn]
    inspected = Inspected(request=request, address=address, body_bytes=_bytes_at_edge(web_acl))
    return _decide(account_id, CLOUDFRONT, web_acl, inspected)


def _bytes_at_edge(web_acl: Any) -> int:
    body = ((web_acl.association_config or {}).get("RequestBody") or {}).get("CLOUDFRONT")
    if not body:
        return CLOUDFRONT_BODY_BYTES
    return int(body["DefaultSizeInspectionLimit"].removeprefix("KB_")) * BYTES_PER_KIB


def _decide(account_id: str, region: str, web_acl: Any, inspected: Inspected) -> Decision:
    backend = wafv2_backends[account_id][region]
    groups = {
        one.arn: RuleGroup(
            rules=tuple(rule.to_dict() for rule in one.rules),
            prefix=one.label_namespace,
            bodies=one.custom_response_bodies or {},
        )
        for one in backend.rule_groups.values()
    }
    described = WebAcl(
        name=web_acl.arn,
        prefix=web_acl.label_namespace,
        rules=tuple(rule.to_dict() for rule in web_acl.rules),
        default_action=web_acl.default_action,
        bodies=web_acl.custom_response_bodies or {},
        groups=groups,
    )
    addresses = {one.arn: list(one.addresses) for one in backend.ip_sets.values()}
    decision = decide(described, inspected, Surroundings(addresses=addresses, counts=RATES))
    if METERING.is_on:
        METERING.publish(HOME if region == CLOUDFRONT else region, of_inspected(_measured(web_acl, decision, region)))
    return decision


def _measured(web_acl: Any, decision: Decision, region: str) -> Measured:
    """A decision by the names of metrics: the web ACL's, and that of the rule."""
    rules = {rule.name: rule.visibility_config["MetricName"] for rule in web_acl.rules}
    return Measured(
        web_acl=web_acl.visibility_config["MetricName"],
        allowed=decision.allows,
        rule=rules.get(decision.rule, ""),
        region="" if region == CLOUDFRONT else region,
    )
