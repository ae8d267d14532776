"""CloudTrail: a trail reports its event selectors, and is deleted by its ARN, too.

moto stores selectors but reports for every trail that it has none, so that clients do not read them.
"""

from __future__ import annotations

from typing import Any

from moto.cloudtrail.models import CloudTrailBackend, Trail

from emulator.moto.extend import Method, override


@override(Trail)
def description(original: Method, self: Any, *arguments: Any, **keywords: Any) -> dict[str, Any]:
    """Report whether there are selectors."""
    selected = bool(self.event_selectors or self.advanced_event_selectors)
    return {**original(self, *arguments, **keywords), "HasCustomEventSelectors": selected}


@override(Trail)
def put_event_selectors(original: Method, self: Any, basic: Any, advanced: Any) -> None:
    """Those of the one kind replace those of the other."""
    if basic:
        self.advanced_event_selectors = []
    original(self, basic, advanced)


@override(CloudTrailBackend)
def delete_trail(_original: Method, self: Any, name: str) -> None:
    """Delete a trail that there is."""
    del self.trails[self.get_trail(name).trail_name]
