"""An image, as far as it is needed here: a local folder for each path of its contents, and its Dockerfile's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Image:
    """The contents of an image. ``folders`` maps a path of the image to a folder of this machine, which is read only.

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
    """The path of the image's Python; this machine's takes its place, without this machine's packages."""
    trusted: tuple[str, ...] = ()
    """Paths of AWS's CA certificates in the image; here they are those of the local AWS."""

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> Image:
        """The image in its JSON form.

        Raises:
            TypeError: a member is unknown or missing.
        """
        lists = {name: tuple(sent[name]) for name in ("entrypoint", "command", "trusted") if name in sent}
        return cls(**{**sent, **lists})


def repository_of(image: str) -> str:
    """The repository of an image, without digest and tag; for a registry of ECR also without account and region."""
    name = image.partition("@")[0]
    host, _, path = name.partition("/")
    parts = host.split(".")
    return path.partition(":")[0] if parts[1:3] == ["dkr", "ecr"] else f"{host}/{path.partition(':')[0]}"
