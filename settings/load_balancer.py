"""The load balancer: the paths that it routes by, and how it checks tasks (W2.1, W2.2)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from settings.base import SettingsModel, matching

# Whoever opens connections closes an idle one first, or a request meets a connection that the other side is closing,
# and its client gets a 502: CloudFront after 60 s, a load balancer after these seconds, the service after
# payments.server.KEEP_ALIVE_SECONDS.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout
IDLE_TIMEOUT_SECONDS = 65

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html#path-conditions
PathPattern = Annotated[
    str, matching(r"/[A-Za-z0-9_.$/~\"'@:+&*?-]{0,127}", "a path of up to 128 characters is allowed, such as /api/*")
]
UrlPath = Annotated[str, matching(r"/[!-~]{0,1023}", "an absolute path is allowed, such as /health")]


class HealthCheckSettings(SettingsModel):
    """How the load balancer finds out whether a task can take requests (W2.2).

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
    """

    path: UrlPath = "/"
    """Path of the request, by HTTPS."""
    matcher: Annotated[str, matching(r"[2-4]\d\d(-[2-4]\d\d)?", "a status or a range is allowed, such as 200-299")] = (
        "200"
    )
    """HTTP status codes of a healthy target."""
    interval_seconds: Annotated[int, Field(ge=5, le=300)] = 15
    """Seconds between two checks."""
    timeout_seconds: Annotated[int, Field(ge=2, le=120)] = 5
    """Seconds after which no answer counts as a failure; less than interval_seconds."""
    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    """Consecutive successes until a target is healthy."""
    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = 3
    """Consecutive failures until a target is unhealthy."""
    deregistration_delay_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """Deregistration delay: seconds for in-flight requests when a target is deregistered."""
    slow_start_seconds: Annotated[int, Field(ge=0, le=900)] = 0
    """Seconds over which a new task's share grows, from 30; 0 gives it a full share at once."""
    grace_period_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    """Seconds after a task's start in which a failing health check does not stop it."""

    @model_validator(mode="after")
    def _times_fit(self) -> HealthCheckSettings:
        if self.timeout_seconds >= self.interval_seconds:
            raise ValueError(
                f"timeout_seconds: {self.timeout_seconds} is not allowed; less than interval_seconds "
                f"({self.interval_seconds}) is"
            )
        if 0 < self.slow_start_seconds < 30:  # noqa: PLR2004  # AWS's own bound
            raise ValueError(f"slow_start_seconds: {self.slow_start_seconds} is not allowed; 0 or 30 to 900 is")
        return self
