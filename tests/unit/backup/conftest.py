"""Fixtures that these tests share."""

from __future__ import annotations

import pytest

from settings import load
from tests.backups import synthesize_backups
from tests.synthesized import Synthesized
from tests.unit.backup.support import changed


@pytest.fixture(scope="module")
def backups() -> Synthesized:
    return synthesize_backups(load("local"))


@pytest.fixture(scope="module")
def protected() -> Synthesized:
    return synthesize_backups(changed(protected=True))
