"""Cache of references to attributes of resources, so that each crosses the bridge between Python and Node once.

`key.arn` is a call of Node, which returns a token for `${aws_kms_key.key.arn}` in the output. A stack reads most of
them several times, and every call takes about as long as creating a small resource.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MEMORY = "_remembered_references"
TOKEN = "${TfToken["  # noqa: S105 - CDKTF's word for a reference that it resolves when it writes


def remember(package: str) -> None:
    """Remember references to attributes of the resources of ``package``, CDKTF's bindings. Idempotent."""
    import jsii  # importing it starts Node

    if not hasattr(jsii.get, MEMORY):
        jsii.get = _remembering(jsii.get, f"{package}.")  # called by the bindings' properties


def _remembering(get: Callable[[Any, str], Any], prefix: str) -> Callable[[Any, str], Any]:
    def remembering(target: Any, attribute: str) -> Any:
        # An input is the value that was set last, not a reference.
        if attribute.endswith("Input") or not type(target).__module__.startswith(prefix):
            return get(target, attribute)
        remembered = vars(target).setdefault(MEMORY, {})
        if attribute in remembered:
            return remembered[attribute]
        value = get(target, attribute)
        if isinstance(value, str) and value.startswith(TOKEN):
            remembered[attribute] = value
        return value

    setattr(remembering, MEMORY, True)
    return remembering
