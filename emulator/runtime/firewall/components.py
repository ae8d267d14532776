"""Components of a request that a statement inspects, and the transformations of their text.

https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-fields-list.html
https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-transformation.html
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from emulator.runtime.forwarding import Request

LOAD_BALANCER_BODY_BYTES = 8192
CLOUDFRONT_BODY_BYTES = 16384
"""What AWS WAF inspects of a body, where the web ACL does not say more.

https://docs.aws.amazon.com/waf/latest/developerguide/waf-oversize-request-components.html
"""


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A request under inspection: whose it is, how much of its body is seen, and the labels that it has by now."""

    request: Request
    address: str
    body_bytes: int
    labels: set[str] = field(default_factory=set)


class OversizeError(Exception):
    """A component is larger than what AWS WAF inspects, and the statement says what follows from that."""

    def __init__(self, *, matches: bool) -> None:
        super().__init__()
        self.matches = matches


def texts(statement: Mapping[str, Any], inspected: Inspected) -> list[bytes]:
    """The texts that a statement compares, transformed.

    Raises:
        OversizeError: a component is larger than is inspected, and the statement decides by that.
        NotImplementedError: a component or transformation is not emulated.
    """
    ((name, options),) = statement["FieldToMatch"].items()
    if name not in _COMPONENTS:
        raise NotImplementedError(f"the component {name} of a web ACL")
    found = _COMPONENTS[name](options, inspected)
    for one in sorted(statement["TextTransformations"], key=lambda each: int(each["Priority"])):
        if one["Type"] not in _TRANSFORMATIONS:
            raise NotImplementedError(f"the text transformation {one['Type']} of a web ACL")
        found = [_TRANSFORMATIONS[one["Type"]](text) for text in found]
    return found


def _header(options: Mapping[str, Any], inspected: Inspected) -> list[bytes]:
    values = inspected.request.headers.get_all(options["Name"]) or []
    return [",".join(str(one) for one in values).encode("latin-1")] if values else []


def _body(options: Mapping[str, Any], inspected: Inspected) -> list[bytes]:
    body, limit = inspected.request.body, inspected.body_bytes
    handling = options.get("OversizeHandling", "CONTINUE")
    if len(body) > limit and handling != "CONTINUE":
        raise OversizeError(matches=handling == "MATCH")
    return [body[:limit]]


def _argument(options: Mapping[str, Any], inspected: Inspected) -> list[bytes]:
    wanted = options["Name"].lower()
    return [value.encode() for name, value in inspected.request.query if name.lower() == wanted]


def _cookies(options: Mapping[str, Any], inspected: Inspected) -> list[bytes]:
    if options.get("MatchPattern") != {"All": {}} or options.get("MatchScope") == "KEY":
        raise NotImplementedError("a choice among the cookies of a web ACL's statement")
    return _header({"Name": "Cookie"}, inspected)


_COMPONENTS: dict[str, Callable[[Mapping[str, Any], Inspected], list[bytes]]] = {
    "UriPath": lambda _, inspected: [inspected.request.path.encode("latin-1")],
    "QueryString": lambda _, inspected: [inspected.request.query_string.encode("latin-1")],
    "Method": lambda _, inspected: [inspected.request.method.encode()],
    "AllQueryArguments": lambda _, inspected: [value.encode() for _, value in inspected.request.query],
    "SingleQueryArgument": _argument,
    "SingleHeader": _header,
    "Cookies": _cookies,
    "Body": _body,
}


def _normalize(path: bytes) -> bytes:
    """Without multiple slashes, references to the directory itself, and references back that are not at the start."""
    parts: list[bytes] = []
    for part in re.sub(rb"/+", b"/", path).split(b"/"):
        if part == b".." and parts and parts[-1] not in {b"", b".."}:
            parts.pop()
        elif part != b".":
            parts.append(part)
    return b"/".join(parts)


_TRANSFORMATIONS: dict[str, Callable[[bytes], bytes]] = {
    "NONE": lambda text: text,
    "LOWERCASE": bytes.lower,
    "URL_DECODE": unquote_to_bytes,
    "NORMALIZE_PATH": _normalize,
    "COMPRESS_WHITE_SPACE": lambda text: re.sub(rb"[\s\xa0]+", b" ", text),
    "HTML_ENTITY_DECODE": lambda text: html.unescape(text.decode("latin-1")).encode("latin-1", "ignore"),
}


def any_text(statement: Mapping[str, Any], inspected: Inspected, holds: Callable[[bytes], bool]) -> bool:
    """Whether one of the texts of a statement is as wanted, or its size alone decides so."""
    try:
        found: Iterable[bytes] = texts(statement, inspected)
    except OversizeError as oversize:
        return oversize.matches
    return any(holds(one) for one in found)
