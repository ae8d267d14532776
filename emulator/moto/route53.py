"""Route 53: the status of health checks, and the answers of DNS (:mod:`emulator.runtime.dns`).

moto reports every health check as successful, and answers no DNS queries. With a record of a set it deletes all
records of the zone that have the set identifier, whatever their names: those of another environment as well.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.route53 import urls
from moto.route53.exceptions import HostedZoneNotEmpty, InvalidInput, NoSuchHostedZone
from moto.route53.models import HostedZoneIdentifier, Route53Backend
from moto.route53.responses import Route53

from emulator.moto.extend import Method, add, override
from emulator.runtime.dns import answer, observe, settle

CHECKERS = ("us-east-1", "us-west-2", "eu-west-1")
"""Locations of checkers, which all report the same observation. Addresses are of a documentation block (RFC 5737)."""

urls.url_paths[r"{0}/(?P<api_version>[\d_-]+)/testdnsanswer$"] = Route53.dispatch


@override(HostedZoneIdentifier)
def generate(original: Method, self: Any, **keywords: Any) -> str:
    """Begin with Z, as the ids of AWS's hosted zones do."""
    return f"Z{original(self, **keywords)[1:]}"


@override(Route53Backend)
def change_resource_record_sets(original: Method, self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """Delete no record of another name or type than the one that is named."""
    zone = self.get_hosted_zone(zoneid)
    deleted = [one["ResourceRecordSet"] for one in change_list if one["Action"] == "DELETE"]
    identifiers = {one.get("SetIdentifier") for one in deleted} - {None}
    named = {(one["Name"].rstrip("."), one.get("Type"), one.get("SetIdentifier")) for one in deleted}
    others = [
        one
        for one in zone.rrsets
        if one.set_identifier in identifiers and (one.name.rstrip("."), one.type, one.set_identifier) not in named
    ]
    original(self, zoneid, change_list)
    zone.rrsets += [one for one in others if one not in zone.rrsets]


@override(Route53Backend)
def delete_hosted_zone(original: Method, self: Any, id_: str) -> Any:
    """Only one that has nothing but its own NS and SOA records; moto lets a delegation be, too."""
    zone = self.get_hosted_zone(id_)
    if any(one.name.rstrip(".") != zone.name.rstrip(".") or one.type not in {"NS", "SOA"} for one in zone.rrsets):
        raise HostedZoneNotEmpty
    return original(self, id_)


@override(Route53)
def get_health_check_status(_original: Method, self: Any) -> ActionResult:
    """Send the request and return the observation; a calculated check has none."""
    check = self.backend.get_health_check(self._get_param("HealthCheckId"))
    if check.type_ == "CALCULATED":
        raise InvalidInput("Status of a calculated health check cannot be retrieved.")
    seen = observe(self.current_account, check)
    settle(check, seen.success != bool(check.inverted))
    report = {"Status": seen.text, "CheckedTime": utcnow()}
    return ActionResult(
        {
            "HealthCheckObservations": [
                {"Region": region, "IPAddress": f"192.0.2.{number}", "StatusReport": report}
                for number, region in enumerate(CHECKERS, start=1)
            ]
        }
    )


@add(Route53)
def test_dns_answer(self: Any) -> ActionResult:
    """The answer of DNS as it is now."""
    zone_id, name, kind = (self._get_param(one) for one in ("HostedZoneId", "RecordName", "RecordType"))
    zones = self.backend.zones
    zone = zones.get(zone_id.rpartition("/")[2])
    if zone is None:
        raise NoSuchHostedZone(zone_id)
    found = answer(self.current_account, zone, name, kind)
    return ActionResult(
        {
            "Nameserver": zone.delegation_set.name_servers[0] if zone.delegation_set else "",
            "RecordName": name,
            "RecordType": kind,
            "RecordData": found or [],
            "ResponseCode": "NXDOMAIN" if found is None else "NOERROR",
            "Protocol": "UDP",
        }
    )
