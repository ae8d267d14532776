"""Stand-ins: servers that answer in place of the tasks of an image, as no task runs here.

A stand-in is the URL of a server on this machine, registered for an image by PUT to ``/_local-aws/images``. An image
without one has no server.
"""

from __future__ import annotations

import os
import threading
from urllib.parse import urlsplit

_urls: dict[str, str] = {}
_lock = threading.Lock()


def register(image: str, url: str | None) -> None:
    """Register the server at ``url`` as the stand-in of ``image``; None removes it.

    Raises:
        ValueError: the URL is not one of a server (``https://127.0.0.1:8443``).
    """
    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname):
        raise ValueError(f"url: {url!r} is not allowed; that of a server is, such as https://127.0.0.1:8443")
    with _lock:
        if url is None:
            _urls.pop(image, None)
        else:
            _urls[image] = url


def url_of(image: str) -> str | None:
    """The URL of the stand-in of ``image``; None if it has none."""
    with _lock:
        return _urls.get(image)


def _begin_with_a_free_lock() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_begin_with_a_free_lock)
