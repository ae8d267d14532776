"""What schemathesis cannot learn from the OpenAPI document of the payments service.

An idempotency key is for one request, so each valid request gets a key of its own. Valid cursors come only from
responses.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import Case, GenerationMode, HookContext


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Make a request that is valid by the document's schemas valid by its descriptions, too."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if "idempotency-key" in {name.lower() for name in case.headers or {}}:
        case.headers["idempotency-key"] = str(uuid4())
    if case.query:
        case.query.pop("cursor", None)
