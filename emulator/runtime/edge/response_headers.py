"""Response headers policies.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator.runtime.edge.distribution import Config, items
from emulator.runtime.forwarding import Answer


def with_policy(policy: Config | None, answer: Answer) -> Answer:
    """A response with the headers that a policy removes and adds.

    Raises:
        NotImplementedError: the policy has CORS or Server-Timing headers.
    """
    if not policy:
        return answer
    for member in ("CorsConfig", "ServerTimingHeadersConfig"):
        stated = policy.get(member)
        if stated and stated.get("Enabled", True):
            raise NotImplementedError(f"{member} of a response headers policy")
    removed = {str(one["Header"]).lower() for one in items(policy, "RemoveHeadersConfig")}
    headers = [(name, value) for name, value in answer.headers if name.lower() not in removed]
    for name, value, overrides in _added(policy):
        if overrides:
            headers = [one for one in headers if one[0].lower() != name.lower()]
        if not any(one[0].lower() == name.lower() for one in headers):
            headers.append((name, value))
    return Answer(status=answer.status, headers=tuple(headers), body=answer.body)


def _added(policy: Config) -> Iterator[tuple[str, str, bool]]:
    """Name, value, and whether it overrides the origin's."""
    yield from _security(policy.get("SecurityHeadersConfig") or {})
    for one in items(policy, "CustomHeadersConfig"):
        yield one["Header"], one["Value"], _is_on(one["Override"])


def _security(config: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    for member, (name, text) in _SECURITY.items():
        if stated := config.get(member):
            yield name, text(stated), _is_on(stated["Override"])


def _is_on(value: Any) -> bool:
    return str(value).lower() == "true"


def _transport(stated: Mapping[str, Any]) -> str:
    parts = [f"max-age={stated['AccessControlMaxAgeSec']}"]
    parts += ["includeSubDomains"] if _is_on(stated.get("IncludeSubdomains")) else []
    return "; ".join([*parts, *(["preload"] if _is_on(stated.get("Preload")) else [])])


def _protection(stated: Mapping[str, Any]) -> str:
    mode = "; mode=block" if _is_on(stated.get("ModeBlock")) else ""
    report = f"; report={stated['ReportUri']}" if stated.get("ReportUri") else ""
    return f"1{mode}{report}" if _is_on(stated["Protection"]) else "0"


_SECURITY: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "ContentSecurityPolicy": ("Content-Security-Policy", lambda stated: str(stated["ContentSecurityPolicy"])),
    "ContentTypeOptions": ("X-Content-Type-Options", lambda _: "nosniff"),
    "FrameOptions": ("X-Frame-Options", lambda stated: str(stated["FrameOption"])),
    "ReferrerPolicy": ("Referrer-Policy", lambda stated: str(stated["ReferrerPolicy"])),
    "StrictTransportSecurity": ("Strict-Transport-Security", _transport),
    "XSSProtection": ("X-XSS-Protection", _protection),
}
