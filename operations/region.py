"""The two regions of an environment, as commands name them."""

from enum import StrEnum


class Region(StrEnum):
    """One of the two regions of an environment."""

    PRIMARY = "primary"
    RECOVERY = "recovery"
