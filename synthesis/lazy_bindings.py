"""A replacement of the index module of a jsii-generated Python package that imports submodules on first access.

No submodule of such a package imports another, so each can be loaded by itself. Newer releases of jsii-pacmak generate
packages in this form (https://github.com/aws/jsii/pull/5110); the bindings that this project pins are older.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

NOT_BINDINGS = {"_jsii", "__pycache__"}


def install(package: str, *, assembly: str) -> None:
    """Register the lazy index of ``package``, unless the package is loaded already.

    Raises:
        ModuleNotFoundError: if the package is not installed.
    """
    if package in sys.modules:
        return
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"{package} is not installed: run `make setup`")
    sys.modules[package] = _stand_in(spec)
    _tell_jsii_where_types_are(package, assembly, _submodules(spec))


def _stand_in(spec: ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)  # not executed: its body imports everything
    submodules = _submodules(spec)

    def load(name: str) -> ModuleType:
        if name not in submodules:
            raise AttributeError(f"module {spec.name!r} has no attribute {name!r}")
        return importlib.import_module(f"{spec.name}.{name}")

    module.__getattr__ = load  # type: ignore[method-assign]  # PEP 562
    module.__dir__ = lambda: sorted(submodules)  # type: ignore[method-assign]
    return module


def _submodules(spec: ModuleSpec) -> set[str]:
    folders = (Path(location) for location in spec.submodule_search_locations or ())
    return {entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir()} - NOT_BINDINGS


def _tell_jsii_where_types_are(package: str, assembly: str, submodules: set[str]) -> None:
    """Fill the map by which jsii finds the Python class of an object that was created in Node.

    The map is private to jsii (it exists from 1.133 on), so its absence is not an error: it is only needed for types
    whose submodule has not been imported.
    """
    from jsii import _reference_map  # importing jsii starts Node

    types: dict[str, str] | None = getattr(_reference_map, "_submodule_fqn_map", None)
    if types is not None:
        for name in submodules:
            types[f"{assembly}.{_camel_case(name)}"] = f"{package}.{name}"


def _camel_case(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)
