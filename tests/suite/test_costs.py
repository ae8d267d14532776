"""The closing lines of a run name the dearest files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import botocore.session

from tests import costs
from tests.suite.test_recorder import run_in

BUSY = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"
DEAR = f"""
import subprocess, sys
def test_some(): subprocess.run([sys.executable, "-c", {BUSY.format(seconds=0.3)!r}], check=True)
"""
WAITS = "import time\ndef test_some(): time.sleep(0.3)\n"


def test_dearest_files_are_named_with_the_time_of_their_processes(tmp_path: Path) -> None:
    (tmp_path / "test_dear.py").write_text(DEAR)
    (tmp_path / "test_waits.py").write_text(WAITS)
    code, said = run_in(tmp_path, "-n", "1")
    assert code == 0, said
    lines = re.findall(r"^ +(\S+) s, +(\S+) s of wall +(\S+)$", said, re.MULTILINE)
    (dear, dear_wall, first), (waiting, waiting_wall, second) = lines
    assert (first, second) == ("test_dear.py", "test_waits.py")
    assert float(dear) >= 0.3 > float(waiting)
    assert min(float(dear_wall), float(waiting_wall)) >= 0.3


def test_process_that_is_added_counts() -> None:
    code = BUSY.format(seconds=0.3) + "print('done', flush=True)\ninput()"
    before = costs.processor_seconds()
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "done\n"
        costs.add(other.pid)
        assert costs.processor_seconds() - before >= 0.25  # ticks of 0.01 s, rounded down
        other.communicate("\n")


def test_sessions_of_aws_share_the_models_of_services() -> None:
    loaders = {id(botocore.session.Session().get_component("data_loader")) for _ in range(2)}
    assert len(loaders) == 1, "each client of a new session reads and parses its service's model"
