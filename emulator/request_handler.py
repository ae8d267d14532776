"""HTTP for the local AWS: moto's request handler without its request log."""

from __future__ import annotations

from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler


class RequestHandler(MotoRequestHandler):
    """Answers one connection; every call is in the record already, so none is logged."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log errors only (a client that went away is one of werkzeug's infos)."""
        if type == "error":
            super().log(type, message, *args)
