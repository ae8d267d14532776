"""A distribution's response to a viewer's request.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, replace
from email.message import Message
from email.utils import formatdate
from typing import Any

from moto.cloudfront.models import cloudfront_backends

from alarms.documented import DOCUMENTED
from alarms.sources import of_viewed
from emulator.address import HOST
from emulator.passages import Passage, passing
from emulator.runtime.edge import viewer_functions
from emulator.runtime.edge.cache import CACHE, seconds_to_keep
from emulator.runtime.edge.distribution import Behavior, Distribution, read
from emulator.runtime.edge.origins import Sending, fetch
from emulator.runtime.edge.response_headers import with_policy
from emulator.runtime.edge.selection import cache_key
from emulator.runtime.firewall.deployed import decision_at_edge
from emulator.runtime.forwarding import Answer, Request
from emulator.runtime.metering import METERING
from emulator.turns import turn

SERVER = "CloudFront"
HOME = DOCUMENTED["AWS/CloudFront"].home
OF_A_PAGE = (("Server", SERVER), ("Content-Type", "text/html"))
LOCATION = "LOCAL50-C1"
FIRST_ERROR = 400
# A redirect that keeps method and body, for requests that are no reads.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-https-viewers-to-cloudfront.html
REDIRECTED_AS_READS = {"GET", "HEAD"}
NOT_CONFIGURED = "This distribution is not configured to allow the HTTP request method that was used for this request."
BLOCKED = "Request blocked."
UNSATISFIED = "We can't connect to the server for this app or website at this time."
FUNCTION_FAILED = "The CloudFront function associated with the CloudFront distribution is invalid or could not run."


@dataclass(frozen=True, kw_only=True)
class Viewed:
    """A viewer's request, by which protocol and to which distribution; ``request_id`` is CloudFront's."""

    distribution: Distribution
    request: Request
    is_https: bool
    request_id: str


def find(account_id: str, stored: Any) -> Distribution:
    """A distribution with its behaviors. The caller holds the turn.

    Raises:
        NotImplementedError: it has something that is not emulated.
    """
    return read(stored, cloudfront_backends[account_id]["aws"].policies)


def answer(distribution: Distribution, request: Request, *, is_https: bool) -> Answer:
    """The response to a viewer.

    Raises:
        NotImplementedError: the distribution needs something that is not emulated.
    """
    request_id = base64.urlsafe_b64encode(os.urandom(42)).decode()
    viewed = Viewed(distribution=distribution, request=request, is_https=is_https, request_id=request_id)
    with passing("distribution", distribution.id, f"{request.method} {request.path}") as passage:
        said, result = _answer(viewed, passage)
        passage.outcome = str(said.status)
    METERING.publish(HOME, of_viewed(distribution.id, said.status))
    return _labelled(viewed, said, result)


def _labelled(viewed: Viewed, said: Answer, result: str) -> Answer:
    """With the headers that CloudFront adds to each response."""
    present = {name.lower() for name, _ in said.headers}
    via = ("Via", f"1.1 {viewed.distribution.domain_name} (CloudFront)")
    added = [("X-Cache", f"{result} from cloudfront"), via]
    added += [("X-Amz-Cf-Pop", LOCATION), ("X-Amz-Cf-Id", viewed.request_id)]
    added += [("Date", formatdate(usegmt=True))] if "date" not in present else []
    return replace(said, headers=(*said.headers, *added))


def _answer(viewed: Viewed, passage: Passage) -> tuple[Answer, str]:
    """The response and what X-Cache says of it."""
    if refusal := _refused_by_web_acl(viewed):
        passage.way = "web ACL"
        return refusal, "Error"
    behavior = viewed.distribution.behavior_of(viewed.request.path)
    passage.way = f"behavior {behavior.pattern or 'default'}"
    policy = behavior.config["ViewerProtocolPolicy"]
    if not viewed.is_https and policy != "allow-all":
        return (_redirect(viewed), "Redirect") if policy == "redirect-to-https" else (_error(403, BLOCKED), "Error")
    if viewed.request.method not in behavior.methods:
        return _error(403, NOT_CONFIGURED), "Error"
    changed = _by_function(viewed, behavior, passage)
    if isinstance(changed, tuple):
        return changed
    return _found(replace(viewed, request=changed), behavior, passage)


def _refused_by_web_acl(viewed: Viewed) -> Answer | None:
    distribution, request = viewed.distribution, viewed.request
    arn = str(distribution.config.get("WebACLId") or "")
    if not arn:
        return None
    with passing("web ACL", arn.split("/")[-2], f"{request.method} {request.path}") as passage, turn():
        decision = decision_at_edge(distribution.account_id, arn, request, request.address or HOST)
        if decision is None or decision.allows:
            passage.outcome = f"allowed by {decision.rule}" if decision else ""
            return None
        passage.outcome = f"blocked by {decision.rule}"
    return decision.response or _error_page(viewed, _error(403, BLOCKED))


def _redirect(viewed: Viewed) -> Answer:
    host = viewed.request.headers.get("Host", "").partition(":")[0]
    status = 301 if viewed.request.method in REDIRECTED_AS_READS else 307
    place = ("Location", f"https://{host}{viewed.request.target}")
    return Answer(status=status, headers=(("Server", SERVER), place, ("Content-Type", "text/html")))


def _by_function(viewed: Viewed, behavior: Behavior, passage: Passage) -> Request | tuple[Answer, str]:
    """The request as the viewer function leaves it, or the response that it makes."""
    if not behavior.viewer_function:
        return viewed.request
    name = behavior.viewer_function.rpartition("/")[2]
    passage.way += f", function {name}"
    with turn():
        function = cloudfront_backends[viewed.distribution.account_id]["aws"].functions[name]
    try:
        made = viewer_functions.apply(function, viewed.distribution, viewed.request, viewed.request_id)
    except viewer_functions.FunctionFailedError:
        return _error(503, FUNCTION_FAILED), "FunctionExecutionError"
    except viewer_functions.FunctionInvalidError:
        return _error(502, FUNCTION_FAILED), "FunctionValidationError"
    return made if isinstance(made, Request) else (made, "FunctionGeneratedResponse")


def _found(viewed: Viewed, behavior: Behavior, passage: Passage) -> tuple[Answer, str]:
    """The response from the cache, or from the origin."""
    request = viewed.request
    is_cached = request.method in behavior.cached_methods
    key = cache_key(behavior, request)
    if is_cached and (kept := CACHE.find(viewed.distribution, key)):
        passage.way += ", cache"
        said, result = kept, "Hit" if kept.status < FIRST_ERROR else "Error"
    else:
        said, result = _fetched(viewed, behavior, passage)
        if is_cached and request.method != "HEAD":
            seconds = seconds_to_keep(viewed.distribution, behavior, said)
            CACHE.keep(viewed.distribution, key, request.path, said, seconds)
    said = _error_page(viewed, said)
    return with_policy(behavior.policies.response_headers, said), result


def _fetched(viewed: Viewed, behavior: Behavior, passage: Passage) -> tuple[Answer, str]:
    sending = Sending(
        distribution=viewed.distribution,
        behavior=behavior,
        request=viewed.request,
        is_https=viewed.is_https,
        request_id=viewed.request_id,
    )
    fetched = fetch(sending)
    passage.way += f", {fetched.way}" + (f": {fetched.error}" if fetched.error else "")
    if fetched.error:
        return _error(fetched.answer.status, UNSATISFIED), "Error"
    return fetched.answer, "Miss" if fetched.answer.status < FIRST_ERROR else "Error"


def _error_page(viewed: Viewed, said: Answer) -> Answer:
    """The page that the distribution has for an error, fetched by the behavior of its path.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/creating-custom-error-pages.html
    """
    custom = viewed.distribution.error_response(said.status) if said.status >= FIRST_ERROR else None
    path = str(custom.get("ResponsePagePath") or "") if custom else ""
    if custom is None or not path:
        return said
    headers = Message()
    headers["Host"] = viewed.request.headers.get("Host", "")
    request = Request(method="GET", target=path, headers=headers, address=viewed.request.address)
    behavior = viewed.distribution.behavior_of(path)
    page, _ = _fetched(replace(viewed, request=request), behavior, Passage())
    if page.status >= FIRST_ERROR:
        return said  # the error as it is, where its page cannot be had
    return replace(page, status=int(custom.get("ResponseCode") or said.status))


def _error(status: int, reason: str) -> Answer:
    """An error of CloudFront's own."""
    return Answer(status=status, headers=OF_A_PAGE, body=page(status, reason))


def page(status: int, reason: str) -> bytes:
    """The page of an error of CloudFront's own."""
    return (
        f"<!DOCTYPE html>\n<html><head><title>ERROR: The request could not be satisfied</title></head>\n"
        f"<body><h1>{status} ERROR</h1>\n<h2>The request could not be satisfied.</h2>\n<p>{reason}</p></body></html>\n"
    ).encode()
