"""Ctrl-C before a command has begun, and while it synthesizes, ends it in a word or none, and never in a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from operations.outcome import EXIT_INTERRUPTED

REPOSITORY = Path(__file__).parents[2]
# Python runs it before anything else. At the import of a module, Ctrl-C goes to all groups of the terminal that matter.
AT_AN_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"] and not os.path.exists(os.environ["INTERRUPTED"]):
            open(os.environ["INTERRUPTED"], "w").close()
            os.killpg(int(os.environ.get("TERMINAL") or os.getpgrp()), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""
MAIN = ("main.py", "--environment", "local")
ESTIMATE = ("-m", "operations", "estimate", "local")
RUN = """
import os, sys
os.environ["TERMINAL"] = str(os.getpgrp())
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.requirement("W8.9")
@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        pytest.param(MAIN, "pydantic", id="synthesis: settings"),
        pytest.param(MAIN, "stacks.payment_platform", id="synthesis: Node runs"),
        pytest.param(ESTIMATE, "typer", id="command: the command line"),
        pytest.param(ESTIMATE, "operations.estimate.command", id="command: begins"),
        pytest.param(ESTIMATE, "stacks.payment_platform", id="command: synthesizes"),
    ],
)
def test_ctrl_c_during_imports_prints_no_traceback(tmp_path: Path, arguments: tuple[str, ...], module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(AT_AN_IMPORT, encoding="utf-8")
    interrupted = tmp_path / "interrupted"
    variables = {"PYTHONPATH": str(tmp_path), "INTERRUPTED_AT": module, "INTERRUPTED": str(interrupted)}

    ended = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **variables, "CDKTF_OUTDIR": str(tmp_path / "out")},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert interrupted.exists()
    assert ended.returncode == EXIT_INTERRUPTED
    assert ended.stdout == ""
    assert ended.stderr in ("", "interrupted\n")
