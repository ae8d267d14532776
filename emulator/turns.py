"""Lock on moto's state: plain dictionaries, changed without locks of their own (see docs/local-aws.md)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_holder: int | None = None


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Hold the lock on moto's state. It is reentrant."""
    global _holder  # noqa: PLW0603 (only its holder sets it)
    me = threading.get_ident()
    if _holder == me:
        yield
        return
    with _lock:
        _holder = me
        try:
            yield
        finally:
            _holder = None


@contextlib.contextmanager
def let_others() -> Iterator[None]:
    """Release the lock within a turn, because the body waits for other requests."""
    global _holder  # noqa: PLW0603
    me = threading.get_ident()
    if _holder != me:
        yield
        return
    _holder = None
    _lock.release()
    try:
        yield
    finally:
        _lock.acquire()
        _holder = me
