"""Prints the packages of a folder as a software bill of materials: `python sbom.py /install`.

CycloneDX 1.6, the same for the same packages. https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, distributions
from typing import Any


def bill(folder: str) -> dict[str, Any]:
    """The bill of materials of what pip has installed in ``folder``."""
    components = sorted((_component(one) for one in distributions(path=[folder])), key=lambda one: one["bom-ref"])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "payments", "bom-ref": "payments"}},
        "components": components,
        "dependencies": [{"ref": "payments", "dependsOn": [one["bom-ref"] for one in components]}],
    }


def _component(package: Distribution) -> dict[str, Any]:
    about = package.metadata.json
    name = str(about["name"]).lower().replace("_", "-")
    url = f"pkg:pypi/{name}@{package.version}"
    expression = about.get("license_expression")
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": package.version,
        "purl": url,
        **({"licenses": [{"expression": expression}]} if expression else {}),
    }


if __name__ == "__main__":
    json.dump(bill(sys.argv[1]), sys.stdout, indent=2)
