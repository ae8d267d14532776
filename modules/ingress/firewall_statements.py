"""Statements of the web ACLs' rules: what they match.

https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-list.html
"""

from __future__ import annotations

from typing import Any

from settings.firewall import CREDENTIAL_HEADER, CREDENTIAL_SCHEME, CREDENTIAL_TRANSFORMATIONS, PATH_TRANSFORMATIONS


def path_matches(path: str, constraint: str) -> dict[str, Any]:
    """Whether the path, decoded and normalized, stands to ``path`` as a positional constraint says."""
    match = {
        "search_string": path,
        "positional_constraint": constraint,
        "field_to_match": {"uri_path": {}},
        "text_transformation": [transformation(name, priority) for priority, name in enumerate(PATH_TRANSFORMATIONS)],
    }
    return {"byte_match_statement": match}


def method_is(method: str) -> dict[str, Any]:
    """Whether the method is ``method``."""
    match = {
        "search_string": method,
        "positional_constraint": "EXACTLY",
        "field_to_match": {"method": {}},
        "text_transformation": [transformation("NONE")],
    }
    return {"byte_match_statement": match}


def has_credential() -> dict[str, Any]:
    """Whether a request has a credential, as it should be sent; whether it is one, the service finds out."""
    match = {
        "search_string": CREDENTIAL_SCHEME,
        "positional_constraint": "STARTS_WITH",
        "field_to_match": {"single_header": {"name": CREDENTIAL_HEADER}},
        "text_transformation": [transformation("NONE")],
    }
    return {"byte_match_statement": match}


def credential_key() -> dict[str, Any]:
    """The header, however it is spelled. A request without it is not counted.

    https://docs.aws.amazon.com/waf/latest/APIReference/API_RateLimitHeader.html
    """
    spelled = [transformation(name, priority) for priority, name in enumerate(CREDENTIAL_TRANSFORMATIONS)]
    return {"header": {"name": CREDENTIAL_HEADER, "text_transformation": spelled}}


def labelled(label: str) -> dict[str, Any]:
    """Whether an earlier rule of the web ACL has added ``label``."""
    return {"label_match_statement": {"scope": "LABEL", "key": label}}


def negated(statement: dict[str, Any]) -> dict[str, Any]:
    """Whether ``statement`` does not match."""
    return {"not_statement": {"statement": [statement]}}


def all_of(*statements: dict[str, Any]) -> dict[str, Any]:
    """Whether all ``statements`` match."""
    return {"and_statement": {"statement": list(statements)}}


def transformation(name: str, priority: int = 0) -> dict[str, Any]:
    """A transformation of text before it is compared."""
    return {"priority": priority, "type": name}
