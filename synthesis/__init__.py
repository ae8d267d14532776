"""Speed-up of the synthesis: only the bindings that the stack uses are loaded, in Python and in Node.

The prebuilt AWS bindings load all of their more than two thousand modules as soon as one is used, on both sides of
the jsii bridge. ``prepare`` replaces both package indexes with lazy ones of the same contents, leaves annotations
unevaluated, calls Node once for each reference, and skips work of CDKTF that is not needed here. The output is the
same: `make bench-synth` compares it byte for byte, and measures the time saved.
"""

import gc
import sys

from synthesis import lazy_bindings, unevaluated_annotations
from synthesis.node import configure
from synthesis.references import remember

__all__ = ["INTERPRETER_OPTIONS", "prepare"]

# Python's options for a program that synthesizes. -O leaves out the bindings' checks of every argument's type, which
# take a tenth of the time; mypy has checked them before.
INTERPRETER_OPTIONS = ("-O",)
BINDINGS = "cdktf_cdktf_provider_aws"


def prepare() -> None:
    """Prepare this process for synthesis. Idempotent; must come before the first import of cdktf or of its bindings."""
    configure()
    lazy_bindings.install(BINDINGS, assembly="@cdktf/provider-aws")
    unevaluated_annotations.install(BINDINGS)
    remember(BINDINGS)
    if sys.flags.optimize:
        gc.disable()  # such a program ends with the synthesis, and nearly all that it makes lives until then
