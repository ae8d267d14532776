"""What the stack needs and moto lacks: one file a service, each with an ``install`` of its own.

Rules for an addition (docs/local-aws.md gives the reasons):

- it stores what it was sent and returns that;
- it answers an unknown id with the service's own error;
- it never returns a constant that makes a plan quiet.
"""

from __future__ import annotations


def install() -> None:
    """Add all of it to moto, in this process."""
