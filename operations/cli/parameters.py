"""Parameters that several commands share, and the settings of the environment that one names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from operations.outcome import Refused
from settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from payment_api.settings import Settings as ApiSettings

Environment = Annotated[
    str, typer.Argument(help="A name in settings/environments, or the path of a .toml file of that form.")
]


def settings_of(environment: str) -> Settings:
    """The settings of an environment of the payment platform.

    Raises:
        Refused: the file is missing or wrong; a line for each problem.
    """
    try:
        return load(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error


def api_settings_of(environment: str) -> ApiSettings:
    """As ``settings_of``, of an environment of the payment API."""
    from payment_api.settings import load as load_api

    try:
        return load_api(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error
