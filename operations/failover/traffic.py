"""Traffic: DNS answers, their health checks, and the rule by which the recovery region takes over.

Route 53's API (us-east-1) is only read; nothing is changed by it: modules/ingress/takeover.py.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from operations.failover.clients import Clients
from operations.failover.request import Request
from operations.failover.state import TrafficState
from operations.outcome import Refused
from operations.region import Region
from operations.watching import is_silence
from settings import Settings
from settings.edge import TAKEN_OVER, TAKEOVER_KEY, TAKEOVER_VALUE

HTTPS_PORT = 443
HEALTHY_SHARE = 0.18
"""Of the checkers that must get an answer.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

T = TypeVar("T")


class Traffic(Clients):
    """DNS, its health checks and the takeover rule of one environment."""

    def __init__(self, settings: Settings, request: Request, session: boto3.Session) -> None:
        super().__init__(settings, request, session)
        self._zone_id: str | None = None

    def traffic(self) -> TrafficState:
        """Region of the traffic, as far as known without the lost region or Route 53's API."""
        return TrafficState(
            taken_over=self.taken_over(),
            reached=self.reached(),
            answered=self._answered(),
        )

    def taken_over(self) -> bool | None:
        """Response of the recovery region's takeover rule; None if that region is lost and does not answer."""
        try:
            rule = self._rule()
        except (ClientError, BotoCoreError) as error:
            if self.may_be_silent(Region.RECOVERY) and is_silence(error):
                return None
            raise
        return bool(rule["Actions"][0].get("FixedResponseConfig", {}).get("StatusCode") == TAKEN_OVER[True].status)

    def _rule(self) -> dict[str, Any]:
        elbv2 = self.client("elbv2", Region.RECOVERY)
        name = self.names[Region.RECOVERY].load_balancer
        (balancer,) = elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
        listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        (listener,) = [one["ListenerArn"] for one in listeners if one["Port"] == HTTPS_PORT]
        rules: list[dict[str, Any]] = elbv2.describe_rules(ListenerArn=listener)["Rules"]
        query = {"Key": TAKEOVER_KEY, "Value": TAKEOVER_VALUE}
        for rule in rules:
            if any(query in one.get("QueryStringConfig", {}).get("Values", []) for one in rule["Conditions"]):
                return rule
        raise Refused(f"load balancer: {name} has no rule for {TAKEOVER_KEY}={TAKEOVER_VALUE}; run make deploy first")

    def reached(self) -> dict[Region, bool | None]:
        """Whether health checkers get an answer from a task of a region; None where that is not known."""
        return _told(self._reached, dict.fromkeys(Region, None))

    def _reached(self) -> dict[Region, bool | None]:
        route53 = self.of_global("route53")
        pages = route53.get_paginator("list_health_checks").paginate()
        path = self._settings.edge.health_check.path
        ids = {
            config["FullyQualifiedDomainName"]: one["Id"]
            for page in pages
            for one in page["HealthChecks"]
            for config in [one["HealthCheckConfig"]]
            if config.get("ResourcePath") == path and "FullyQualifiedDomainName" in config
        }
        return {
            place: _succeeds(route53.get_health_check_status(HealthCheckId=ids[names.origin]))
            if names.origin in ids
            else None
            for place, names in self.names.items()
        }

    def _answered(self) -> Region | None:
        """The region whose load balancer CloudFront's origin name resolves to."""
        edge, suffix = self._settings.edge, self._settings.environment_suffix
        shared = edge.origin_names(self._settings.domain.name, suffix)[edge.origin_routing]
        if not (addresses := self._addresses(shared)):
            return None
        return next((place for place, one in self.names.items() if addresses <= self._addresses(one.origin)), None)

    def _addresses(self, name: str) -> set[str]:
        """By Route 53 itself, which caches nothing; by DNS where its API does not answer."""
        return _told(lambda: self._asked_of_route53(name), None) or _resolved(name)

    def _asked_of_route53(self, name: str) -> set[str]:
        route53 = self.of_global("route53")
        if self._zone_id is None:
            domain = self._settings.domain.name
            zones = route53.list_hosted_zones_by_name(DNSName=domain)["HostedZones"]
            ids = [one["Id"] for one in zones if one["Name"] == f"{domain}." and not one["Config"]["PrivateZone"]]
            if not ids:
                return set()
            self._zone_id = ids[0].rpartition("/")[2]
        answer = route53.test_dns_answer(HostedZoneId=self._zone_id, RecordName=name, RecordType="A")
        return set(answer["RecordData"])

    def take_over(self, taken_over: bool) -> None:
        """Set the takeover rule's response: taken over, or standby."""
        answer = TAKEN_OVER[taken_over]
        self.client("elbv2", Region.RECOVERY).modify_rule(
            RuleArn=self._rule()["RuleArn"],
            Actions=[
                {
                    "Type": "fixed-response",
                    "FixedResponseConfig": {
                        "StatusCode": answer.status,
                        "ContentType": "text/plain",
                        "MessageBody": answer.text,
                    },
                }
            ],
        )


def _told(ask: Callable[[], T], otherwise: T) -> T:
    """An optional read: without a response its result is unknown."""
    with contextlib.suppress(ClientError, BotoCoreError):
        return ask()
    return otherwise


def _succeeds(status: Mapping[str, Any]) -> bool:
    seen = [one["StatusReport"]["Status"] for one in status["HealthCheckObservations"]]
    return bool(seen) and sum(one.startswith("Success") for one in seen) > HEALTHY_SHARE * len(seen)


def _resolved(name: str) -> set[str]:
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(name, HTTPS_PORT, socket.AF_INET, socket.SOCK_STREAM)}
    except OSError:
        return set()
