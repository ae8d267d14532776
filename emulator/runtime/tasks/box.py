"""The specification of one container. The local AWS writes it as JSON; the container program reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A writable folder, empty at first, owned by root and with this mode."""

    path: str
    mode: int
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Way:
    """Egress from the container's network: a connection to ``address`` and ``port`` is forwarded to the host's."""

    address: str
    port: int
    host: str
    host_port: int


@dataclass(frozen=True, kw_only=True)
class Box:
    """A container: its command, its user, its files and its egress."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    directory: str
    user: int
    read_only: bool
    folders: Mapping[str, str]
    """Folders of this machine, by their path in the container; read only."""
    files: Mapping[str, str]
    """Contents of text files, by their path in the container."""
    mounts: tuple[Mount, ...]
    ways: tuple[Way, ...]
    port: int | None
    """The port that the container listens on."""
    stop_seconds: float

    def to_json(self) -> str:
        """The box as JSON, for :meth:`from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Box:
        """The box in the JSON of :meth:`to_json`."""
        values = json.loads(text)
        values["command"] = tuple(values["command"])
        values["mounts"] = tuple(Mount(**one) for one in values["mounts"])
        values["ways"] = tuple(Way(**one) for one in values["ways"])
        return cls(**values)
