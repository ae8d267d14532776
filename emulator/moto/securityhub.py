"""Security Hub: its configuration, the standards that it checks, and the region that gathers all findings.

moto knows the hub and findings that are sent to it. Nothing is checked here, so no standard finds anything.
"""

from __future__ import annotations

import re
import uuid
from typing import Any
from urllib.parse import unquote

from moto.core.responses import ActionResult
from moto.securityhub import urls
from moto.securityhub.exceptions import SecurityHubClientError
from moto.securityhub.models import SecurityHubBackend
from moto.securityhub.responses import SecurityHubResponse

from emulator.moto.extend import Method, add, override

ROUTES = (
    "{0}/standards/register$",
    "{0}/standards/deregister$",
    "{0}/standards/get$",
    "{0}/findingAggregator/create$",
    "{0}/findingAggregator/update$",
    "{0}/findingAggregator/list$",
    "{0}/findingAggregator/get/(?P<arn>.+)$",
    "{0}/findingAggregator/delete/(?P<arn>.+)$",
)
"""Paths of the API that moto does not have."""

urls.url_paths.update(dict.fromkeys(ROUTES, SecurityHubResponse.dispatch))

CONFIGURED = {"AutoEnableControls": True, "ControlFindingGenerator": "SECURITY_CONTROL"}
"""What a hub does unless it is told otherwise. https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_EnableSecurityHub.html"""


@override(SecurityHubBackend)
def __init__(original: Method, self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807
    """With attributes that moto does not have."""
    original(self, *arguments, **keywords)
    self.configuration = dict(CONFIGURED)
    self.standards = {}
    self.aggregators = {}


@override(SecurityHubResponse)
def enable_security_hub(original: Method, self: Any) -> Any:
    """Once only, and configured as it is sent."""
    hub = self.securityhub_backend
    if hub.enabled:
        raise SecurityHubClientError("ResourceConflictException", "Account is already subscribed to Security Hub")
    answer = original(self)
    hub.configuration = {name: self._get_param(name, default) for name, default in CONFIGURED.items()}
    return answer


@override(SecurityHubBackend)
def disable_security_hub(original: Method, self: Any) -> Any:
    """The standards go with the hub."""
    answer = original(self)
    self.standards.clear()
    return answer


@override(SecurityHubBackend)
def describe_hub(original: Method, self: Any, *arguments: Any, **keywords: Any) -> Any:
    """Answer the configuration that was sent."""
    return {**original(self, *arguments, **keywords), **self.configuration}


@add(SecurityHubResponse)
def update_security_hub_configuration(self: Any) -> ActionResult:
    """Update the attributes that are sent."""
    hub = _enabled(self)
    hub.configuration.update({name: self._get_param(name, now) for name, now in hub.configuration.items()})
    return ActionResult({})


@add(SecurityHubResponse)
def batch_enable_standards(self: Any) -> ActionResult:
    """Subscribe to standards of this region."""
    hub, made = _enabled(self), []
    for request in self._get_param("StandardsSubscriptionRequests"):
        arn = request["StandardsArn"]
        match = re.fullmatch(rf"arn:aws:securityhub:(?:{self.region})?::(?:standards|ruleset)/(.+)", arn)
        if match is None:
            raise SecurityHubClientError("InvalidInputException", f"Invalid standards ARN {arn}")
        subscription = f"arn:aws:securityhub:{self.region}:{self.current_account}:subscription/{match[1]}"
        inputs = request.get("StandardsInput", {})
        hub.standards[subscription] = {
            "StandardsSubscriptionArn": subscription,
            "StandardsArn": arn,
            "StandardsInput": inputs,
            "StandardsStatus": "READY",
        }
        made.append(hub.standards[subscription])
    return ActionResult({"StandardsSubscriptions": made})


@add(SecurityHubResponse)
def batch_disable_standards(self: Any) -> ActionResult:
    """End subscriptions."""
    hub = _enabled(self)
    gone = []
    for arn in self._get_param("StandardsSubscriptionArns"):
        if arn not in hub.standards:
            raise SecurityHubClientError("InvalidInputException", f"Account is not subscribed to {arn}")
        gone.append({**hub.standards.pop(arn), "StandardsStatus": "DELETING"})
    return ActionResult({"StandardsSubscriptions": gone})


@add(SecurityHubResponse)
def get_enabled_standards(self: Any) -> ActionResult:
    """Return the requested subscriptions, or all."""
    standards, asked = _enabled(self).standards, self._get_param("StandardsSubscriptionArns")
    return ActionResult(
        {"StandardsSubscriptions": [one for arn, one in standards.items() if not asked or arn in asked]}
    )


@add(SecurityHubResponse)
def create_finding_aggregator(self: Any) -> ActionResult:
    """Store it; an account has one in all."""
    hub = _enabled(self)
    if hub.aggregators:
        raise SecurityHubClientError("LimitExceededException", "There is a finding aggregator already")
    arn = f"arn:aws:securityhub:{self.region}:{self.current_account}:finding-aggregator/{uuid.uuid4()}"
    hub.aggregators[arn] = {"FindingAggregatorArn": arn, "FindingAggregationRegion": self.region, **_linked(self)}
    return ActionResult(hub.aggregators[arn])


@add(SecurityHubResponse)
def update_finding_aggregator(self: Any) -> ActionResult:
    """Replace which regions it gathers from."""
    aggregator = _aggregator(self, self._get_param("FindingAggregatorArn"))
    aggregator.pop("Regions", None)
    aggregator.update(_linked(self))
    return ActionResult(aggregator)


@add(SecurityHubResponse)
def get_finding_aggregator(self: Any) -> ActionResult:
    """Answer it as it was sent."""
    return ActionResult(_aggregator(self, _arn_in(self.path)))


@add(SecurityHubResponse)
def list_finding_aggregators(self: Any) -> ActionResult:
    """Answer the one, if there is one."""
    return ActionResult({"FindingAggregators": [{"FindingAggregatorArn": arn} for arn in _enabled(self).aggregators]})


@add(SecurityHubResponse)
def delete_finding_aggregator(self: Any) -> ActionResult:
    """Delete it."""
    aggregator = _aggregator(self, _arn_in(self.path))
    del self.securityhub_backend.aggregators[aggregator["FindingAggregatorArn"]]
    return ActionResult({})


def _enabled(self: Any) -> Any:
    hub = self.securityhub_backend
    hub.describe_hub()  # which refuses where there is none
    return hub


def _linked(self: Any) -> dict[str, Any]:
    regions = self._get_param("Regions")
    return {"RegionLinkingMode": self._get_param("RegionLinkingMode"), **({"Regions": regions} if regions else {})}


def _arn_in(path: str) -> str:
    return unquote(re.split(r"/findingAggregator/(?:get|delete)/", path)[1])


def _aggregator(self: Any, arn: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = _enabled(self).aggregators
    if arn not in found:
        raise SecurityHubClientError("ResourceNotFoundException", f"Finding aggregator {arn} was not found")
    return found[arn]
