"""Commands are there at once: none loads the bindings of CDKTF or the CDK, which start Node, before it synthesizes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from operations.project_root import PROJECT

pytestmark = pytest.mark.requirement("W8.9")

# A child, as a test process may have loaded them; the modules that load them are told, each with what led to it.
LOADED = """
import importlib, pkgutil, sys, traceback
import operations

class Watch:
    module = ""
    def find_spec(self, name, path=None, target=None):
        if name == "jsii":
            frames = [one.filename for one in traceback.extract_stack() if "importlib" not in one.filename]
            print(self.module, "through", next(one for one in reversed(frames) if "site-packages" not in one))
            raise ImportError("not to be loaded")

watch = Watch()
sys.meta_path.insert(0, watch)
loaded = 0
for module in pkgutil.walk_packages(operations.__path__, "operations."):
    if module.name.rpartition(".")[2] != "__main__":
        watch.module = module.name
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            if "not to be loaded" not in str(error):
                raise
        loaded += 1
print(loaded, "modules")
"""


def test_no_command_loads_what_starts_node() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    *loading, last = ended.stdout.splitlines()
    assert loading == []
    assert int(last.split()[0]) > 100
