"""AWS's managed rule groups, by a minimum that AWS's documentation describes.

AWS does not publish the rules themselves. Each rule here has the name and the label of AWS's, and matches the examples
that the documentation gives. The two lists of addresses, which only AWS knows, match no address. A rule that is
not here is AWS's alone.
https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-use-case.html
https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-ip-rep.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

PREFIX = "awswaf:managed:aws:"

# What the ends of the rules' names stand for, and of their labels.
_PLACES: Mapping[str, tuple[dict[str, Any], str]] = MappingProxyType(
    {
        "BODY": ({"Body": {"OversizeHandling": "CONTINUE"}}, "Body"),
        "COOKIE": ({"SingleHeader": {"Name": "cookie"}}, "Cookie"),
        "HEADER": ({"SingleHeader": {"Name": "user-agent"}}, "Header"),
        "QUERYARGUMENTS": ({"AllQueryArguments": {}}, "QueryArguments"),
        "QUERYSTRING": ({"QueryString": {}}, "QueryString"),
        "URIPATH": ({"UriPath": {}}, "URIPath"),
    }
)
_DECODED = [{"Priority": 0, "Type": "URL_DECODE"}, {"Priority": 1, "Type": "LOWERCASE"}]

_TRAVERSAL = r"\.\./\.\./"
_METADATA = r"169\.254\.169\.254"
_REMOTE_FILE = r"(https?|ftp)://\d{1,3}(\.\d{1,3}){3}"
_SCRIPT = r"<script[\s>/]"
_EXTENSION = r"\.(log|ini|bak|conf|config|sql)$"
_LOG4J = r"\$\{jndi:(ldap|rmi|dns|iiop)s?:"
_DESERIALIZATION = r"\(runtime\)\.getruntime\(\)\.exec|java\.lang\.runtime|java\.lang\.processbuilder"
_INJECTION = (
    r"('|\")\s*(or|and)\s+('|\")?\w+('|\")?\s*=\s*('|\")?\w*|\bunion\s+(all\s+)?select\b|;\s*(drop|delete|insert|update)\s"
    r"|\b(pg_)?sleep\s*\(\s*\d|\bwaitfor\s+delay\b"
)


def _rule(name: str, label: str, statement: dict[str, Any]) -> dict[str, Any]:
    return {"Name": name, "Action": {"Block": {}}, "Statement": statement, "RuleLabels": [{"Name": label}]}


def _matching(name: str, places: Iterable[str], expression: str) -> Iterator[dict[str, Any]]:
    for place in places:
        field, said = _PLACES[place]
        match = {"RegexString": expression, "FieldToMatch": field, "TextTransformations": _DECODED}
        yield _rule(f"{name}_{place}", f"{name}_{said}", {"RegexMatchStatement": match})


def _larger(name: str, label: str, place: str, size: int) -> dict[str, Any]:
    field = _PLACES[place][0]
    if place == "BODY":
        field = {"Body": {"OversizeHandling": "MATCH"}}
    compared = {"ComparisonOperator": "GT", "Size": size, "FieldToMatch": field}
    plain = {"TextTransformations": [{"Priority": 0, "Type": "NONE"}]}
    return _rule(name, label, {"SizeConstraintStatement": compared | plain})


def _no_user_agent() -> dict[str, Any]:
    anything = {"RegexString": ".", "FieldToMatch": _PLACES["HEADER"][0], "TextTransformations": _DECODED}
    return _rule(
        "NoUserAgent_HEADER", "NoUserAgent_Header", {"NotStatement": {"Statement": {"RegexMatchStatement": anything}}}
    )


def _bad_bots() -> dict[str, Any]:
    (rule,) = _matching("UserAgent_BadBots", ["HEADER"], r"\b(nessus|nmap)\b")
    return {**rule, "RuleLabels": [{"Name": "BadBots_Header"}]}


def _host_is_local() -> dict[str, Any]:
    match = {"RegexString": r"^localhost(:\d+)?$", "FieldToMatch": {"SingleHeader": {"Name": "host"}}}
    return _rule("Host_localhost_HEADER", "Host_Localhost_Header", {"RegexMatchStatement": match | _TRANSFORMED})


def _lists_folders() -> dict[str, Any]:
    match = {"RegexString": "^propfind$", "FieldToMatch": {"Method": {}}}
    return _rule("PROPFIND_METHOD", "Propfind_Method", {"RegexMatchStatement": match | _TRANSFORMED})


_TRANSFORMED = {"TextTransformations": _DECODED}

_EVERYWHERE = ("QUERYARGUMENTS", "BODY", "URIPATH")

GROUPS: Mapping[str, tuple[str, tuple[dict[str, Any], ...]]] = MappingProxyType(
    {
        "AWSManagedRulesAmazonIpReputationList": ("amazon-ip-list", ()),
        "AWSManagedRulesAnonymousIpList": ("anonymous-ip-list", ()),
        "AWSManagedRulesCommonRuleSet": (
            "core-rule-set",
            (
                _no_user_agent(),
                _bad_bots(),
                _larger("SizeRestrictions_QUERYSTRING", "SizeRestrictions_QueryString", "QUERYSTRING", 2048),
                _larger("SizeRestrictions_Cookie_HEADER", "SizeRestrictions_Cookie_Header", "COOKIE", 10240),
                _larger("SizeRestrictions_BODY", "SizeRestrictions_Body", "BODY", 8192),
                _larger("SizeRestrictions_URIPATH", "SizeRestrictions_URIPath", "URIPATH", 1024),
                *_matching("EC2MetaDataSSRF", ["BODY", "COOKIE", "URIPATH", "QUERYARGUMENTS"], _METADATA),
                *_matching("GenericLFI", _EVERYWHERE, _TRAVERSAL),
                *_matching("RestrictedExtensions", ["URIPATH", "QUERYARGUMENTS"], _EXTENSION),
                *_matching("GenericRFI", _EVERYWHERE, _REMOTE_FILE),
                *_matching("CrossSiteScripting", ["COOKIE", *_EVERYWHERE], _SCRIPT),
            ),
        ),
        "AWSManagedRulesKnownBadInputsRuleSet": (
            "known-bad-inputs",
            (
                *_matching("JavaDeserializationRCE", ["HEADER", "BODY", "URIPATH", "QUERYSTRING"], _DESERIALIZATION),
                _host_is_local(),
                _lists_folders(),
                *_matching("ExploitablePaths", ["URIPATH"], r"/web-inf/"),
                *_matching("Log4JRCE", ["HEADER", "QUERYSTRING", "BODY", "URIPATH"], _LOG4J),
            ),
        ),
        "AWSManagedRulesSQLiRuleSet": (
            "sql-database",
            tuple(_matching("SQLi", ["QUERYARGUMENTS", "BODY", "COOKIE", "URIPATH"], _INJECTION)),
        ),
    }
)
"""By the group's name, the last part of its labels' prefix and its rules, in their order."""
