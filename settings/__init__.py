"""Typed settings: everything that distinguishes one environment from another (W0.4).

No stack or module reads environment variables or a settings file: they depend on a Settings object only.
"""

from settings.errors import SettingsError
from settings.loading import chosen_environment, known_environments, load, load_or_exit
from settings.platform import Settings

__all__ = ["Settings", "SettingsError", "chosen_environment", "known_environments", "load", "load_or_exit"]
