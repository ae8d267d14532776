"""`python -m payments.reconcile`: one run of the reconciler, by hand or by a scheduler other than Lambda's."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from payments import logs, metrics
from payments.processing.composition import compose
from payments.processing.reconciliation import reconcile
from payments.settings import Misconfigured

SECONDS = 300.0
EXIT_MISCONFIGURED = 2


async def run() -> dict[str, int]:
    """Look after what is due, and say what came of it."""
    composition = compose(metrics.RECONCILIATION)
    deadline = time.monotonic() + SECONDS
    try:
        return await reconcile(composition, lambda: deadline - time.monotonic())
    finally:
        await composition.close()


def main() -> None:
    """Read the environment, reconcile, and print a line of JSON."""
    logs.configure()
    try:
        print(json.dumps(asyncio.run(run())))
    except Misconfigured as problem:
        print(problem, file=sys.stderr)
        sys.exit(EXIT_MISCONFIGURED)


if __name__ == "__main__":
    main()
