"""The metrics that services/payments writes, for the dashboards and alarms of both systems: its own table, and no copy.

The service is a program of its own, with its own root for imports. Of it only this table is loaded here, which needs
nothing but Python.
"""

from __future__ import annotations

import sys
from pathlib import Path

SERVICE = str(Path(__file__).parents[1] / "services" / "payments")
if SERVICE not in sys.path:
    sys.path.append(SERVICE)

from payments import metrics  # noqa: E402

__all__ = ["metrics"]
