"""An image, as far as it runs here: a folder for each path that it brings, and what its Dockerfile says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Image:
    """What an image brings. ``folders`` maps a path of the image to a folder of this machine, which is only read.

    ``volumes`` maps a path that the image declares as VOLUME to its mode.
    """

    folders: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: int = 0
    volumes: Mapping[str, int] = field(default_factory=dict)
    python: str = ""
    """Where the image has its Python; this machine's stands for it, without this machine's packages."""
    trusted: tuple[str, ...] = ()
    """Paths at which the image has certificates of AWS's; here they are those of the local AWS."""

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> Image:
        """An image as JSON has it.

        Raises:
            TypeError: a member is unknown or missing.
        """
        lists = {name: tuple(sent[name]) for name in ("entrypoint", "command", "trusted") if name in sent}
        return cls(**{**sent, **lists})
