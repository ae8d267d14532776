"""What schemathesis cannot know from the OpenAPI document of the payments service.

A key names one request, so each valid request gets one of its own; and the only valid cursors are those that were
answered.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import Case, GenerationMode, HookContext


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Make what is valid by the document valid by what the document says in words, too."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if "idempotency-key" in {name.lower() for name in case.headers or {}}:
        case.headers["idempotency-key"] = str(uuid4())
    if case.query:
        case.query.pop("cursor", None)
