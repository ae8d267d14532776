"""The parts of the platform's life, each played once a run for all files and processes (parts.py)."""

from __future__ import annotations

import pytest

from tests.lifecycle import base, changes, ending, exporting, parts, traffic
from tests.lifecycle.base import Deployed
from tests.lifecycle.ending import Ended
from tests.lifecycle.exporting import Exported
from tests.lifecycle.life import Life
from tests.lifecycle.traffic import Moved


@pytest.fixture(scope="session")
def deployed() -> Deployed:
    """The deployment that every part begins with."""
    return parts.played(base.NAME, base.deploy)


@pytest.fixture(scope="session")
def changed(deployed: Deployed) -> dict[str, list[str]]:
    return parts.played("changes", lambda *place: changes.play_changes(deployed, *place))


@pytest.fixture(scope="session")
def moved(deployed: Deployed) -> Moved:
    return parts.played("traffic", lambda *place: traffic.play_traffic(deployed, *place))


@pytest.fixture(scope="session")
def exported(deployed: Deployed) -> Exported:
    return parts.played("export", lambda *place: exporting.play_export(deployed, *place))


@pytest.fixture(scope="session")
def ended(deployed: Deployed) -> Ended:
    return parts.played("end", lambda *place: ending.play_end(deployed, *place))


@pytest.fixture(scope="session")
def life(
    deployed: Deployed,
    ended: Ended,
    changed: dict[str, list[str]],
    moved: Moved,
    exported: Exported,
) -> Life:
    """All parts together, for what looks at all that was said and done in any."""
    return Life.of_parts()
