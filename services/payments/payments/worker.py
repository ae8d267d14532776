"""`python -m payments.worker`: works off the queue until SIGTERM; the same processing as the Lambda function's."""

from __future__ import annotations

import asyncio
import signal
import sys

from payments import logs, metrics
from payments.processing.composition import Composition, compose
from payments.processing.queue import Queue
from payments.processing.worker import Worker, WorkerSettings
from payments.settings import Misconfigured, read

EXIT_MISCONFIGURED = 2


async def run() -> None:
    """Work until SIGTERM or SIGINT, and end what was begun."""
    settings = read(WorkerSettings)
    composition = compose(metrics.WORKER)
    try:
        await _worker(composition, settings).run()
    finally:
        await composition.close()


def _worker(composition: Composition, settings: WorkerSettings) -> Worker:
    environment = composition.environment
    queue = Queue(environment.queue_url, region=environment.aws_region, wait_seconds=settings.wait_seconds)
    worker = Worker(composition.processor, queue, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    return worker


def main() -> None:
    """Read the environment, and work."""
    logs.configure()
    try:
        asyncio.run(run())
    except Misconfigured as problem:
        print(problem, file=sys.stderr)
        sys.exit(EXIT_MISCONFIGURED)


if __name__ == "__main__":
    main()
