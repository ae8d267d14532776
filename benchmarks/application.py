"""main.py, to be measured: `python -m benchmarks.application stock|lazy EXTRA`.

`stock` leaves out what makes synthesis quick. EXTRA cheap resources are added to the platform's own.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import synthesis

MAIN = Path(__file__).parents[1] / "main.py"


def main(way: str, extra: int) -> None:
    """Run main.py as it is, but for what ``way`` and ``extra`` say."""
    if way == "stock":
        synthesis.prepare = lambda: None
    if extra:
        _add_resources(extra)
    sys.argv = [str(MAIN)]
    runpy.run_path(str(MAIN), run_name="__main__")


def _add_resources(extra: int) -> None:
    synthesis.prepare()  # before the bindings are imported, here as in main.py

    from cdktf_cdktf_provider_aws.ssm_parameter import SsmParameter

    from stacks import payment_platform

    class LargerPlatform(payment_platform.PaymentPlatform):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            for number in range(extra):
                SsmParameter(self.primary, f"extra-{number}", name=f"/extra/{number}", type="String", value="1")

    payment_platform.PaymentPlatform = LargerPlatform  # type: ignore[misc]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
