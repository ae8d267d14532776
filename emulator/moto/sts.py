"""STS: a session that another provider's token was exchanged for is known as one."""

from __future__ import annotations

from typing import Any

from moto.sts.models import STSBackend

from emulator.authorization.callers import note_web_identity
from emulator.moto.extend import Method, override


@override(STSBackend)
def assume_role_with_web_identity(original: Method, self: Any, **sent: Any) -> Any:
    """Note the session."""
    session = original(self, **sent)
    note_web_identity(session)
    return session
