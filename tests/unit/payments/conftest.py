"""Fixtures that these tests share."""

from __future__ import annotations

import pytest

from tests.unit.payments.support import REGIONS


@pytest.fixture(params=REGIONS)
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)
