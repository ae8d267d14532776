"""Typed settings of the payment API: everything that distinguishes one environment from another (P6.2)."""

from pathlib import Path

from payment_api.settings.model import Settings
from settings.errors import SettingsError
from settings.loading import exit_with, known_environments, load_as

ENVIRONMENTS = Path(__file__).parent / "environments"
IDENTITY = (
    *("domain.api_name", "domain.load_balancer_name"),
    *("secrets.database", "secrets.api_key", "secrets.acquirer"),
    *("secrets.notifications", "secrets.peppers"),
)
"""Fields that belong to one environment only: a second one would take the resource over."""


def load(environment: str) -> Settings:
    """The checked settings of an environment, given by name or by the path of a file.

    Raises:
        SettingsError: with all problems, one line each.
    """
    return load_as(Settings, environment, ENVIRONMENTS, IDENTITY)


def load_or_exit(environment: str) -> Settings:
    """As ``load``, but bad settings end the program: their lines on standard error and exit code 2."""
    try:
        return load(environment)
    except SettingsError as error:
        exit_with(error)


__all__ = ["ENVIRONMENTS", "Settings", "SettingsError", "known_environments", "load", "load_or_exit"]
