"""GuardDuty: one detector in a region, features that are set one by one, tags that change.

Nothing is detected here, so a detector has no findings.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.core.utils import unix_time
from moto.guardduty import urls
from moto.guardduty.exceptions import DetectorNotFoundException, GuardDutyException
from moto.guardduty.models import Detector, GuardDutyBackend
from moto.guardduty.responses import GuardDutyResponse

from emulator.moto.extend import Method, add, override

urls.url_paths["{0}/tags/(?P<arn>.+)$"] = GuardDutyResponse.dispatch


class DetectorExistsError(GuardDutyException):  # type: ignore[misc]
    """An account has one detector in a region."""

    code = 400

    def __init__(self) -> None:
        super().__init__(
            "InvalidInputException",
            "The request is rejected because a detector already exists for the current account.",
        )

    def get_headers(self, *_arguments: Any, **_keywords: Any) -> list[tuple[str, str]]:
        """As moto's own errors of this service have them."""
        return [("X-Amzn-ErrorType", "BadRequestException")]


@override(GuardDutyBackend)
def create_detector(original: Method, self: Any, *arguments: Any, **keywords: Any) -> Any:
    """Refuse a second one, as AWS does."""
    if self.detectors:
        raise DetectorExistsError
    made = original(self, *arguments, **keywords)
    detector = self.detectors[made]
    sent, detector.features = detector.features, []
    _set_features(detector, sent)
    return made


@override(GuardDutyBackend)
def delete_detector(original: Method, self: Any, detector_id: str) -> None:
    """Delete one that there is."""
    self.get_detector(detector_id)
    original(self, detector_id)


@override(Detector)
def update(original: Method, self: Any, *changes: Any) -> None:
    """Change the features that are sent, and leave the others as they are."""
    *others, features = changes
    original(self, *others, None)
    _set_features(self, features or [])


def _set_features(detector: Any, sent: list[dict[str, Any]]) -> None:
    known = {one["name"]: one for one in detector.features}
    known |= {one["name"]: {**one, "updatedAt": unix_time()} for one in sent}
    detector.features = list(known.values())


@add(GuardDutyResponse)
def list_tags_for_resource(self: Any) -> str:
    """Answer the tags."""
    return json.dumps({"tags": _tagged(self).tags})


@add(GuardDutyResponse)
def tag_resource(self: Any) -> tuple[int, dict[str, str], str]:
    """Add to the tags."""
    _tagged(self).tags.update(self._get_param("tags"))
    return 204, {}, ""


@add(GuardDutyResponse)
def untag_resource(self: Any) -> tuple[int, dict[str, str], str]:
    """Take from the tags."""
    tags = _tagged(self).tags
    for key in self.querystring.get("tagKeys", []):
        tags.pop(key, None)
    return 204, {}, ""


def _tagged(self: Any) -> Any:
    arn = unquote(self.path.split("/tags/", 1)[1])
    if ":detector/" not in arn:
        raise DetectorNotFoundException
    return self.guardduty_backend.get_detector(arn.rpartition("/")[2])
