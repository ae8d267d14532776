"""What one container gets. The local AWS writes it, as JSON; the program that becomes the container reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder that can be written, empty at first; root's, with this mode."""

    path: str
    mode: int
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way out of the container's network: who connects to ``address`` and ``port`` there is led to the host's."""

    address: str
    port: int
    host: str
    host_port: int


@dataclass(frozen=True, kw_only=True)
class Box:
    """A container: what it runs, as whom, on which files, and whom it can reach."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: str
    user: int
    read_only: bool
    folders: Mapping[str, str]
    """Of this machine, by their path in the container; only read."""
    files: Mapping[str, str]
    """Texts by their path in the container."""
    mounts: tuple[Mount, ...]
    ways: tuple[Way, ...]
    port: int | None
    """The port on which it is reached."""
    stop_seconds: float

    def to_json(self) -> str:
        """As :meth:`from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Box:
        """A box as :meth:`to_json` writes it."""
        values = json.loads(text)
        values["command"] = tuple(values["command"])
        values["mounts"] = tuple(Mount(**one) for one in values["mounts"])
        values["ways"] = tuple(Way(**one) for one in values["ways"])
        return cls(**values)
