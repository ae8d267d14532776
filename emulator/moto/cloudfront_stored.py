"""Resources of CloudFront: a configuration, and the ETag that an update must send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.cloudfront.exceptions import CloudFrontException, InvalidIfMatchVersion
from moto.cloudfront.models import random_id
from moto.core.utils import utcnow


def error(code: str, message: str) -> CloudFrontException:
    """An error of CloudFront."""
    return CloudFrontException(code, message)


@dataclass
class Kept:
    """A resource with the configuration that was sent, and the ETag of its last change."""

    id: str
    config: dict[str, Any]
    managed: bool = False
    changed: Any = field(default_factory=utcnow)
    etag: str = field(default_factory=random_id)

    def change(self, config: dict[str, Any], if_match: str | None) -> None:
        """Store another configuration, if no other update was in between."""
        self.expect(if_match)
        self.config, self.changed, self.etag = config, utcnow(), random_id()

    def expect(self, if_match: str | None) -> None:
        """Refuse an update that does not send the current ETag."""
        if not if_match:
            raise InvalidIfMatchVersion
        if if_match != self.etag:
            raise error("PreconditionFailed", "The request failed because it didn't meet the preconditions.")
