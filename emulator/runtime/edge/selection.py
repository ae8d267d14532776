"""What of a viewer's request is in the cache key, and what goes to the origin.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/controlling-the-cache-key.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/controlling-origin-requests.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from email.message import Message
from typing import Any
from urllib.parse import unquote

from emulator.runtime.edge.distribution import Behavior, Config, headers_of, items
from emulator.runtime.forwarding import Request

Pairs = tuple[tuple[str, str], ...]

# Removed from, or set by CloudFront itself in, each request to an origin.
_NOT_THE_VIEWERS = re.compile(
    r"connection|cookie|expect|keep-alive|proxy-.*|te|trailer|upgrade|via|x-amz-cf-.*|x-cache|x-edge-.*"
    r"|x-forwarded-for|x-forwarded-proto|x-real-ip|x-accel-.*"
)
# Sent to an origin whatever the policies say.
_ALWAYS = {"content-length", "content-type", "content-md5", "transfer-encoding"}
_ENCODINGS = (("gzip", "EnableAcceptEncodingGzip"), ("br", "EnableAcceptEncodingBrotli"))
USER_AGENT = "Amazon CloudFront"


def cache_key(behavior: Behavior, request: Request) -> tuple[Any, ...]:
    """What two requests have in common that are answered from the cache by the same response."""
    included = _key_of(behavior)
    return (
        request.method if request.method not in {"GET", "HEAD"} else "GET",
        unquote(request.path),
        _headers(included, request),
        _queries(included, request),
        _cookies(included, request),
        _encoding(included, request),
    )


def _key_of(behavior: Behavior) -> Config:
    found: Config = behavior.policies.cache["ParametersInCacheKeyAndForwardedToOrigin"]
    return found


def for_origin(behavior: Behavior, request: Request, *, host: str, via: str, request_id: str) -> Request:
    """The request that goes to an origin whose domain name is ``host``.

    Raises:
        NotImplementedError: a policy has a header that CloudFront itself would add.
    """
    chosen = [_key_of(behavior)]
    if behavior.policies.origin_request:
        chosen.append(behavior.policies.origin_request)
    headers = _chosen_headers(behavior, chosen, request, host)
    if cookies := _united(_cookies(one, request) for one in chosen):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies)
    if encoding := _encoding(chosen[0], request):
        headers["Accept-Encoding"] = encoding
    if "user-agent" not in headers:
        headers["User-Agent"] = USER_AGENT
    _tell_of_the_viewer(headers, request, via, request_id)
    query = "&".join(one for one, _ in _united(_queries(each, request) for each in chosen))
    return replace(request, target=request.path + (f"?{query}" if query else ""), headers=headers)


def _chosen_headers(behavior: Behavior, chosen: Iterable[Config], request: Request, host: str) -> Message:
    headers = Message()
    for name, value in _united(_headers(one, request) for one in chosen):
        if not (name == "accept-encoding" and _compresses(behavior)):
            headers[name] = value
    for name, value in request.headers.items():
        if name.lower() in _ALWAYS and name.lower() not in headers:
            headers[name] = value
    if "host" not in headers:
        headers["Host"] = host
    return headers


def _tell_of_the_viewer(headers: Message, request: Request, via: str, request_id: str) -> None:
    before = request.headers.get_all("X-Forwarded-For") or []
    headers["X-Forwarded-For"] = ", ".join([*before, request.address])
    headers["Via"] = ", ".join([*(request.headers.get_all("Via") or []), f"1.1 {via} (CloudFront)"])
    headers["X-Amz-Cf-Id"] = request_id


def _united(chosen: Iterable[Pairs]) -> Pairs:
    return tuple(dict.fromkeys(pair for pairs in chosen for pair in pairs))


def _compresses(behavior: Behavior) -> bool:
    return any(bool(_key_of(behavior).get(option)) for _, option in _ENCODINGS)


def _encoding(included: Config, request: Request) -> str:
    """The header Accept-Encoding as CloudFront normalizes it.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cache-key-understand-cache-policy.html
    """
    accepted = {one.partition(";")[0].strip() for one in request.headers.get("Accept-Encoding", "").split(",")}
    return ",".join(name for name, option in _ENCODINGS if included.get(option) and name in accepted)


def _headers(included: Config, request: Request) -> Pairs:
    config = included["HeadersConfig"]
    behavior = config["HeaderBehavior"]
    named = {one.lower() for one in headers_of(config)}
    if added := sorted(one for one in named if one.startswith("cloudfront-")):
        raise NotImplementedError(f"the header {added[0]}, which CloudFront adds")
    chooses = _CHOICES[behavior]
    return tuple(
        (name, value)
        for name, value in ((name.lower(), value) for name, value in request.headers.items())
        if chooses(name, named) and not _NOT_THE_VIEWERS.fullmatch(name)
    )


def _queries(included: Config, request: Request) -> Pairs:
    """The chosen parts of the query, each as it was sent."""
    config = included["QueryStringsConfig"]
    named = {str(one) for one in items(config, "QueryStrings")}
    chooses = _CHOICES[config["QueryStringBehavior"]]
    parts = [one for one in request.query_string.split("&") if one]
    return tuple((one, "") for one in parts if chooses(unquote(one.partition("=")[0]), named))


def _cookies(included: Config, request: Request) -> Pairs:
    config = included["CookiesConfig"]
    named = {str(one) for one in items(config, "Cookies")}
    chooses = _CHOICES[config["CookieBehavior"]]
    sent = [pair for line in request.headers.get_all("Cookie") or [] for pair in re.split(r";\s*", line) if pair]
    pairs = (one.partition("=")[::2] for one in sent)
    return tuple((name, value) for name, value in pairs if chooses(name, named))


_CHOICES: Mapping[str, Callable[[str, set[str]], bool]] = {
    "none": lambda _name, _named: False,
    "whitelist": lambda name, named: name in named,
    "all": lambda _name, _named: True,
    "allViewer": lambda _name, _named: True,
    "allViewerAndWhitelistCloudFront": lambda _name, _named: True,
    "allExcept": lambda name, named: name not in named,
}
