"""The contract: every request is held against AWS's own published model of its service.

models    which operation of which service a request is for
wire      how each protocol writes the shapes of a model
check     the shapes: unknown and missing members, types, enums, patterns, lengths, ranges
patterns  the regular expressions of the models
errors    the refusal, as the service itself would write it
"""

from emulator.contract.check import Check, Constraint, Violation
from emulator.contract.errors import (
    ErrorResponse,
    access_denied,
    error_response,
    refusal,
    unknown_key,
    unknown_operation,
)
from emulator.contract.models import Target, find_target, iam_action

__all__ = [
    "Check",
    "Constraint",
    "ErrorResponse",
    "Target",
    "Violation",
    "access_denied",
    "error_response",
    "find_target",
    "iam_action",
    "refusal",
    "unknown_key",
    "unknown_operation",
]
