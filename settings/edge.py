"""How the platform meets the world: CloudFront, its names, and which region serves (W4.1, W4.2, W7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from settings.base import SettingsModel, each_once, matching
from settings.load_balancer import PathPattern, UrlPath

LONGEST_SECONDS = (
    31_536_000  # a year: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
)
WHOLE_DOMAIN = "@"


class BehaviourKind(StrEnum):
    """Origin and caching of a URL pattern in CloudFront."""

    STATIC = "static"
    """Files of the static assets bucket: read only, kept long."""
    API = "api"
    """The load balancer: all methods, never kept."""
    PAGES = "pages"
    """The load balancer: all methods, responses are cached as their headers say."""


class BehaviourSettings(SettingsModel):
    """CloudFront's behaviour for the paths of one pattern."""

    path_pattern: PathPattern
    """The paths, such as /static/*; the first behaviour whose pattern fits is used."""
    kind: Annotated[BehaviourKind, Field(strict=False)]
    """The static assets bucket (static), or the load balancers: never cached (api), or by response headers (pages)."""


class OriginRouting(StrEnum):
    """Which region answers: the primary as long as it is healthy, or the nearest that is."""

    FAILOVER = "failover"
    LATENCY = "latency"


@dataclass(frozen=True)
class FixedAnswer:
    """A status and a text that a load balancer answers by itself."""

    status: str
    text: str


# With this query on the health check's path, the recovery region's load balancer answers whether it has taken over.
TAKEOVER_KEY, TAKEOVER_VALUE = "region", "taken-over"
TAKEN_OVER = {False: FixedAnswer("404", "stands by"), True: FixedAnswer("200", "has taken over")}


class RegionHealthSettings(SettingsModel):
    """How Route 53 finds out whether a region serves: from outside, through its load balancer, to a task."""

    path: UrlPath = "/health"
    """Path of the request; the only one that the load balancers serve to clients other than the distribution."""
    interval_seconds: Literal[10, 30] = 30
    """Seconds between two checks of one checker; 10 costs more."""
    failure_threshold: Annotated[int, Field(ge=1, le=10)] = 3
    """Consecutive failures until a checker considers the region unhealthy, and successes until healthy again."""


Country = Annotated[str, matching(r"[A-Z]{2}", "a country code of ISO 3166 is allowed, such as DE")]
Countries = Annotated[tuple[Country, ...], Field(strict=False), AfterValidator(each_once)]
HostName = Annotated[
    str,
    matching(
        rf"{WHOLE_DOMAIN}|[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?",
        "a name below the domain is allowed, such as www, or @ for the domain itself",
    ),
]


class EdgeSettings(SettingsModel):
    """CloudFront, host names, and routing to the regions."""

    host_names: Annotated[tuple[HostName, ...], Field(strict=False, max_length=10), AfterValidator(each_once)] = ()
    """The names below the domain that customers use, @ for itself; none is the environment's suffix alone."""
    behaviours: Annotated[tuple[BehaviourSettings, ...], Field(strict=False, max_length=74)] = (
        BehaviourSettings(path_pattern="/static/*", kind=BehaviourKind.STATIC),
        BehaviourSettings(path_pattern="/api/*", kind=BehaviourKind.API),
    )
    """Cache behaviours by path pattern, in order of precedence; all other paths are pages."""
    price_class: Literal["PriceClass_100", "PriceClass_200", "PriceClass_All"] = "PriceClass_100"
    """CloudFront's price class: 100 covers North America and Europe, All covers all edge locations."""
    allowed_countries: Countries = ()
    """Countries that are served; empty means all."""
    blocked_countries: Countries = ()
    """Countries that are not served; not together with allowed_countries."""
    content_security_policy: Annotated[
        str, matching(r"[ -~]{1,1024}", "one line of up to 1024 plain characters is allowed")
    ] = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    """Value of the Content-Security-Policy header."""
    strict_transport_seconds: Annotated[int, Field(ge=0, le=2 * LONGEST_SECONDS)] = 2 * LONGEST_SECONDS
    """max-age of the Strict-Transport-Security header (HSTS), in seconds; it includes subdomains."""
    strict_transport_preload: bool = False
    """Whether the HSTS header has `preload`; hard to undo, see hstspreload.org."""
    static_cache_seconds: Annotated[int, Field(ge=0, le=LONGEST_SECONDS)] = 86_400
    """Default TTL of static files without a Cache-Control header, in seconds."""
    origin_response_seconds: Annotated[int, Field(ge=1, le=60)] = 30
    """CloudFront's origin response timeout, in seconds."""
    origin_routing: Annotated[OriginRouting, Field(strict=False)] = OriginRouting.FAILOVER
    """Route 53 routing: the primary region while it is healthy (failover), or the nearest healthy one (latency)."""
    forbidden_page: UrlPath | None = None
    """A static file that replaces the body of responses with the status 403; none leaves them unchanged."""
    health_check: RegionHealthSettings = RegionHealthSettings()
    """Route 53 health check of a region."""
    origin_verify_rotation_days: Annotated[int, Field(ge=1, le=365)] = 30
    """Days between rotations of the origin secret, by which load balancers recognize the distribution."""

    @model_validator(mode="after")
    def _fits_together(self) -> EdgeSettings:
        if self.allowed_countries and self.blocked_countries:
            raise ValueError(
                f"blocked_countries: {self.blocked_countries} is not allowed; () is, as allowed_countries says who is "
                "served"
            )
        patterns = [behaviour.path_pattern for behaviour in self.behaviours]
        if twice := sorted({pattern for pattern in patterns if patterns.count(pattern) > 1}):
            raise ValueError(f"behaviours: {twice[0]!r} is not allowed twice; each pattern once is")
        if "*" in patterns or "/*" in patterns:
            raise ValueError(
                "behaviours: '/*' is not allowed; patterns of some paths are, as all others are pages anyway"
            )
        return self

    def origin_names(self, domain: str, suffix: str) -> dict[OriginRouting, str]:
        """The name by which CloudFront calls the load balancers, for each way of routing.

        Two names, as Route 53 does not mix ways under one: a change makes the records of the other name, moves the
        distribution to it, and only then removes those of the first. The suffix is there as environments may share a
        domain.
        """
        return {
            OriginRouting.FAILOVER: f"origin-{suffix}.{domain}",
            OriginRouting.LATENCY: f"nearest-{suffix}.{domain}",
        }

    def names_in(self, domain: str, suffix: str) -> tuple[str, ...]:
        """The names that customers use, whole; the first is the one that is shown."""
        labels = self.host_names or (suffix,)
        return tuple(domain if label == WHOLE_DOMAIN else f"{label}.{domain}" for label in labels)
