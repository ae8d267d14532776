"""The contract: validation of every request against AWS's published model of its service.

models    finds the service and operation of a request
wire      reads the shapes of a model from each protocol
check     validates shapes: unknown and missing members, types, enums, patterns, lengths, ranges
patterns  regular expressions of the models
errors    error responses in the service's own format
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
