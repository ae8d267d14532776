"""The image of services without a release, in a rehearsal: it answers, and repeats nothing of what it is sent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from operations.deployment import placeholder_image

pytestmark = pytest.mark.requirement("W8.3")


def test_placeholder_answers_every_request_with_a_fixed_body_and_ends_on_sigterm() -> None:
    image = placeholder_image.image()
    (folder,) = image.folders.values()
    program = Path(folder) / Path(image.entrypoint[-1]).name
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, program], env={**os.environ, "HTTPS_PORT": str(port)})
    try:
        answers = [
            _answer("GET", f"https://127.0.0.1:{port}/any/path?secret=1", headers={"X-Origin-Secret": "s3cr3t"}),
            _answer("POST", f"https://127.0.0.1:{port}/", content="s3cr3t"),
        ]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
    assert [(one.status_code, one.text) for one in answers] == [(200, "placeholder\n")] * 2
    assert not any("s3cr3t" in str(one.headers) for one in answers)


def _answer(method: str, url: str, **sent: object) -> httpx.Response:
    deadline = time.monotonic() + 30
    while True:
        try:
            return httpx.request(method, url, verify=False, trust_env=False, **sent)  # type: ignore[arg-type]
        except httpx.ConnectError:  # it is about to listen
            assert time.monotonic() < deadline
            time.sleep(0.05)
