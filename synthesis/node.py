"""The environment of the Node process in which jsii runs the construct library."""

from __future__ import annotations

import os
from pathlib import Path

PRELOADED = [Path(__file__).with_name(name) for name in ("lazy_index.cjs", "unneeded_work.cjs")]
# The releases that cdktf-cli 0.21 runs on and that jsii calls end-of-life. A comma-separated list of major versions.
# https://github.com/aws/jsii/blob/main/packages/%40jsii/check-node/src/index.ts
NO_BANNER = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20"}
"""The variable by which jsii does not say so at length, for this process or for one that it starts."""


def configure() -> None:
    """Set the Node process's environment variables: a preloaded script, no banner about its release. Idempotent."""
    options = os.environ.get("NODE_OPTIONS", "")
    missing = [option for path in PRELOADED if (option := f'--require "{path}"') not in options]
    os.environ["NODE_OPTIONS"] = " ".join([options, *missing]).strip()
    for name, releases in NO_BANNER.items():
        os.environ.setdefault(name, releases)
