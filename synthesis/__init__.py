"""Makes synthesis quick: only the bindings that the stack uses are loaded, in Python and in Node.

The prebuilt AWS bindings load all of their more than two thousand modules as soon as one is used, on both sides of
the jsii bridge. ``prepare`` replaces both package indexes with lazy ones of the same contents. It changes nothing in
what is synthesized: `make bench-synth` compares the output of both ways, byte for byte, and says how much time it
saves.
"""

from synthesis.lazy_bindings import install
from synthesis.node import configure

__all__ = ["INTERPRETER_OPTIONS", "prepare"]

# Python's options for a program that synthesizes. -O leaves out the bindings' checks of every argument's type, which
# take a tenth of the time; mypy has checked them before.
INTERPRETER_OPTIONS = ("-O",)


def prepare() -> None:
    """Prepare this process for synthesis. Idempotent; must come before the first import of cdktf or of its bindings."""
    configure()
    install("cdktf_cdktf_provider_aws", assembly="@cdktf/provider-aws")
