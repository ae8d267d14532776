"""Runs one invocation of a Lambda function: ``function_runner.py handler seconds answer-file``, the event on stdin.

It is run by itself, in the folder of the function's code, and imports nothing of this project.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = self.aws_request_id = os.environ["_REQUEST_ID"]
        self.invoked_function_arn = os.environ["_FUNCTION_ARN"]
        self.identity = self.client_context = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main(handler: str, seconds: float, answer: Path) -> None:
    """Call the handler, and write what came of it."""
    # What the alarm does when nobody handles it: the process ends.
    signal.setitimer(signal.ITIMER_REAL, seconds)
    event = json.load(sys.stdin)
    try:
        said = {"failed": False, "payload": _call(handler, event, Context(seconds))}
        text = json.dumps(said)
    except Exception as error:  # noqa: BLE001 (whatever the function fails with is its answer)
        traceback.print_exc()
        payload = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
        text = json.dumps({"failed": True, "payload": payload})
    sys.stdout.flush()
    answer.write_text(text, encoding="utf-8")


def _call(handler: str, event: Any, context: Context) -> Any:
    module, _, function = handler.rpartition(".")
    sys.path.insert(0, str(Path.cwd()))
    return getattr(importlib.import_module(module.replace("/", ".")), function)(event, context)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
