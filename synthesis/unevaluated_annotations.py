"""Import of bindings without evaluation of their annotations.

Each class of a generated binding declares the type of every argument, attribute and return value. Python evaluates all
of them when it imports the module, which takes most of the import's time, and nothing reads them under -O, as the
bindings check arguments under `if __debug__` only. PEP 563 compiles a module so that they stay text.
"""

from __future__ import annotations
import __future__

import contextlib
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

# The byte code differs from Python's own of the same files, so it is stored elsewhere.
BYTE_CODE = Path(__file__).parent.parent / ".cache" / "bindings"


def install(package: str) -> None:
    """Compile the submodules of ``package`` that are imported from now on so. Idempotent; does nothing without -O."""
    if sys.flags.optimize and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(package))


class _Finder:
    """Finds submodules of a package where Python does, and gives them the loader."""

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(self._prefix):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        with _byte_code_below(BYTE_CODE):
            return super().get_code(fullname)

    # typeshed has the static method of the abstract class; a loader of files has a method with this option.
    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:  # type: ignore[override]
        flag = __future__.annotations.compiler_flag
        return compile(data, path, "exec", flags=flag, dont_inherit=True, optimize=_optimize)


@contextlib.contextmanager
def _byte_code_below(directory: Path) -> Iterator[None]:
    before, sys.pycache_prefix = sys.pycache_prefix, str(directory)
    try:
        yield
    finally:
        sys.pycache_prefix = before
