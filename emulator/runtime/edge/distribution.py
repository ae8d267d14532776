"""A distribution's configuration, as it decides about a request.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Config = Mapping[str, Any]


def items(config: Config, member: str) -> list[Any]:
    """The items of a list in CloudFront's form."""
    return list((config.get(member) or {}).get("Items") or [])


def headers_of(config: Config) -> list[str]:
    """The names that a Headers member lists."""
    return [str(one) for one in items(config, "Headers")]


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policies of a behavior, by their configurations; an origin request or response headers policy may lack."""

    cache: Config
    origin_request: Config | None
    response_headers: Config | None


@dataclass(frozen=True, kw_only=True)
class Behavior:
    """A cache behavior: its configuration, its path pattern and its policies."""

    pattern: str
    config: Config
    policies: Policies

    @property
    def methods(self) -> list[str]:
        """The methods that are allowed."""
        return items(self.config, "AllowedMethods") or ["GET", "HEAD"]

    @property
    def cached_methods(self) -> list[str]:
        """The methods whose responses are cached."""
        return items(self.config.get("AllowedMethods") or {}, "CachedMethods") or ["GET", "HEAD"]

    @property
    def viewer_function(self) -> str:
        """The ARN of the function of viewer requests, if any."""
        for one in items(self.config, "FunctionAssociations"):
            return str(one["FunctionARN"])
        return ""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A distribution as it is configured at the moment."""

    id: str
    arn: str
    domain_name: str
    account_id: str
    config: Config
    behaviors: tuple[Behavior, ...]
    """In the order in which paths are compared; the default is the last."""

    @property
    def aliases(self) -> set[str]:
        """The alternative domain names."""
        return {str(one).lower() for one in items(self.config, "Aliases")}

    def behavior_of(self, path: str) -> Behavior:
        """The first behavior whose pattern matches a path."""
        return next(one for one in self.behaviors if not one.pattern or _matches(one.pattern, path))

    def origin(self, origin_id: str) -> Config:
        """An origin by its id."""
        return next(one for one in items(self.config, "Origins") if one["Id"] == origin_id)

    def group(self, origin_id: str) -> Config | None:
        """An origin group by its id; None where the id is an origin's."""
        return next((one for one in items(self.config, "OriginGroups") if one["Id"] == origin_id), None)

    def error_response(self, status: int) -> Config | None:
        """The custom error response of a status."""
        responses = items(self.config, "CustomErrorResponses")
        return next((one for one in responses if int(one["ErrorCode"]) == status), None)


def _matches(pattern: str, path: str) -> bool:
    """Whether a path matches, case-sensitively; a pattern means the same with or without its first slash."""
    expression = re.escape("/" + pattern.removeprefix("/")).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, path) is not None


def read(stored: Any, policies: Mapping[str, Mapping[str, Any]]) -> Distribution:
    """A distribution (of emulator/moto/cloudfront.py), with its behaviors.

    Args:
        stored: what is stored of it.
        policies: by kind and id, such as ``CachePolicy``, what is stored of each policy.

    Raises:
        NotImplementedError: it has something that is not emulated.
    """
    config = stored.config
    restriction = ((config.get("Restrictions") or {}).get("GeoRestriction") or {}).get("RestrictionType", "none")
    _refuse({"a restriction by country": restriction != "none"})
    listed = [*items(config, "CacheBehaviors"), config["DefaultCacheBehavior"]]
    return Distribution(
        id=stored.id,
        arn=stored.arn,
        domain_name=stored.answer()["DomainName"],
        account_id=stored.account_id,
        config=config,
        behaviors=tuple(_behavior(one, policies) for one in listed),
    )


def _behavior(config: Config, policies: Mapping[str, Mapping[str, Any]]) -> Behavior:
    _refuse(
        {
            "cache settings without a cache policy": not config.get("CachePolicyId"),
            "Lambda@Edge": bool(items(config, "LambdaFunctionAssociations")),
            "signed URLs": bool((config.get("TrustedKeyGroups") or {}).get("Enabled"))
            or bool((config.get("TrustedSigners") or {}).get("Enabled")),
            "field-level encryption": bool(config.get("FieldLevelEncryptionId")),
            "a real-time log": bool(config.get("RealtimeLogConfigArn")),
            "gRPC": bool((config.get("GrpcConfig") or {}).get("Enabled")),
            "a viewer-response function": any(
                one["EventType"] != "viewer-request" for one in items(config, "FunctionAssociations")
            ),
        }
    )

    def policy(kind: str) -> Config | None:
        found = config.get(f"{kind}Id")
        return policies[kind][found].config if found else None

    return Behavior(
        pattern=str(config.get("PathPattern") or ""),
        config=config,
        policies=Policies(
            cache=policy("CachePolicy") or {},
            origin_request=policy("OriginRequestPolicy"),
            response_headers=policy("ResponseHeadersPolicy"),
        ),
    )


def _refuse(stated: Mapping[str, bool]) -> None:
    for what, is_stated in stated.items():
        if is_stated:
            raise NotImplementedError(f"{what} of a distribution")
