"""The image of every service that has not been released yet, in a rehearsal: a server with a fixed body."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from emulator.runtime.authority import authority
from emulator.runtime.tasks.image import Image
from operations.deployment import placeholder_server
from operations.deployment.payments_image import PATH, PYTHON, made

WHERE = "/app"
SERVER = Path(placeholder_server.__file__)


def image() -> Image:
    """The image, made in ``.cache/images`` if it is not yet there."""
    digest = hashlib.sha256(SERVER.read_bytes()).hexdigest()
    return Image(
        folders={WHERE: str(made("placeholder", digest, _make))},
        entrypoint=("python", f"{WHERE}/{SERVER.name}"),
        environment={"PATH": PATH},
        user=1000,
        python=PYTHON,
    )


def _make(folder: Path) -> None:
    folder.mkdir()
    shutil.copy(SERVER, folder)
    certificate = folder / placeholder_server.CERTIFICATE
    certificate.write_bytes(authority().issue(["placeholder"]))
    certificate.chmod(0o644)  # the container's user reads it; a load balancer does not verify it
