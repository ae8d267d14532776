"""Settings of observability: what is refused (W5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platform.support import with_observability

pytestmark = pytest.mark.requirement("W5.2")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"paging_addresses": ["http://pager.example.com"]}, "paging_addresses"),
        ({"paging_addresses": ["https://user:secret@pager.example.com"]}, "paging_addresses"),
        ({"paging_addresses": ["https://pager.example.com/?key=secret"]}, "paging_addresses"),
        ({"paging_addresses": ["https://pager.example.com"] * 2}, "paging_addresses"),
        ({"paging_email_addresses": ["nobody"]}, "paging_email_addresses"),
        ({"min_success_percent": 100.0}, "min_success_percent"),
        ({"certificate_days": 60}, "certificate_days"),
        ({"max_message_age_seconds": 30}, "max_message_age_seconds"),
        ({"anomaly_deviations": 0.5}, "anomaly_deviations"),
        ({"runbooks": "with blanks"}, "runbooks"),
    ],
)
def test_other_values_are_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf"observability\.{field}"):
        with_observability(**values)
