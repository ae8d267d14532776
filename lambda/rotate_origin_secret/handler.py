"""Creates and rotates the origin secret, the CloudFront function that sends it and the rule groups that check it.

The CloudFront function, which this function writes, puts the secret into a header of each request to the load
balancers. In each region a rule group of AWS WAF, which this function writes too, blocks requests without it. Terraform
knows their ARNs and nothing else, so the secret is in no configuration, plan or state.

Terraform invokes it (lifecycle scope CRUD) to create, update and delete them; Secrets Manager invokes it to rotate the
secret. AWS WAF takes "from a few seconds to a number of minutes" to propagate a change, with inconsistent results
meanwhile; a CloudFront function is published in seconds. So a value is accepted one rotation before it is sent: each
rotation sends the value of the staging label NEXT, and lets the rule groups accept a new one, which becomes NEXT. The
value before stays accepted until the next rotation. So a rotation blocks no request, and needs no waiting.
https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-working-with.html

Each step is idempotent and may be interrupted at any point: what CloudFront sends is read from CloudFront, and is among
the accepted values at any time.

The environment:

- SECRET_ARN: whose string is the value;
- HEADER: the name of the header, in lower case;
- REGIONS: JSON, such as {"primary": "us-east-2", "recovery": "us-west-2"}: the regions of rule groups, by their keys in
  the result;
- RULE_GROUP and RULE_GROUP_CAPACITY: the name of the rule group in each region, and its capacity (WCU);
- VIEWER_FUNCTION: the name of CloudFront's function;
- HEALTH_PATH: the only path that rule groups allow without the secret, by GET;
- TEST_URL: of the platform through CloudFront; another path than HEALTH_PATH;
- TAGS: JSON, of the rule groups.
"""

from __future__ import annotations

import os
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.origin_secret import aws, rule_groups, viewer_function

RANDOM_BYTES = 48
# How long AWS WAF and CloudFront may take to propagate a change; until then some hosts act on the state before it.
PROPAGATION = timedelta(minutes=15)
# AWS's error messages may quote the request: a value, plain or in base64.
LIKE_A_VALUE = re.compile(r"[A-Za-z0-9+/=_-]{64,}")
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
NEXT = "NEXT"  # a staging label of our own: the value that the next rotation sends, and that is accepted already
SECONDS_PER_CALL = 10.0


def handler(event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Handle an invocation by Terraform or Secrets Manager. The result for Terraform has ARNs only: it becomes state.

    Raises:
        aws.RotationRefused: the request is invalid, or AWS refused a call.
    """
    try:
        return _handled(event)
    except (BotoCoreError, ClientError) as error:
        raise aws.RotationRefused(LIKE_A_VALUE.sub("(not shown)", str(error))) from None


def _handled(event: Mapping[str, Any]) -> dict[str, str]:
    if "tf" in event:
        action = str(event["tf"]["action"])
        aws.log("invoked by Terraform", action=action)
        return aws.once_permitted(_remove if action == "delete" else _make)
    step = STEPS.get(str(event.get("Step")))
    if step is None:
        raise aws.RotationRefused(f"{event.get('Step')!r} is no step of a rotation")
    token = str(event["ClientRequestToken"])
    if _is_under_way(token):
        step(token)
        aws.log("step ended", step=event["Step"], version=token)
    return {}


def _make() -> dict[str, str]:
    """Create what is missing and update the rest; values in use stay accepted, and the sent one is sent on."""
    if _value(CURRENT) is None:
        aws.client("secretsmanager").put_secret_value(SecretId=os.environ["SECRET_ARN"], SecretString=_new_value())
    sent = viewer_function.sent()
    arns = _accept_with_next([*(_value(stage) for stage in (CURRENT, PREVIOUS, PENDING)), sent])
    return arns | {"viewer_function_arn": viewer_function.send(sent or _required(CURRENT))}


def _remove() -> dict[str, str]:
    rule_groups.delete()
    viewer_function.delete()
    return {}


# --- rotation --------------------------------------------------------------------------------------------------------


def _is_under_way(token: str) -> bool:
    """Whether a version is pending. If it is current already, the rotation is finished and the step repeated.

    Raises:
        aws.RotationRefused: the version is of no rotation.
    """
    secret = aws.client("secretsmanager").describe_secret(SecretId=os.environ["SECRET_ARN"])
    stages = secret.get("VersionIdsToStages", {}).get(token, [])
    if CURRENT in stages:
        return False
    if PENDING not in stages:
        raise aws.RotationRefused(f"version {token} is not pending")
    return True


def _create(token: str) -> None:
    """Take the value that has been accepted for long enough: that of NEXT.

    Secrets Manager retries a rotation that fails, so one that comes too early ends later by itself.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html

    Raises:
        aws.RotationRefused: the value may not be accepted everywhere yet.
    """
    if _value(PENDING, token) is not None:
        return
    if _next() is None:  # what an earlier version of this function has created has none
        _accept_with_next([_value(CURRENT), _value(PREVIOUS), viewer_function.sent()])
    following = _read(NEXT) or {}
    if (age := datetime.now(UTC) - following["CreatedDate"]) < PROPAGATION:
        minutes = int((PROPAGATION - age).total_seconds() // 60) + 1
        raise aws.RotationRefused(
            f"the next value may not be accepted everywhere yet; it can be sent in {minutes} minutes"
        )
    aws.client("secretsmanager").put_secret_value(
        SecretId=os.environ["SECRET_ARN"],
        ClientRequestToken=token,
        SecretString=following["SecretString"],
        VersionStages=[PENDING],
    )


def _set(token: str) -> None:
    """Send the new value, and accept values of earlier rotations no longer.

    What CloudFront sends now stays accepted, whichever rotation it is from: one that was abandoned may have sent its
    own value.

    Raises:
        aws.RotationRefused: the value was not accepted somewhere. It is now; the retry sends it.
    """
    pending = _required(PENDING, token)
    missing = [region for region in rule_groups.regions().values() if pending not in rule_groups.accepted_by(region)]
    rule_groups.accept([pending, _value(CURRENT), viewer_function.sent(), _value(NEXT)])
    if missing:
        raise aws.RotationRefused(f"the rule group of {', '.join(missing)} did not accept the value before")
    viewer_function.send(pending)


def _test(token: str) -> None:
    """Check that the value is sent and accepted everywhere, and that a request through CloudFront is not blocked.

    Secrets Manager runs this step alone when a rotation is configured. There is no new value then: the current one is
    tested, and the platform need not be reachable yet, as in a new zone that nothing is delegated to.
    """
    pending = _value(PENDING, token)
    value = pending or _required(CURRENT)
    if viewer_function.sent() != value:
        raise aws.RotationRefused("CloudFront does not send the value")
    for region in rule_groups.regions().values():
        if value not in rule_groups.accepted_by(region):
            raise aws.RotationRefused(f"the rule group of {region} does not accept the value")
    _request_through_cloudfront(must_answer=pending is not None)


def _finish(token: str) -> None:
    """Accept the value of the next rotation, and make the pending one current.

    In this order: an interrupted step is repeated only as long as the version is not current. The value before is
    previous from now on, and accepted until the next rotation.
    """
    _accept_with_next([_required(PENDING, token), _value(CURRENT), viewer_function.sent()], and_no_others=False)
    secret = aws.client("secretsmanager").describe_secret(SecretId=os.environ["SECRET_ARN"])
    before = next((version for version, stages in secret["VersionIdsToStages"].items() if CURRENT in stages), None)
    aws.client("secretsmanager").update_secret_version_stage(
        SecretId=os.environ["SECRET_ARN"],
        VersionStage=CURRENT,
        MoveToVersionId=token,
        **({"RemoveFromVersionId": before} if before else {}),
    )


STEPS: dict[str, Callable[[str], None]] = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}


def _request_through_cloudfront(*, must_answer: bool) -> None:
    request = urllib.request.Request(os.environ["TEST_URL"], headers={"User-Agent": "origin-secret-rotation"})  # noqa: S310 (settings name it, and it is https)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_PER_CALL) as response:  # noqa: S310 (as above)
            status, headers = response.status, response.headers
    except urllib.error.HTTPError as answer:
        status, headers = answer.code, answer.headers
    except OSError as error:
        if must_answer:
            raise aws.RotationRefused(f"no answer through CloudFront: {type(error).__name__}") from None
        return aws.log("no answer through CloudFront", error=type(error).__name__)
    if headers.get(rule_groups.REFUSAL_HEADER) == rule_groups.REFUSAL:
        raise aws.RotationRefused("a load balancer refuses requests that come through CloudFront")
    # Another 403 is not about the secret: the edge may block the country or network that this function runs in.
    return aws.log("requested through CloudFront", status=status, tested=status != HTTPStatus.FORBIDDEN)


# --- the secret ------------------------------------------------------------------------------------------------------


def _new_value() -> str:
    return secrets.token_urlsafe(RANDOM_BYTES)


def _read(stage: str, version: str | None = None) -> dict[str, Any] | None:
    named = {"VersionId": version} if version else {}
    try:
        answer: dict[str, Any] = aws.client("secretsmanager").get_secret_value(
            SecretId=os.environ["SECRET_ARN"], VersionStage=stage, **named
        )
    except ClientError as error:
        if aws.code(error) == "ResourceNotFoundException":
            return None
        raise
    return answer


def _value(stage: str, version: str | None = None) -> str | None:
    answer = _read(stage, version)
    return str(answer["SecretString"]) if answer and answer.get("SecretString") else None


def _required(stage: str, version: str | None = None) -> str:
    value = _value(stage, version)
    if value is None:
        raise aws.RotationRefused(f"the secret has no value that is {stage}")
    return value


def _next() -> str | None:
    """The value that the next rotation sends; None if there is none, or a rotation is using it already."""
    value = _value(NEXT)
    return None if value in {_value(CURRENT), _value(PENDING)} else value


def _accept_with_next(values: Iterable[str | None], *, and_no_others: bool = True) -> dict[str, str]:
    """As ``rule_groups.accept``, with the value of the next rotation, which is created if there is none.

    It is stored after all regions accept it: the age of its version is how long it has been accepted, at least.
    """
    following = _next()
    value = following or _new_value()
    arns = rule_groups.accept([*values, value], and_no_others=and_no_others)
    if following is None:
        aws.client("secretsmanager").put_secret_value(
            SecretId=os.environ["SECRET_ARN"], SecretString=value, VersionStages=[NEXT]
        )
    return arns
