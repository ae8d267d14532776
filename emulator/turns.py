"""Whose turn it is: moto's state is plain dictionaries, changed without locks (see docs/local-aws.md)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_holder: int | None = None


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Nobody else reads or changes moto's state meanwhile. Within a turn, a second one is the same."""
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
    """Within a turn: others have theirs meanwhile, because what follows waits for what they do."""
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
