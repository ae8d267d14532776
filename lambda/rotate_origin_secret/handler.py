"""The secret by which load balancers know requests of the platform's own distribution, and what carries and checks it.

A function of CloudFront, which this one writes, puts the secret into a header of each request to the load balancers. In
each region a rule group of the firewall, which this one writes too, blocks requests without it. Terraform knows their
ARNs and nothing else, so the secret is in no configuration, plan or state.

It is called by Terraform (lifecycle scope CRUD) to make them all, to bring them up to date and to remove them; and by
Secrets Manager to rotate the secret. In a rotation the rule groups accept the new value before CloudFront sends it, and
the old one until the next rotation, so no request is refused. Each step can be repeated, and be cut off at any point:
what CloudFront sends is read from CloudFront, and is always among what the rule groups accept.

The environment:

- SECRET_ARN: whose string is the value;
- HEADER: the name of the header, in lower case;
- REGIONS: JSON, such as {"primary": "us-east-2", "recovery": "us-west-2"}: where rule groups are; the keys name them in
  the answer;
- RULE_GROUP and RULE_GROUP_CAPACITY: the name of the rule group in each region, and what it may cost (WCU);
- VIEWER_FUNCTION: the name of CloudFront's function;
- HEALTH_PATH: the one path that rule groups let everybody ask for, who gets as far as the load balancer;
- TEST_URL: of the platform through CloudFront, behind the rule groups, not HEALTH_PATH;
- TAGS: JSON, on all that is made.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

RANDOM_BYTES = 48
# CloudFront's functions reach all of its places within minutes; until then some still send what they sent before.
SETTLING_TIME = timedelta(minutes=15)
GLOBAL_REGION = "us-east-1"
SCOPE = "REGIONAL"
REFUSAL_HEADER = "x-refused-by"
REFUSAL = "origin-verify"
DESCRIPTION = "Lets in what the distribution of the platform sends"
RUNTIME = "cloudfront-js-2.0"
DEVELOPMENT, LIVE = "DEVELOPMENT", "LIVE"
# What AWS says of a request that it refuses may quote the request: a value, as it is or in base64.
LIKE_A_VALUE = re.compile(r"[A-Za-z0-9+/=_-]{64,}")
VALUE_IN_CODE = re.compile(rb"^var VALUE = '([A-Za-z0-9_-]+)';$", re.MULTILINE)
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
# Somebody else has changed it in between (a rotation and a deployment at once), or AWS has not spread it yet.
WORTH_ANOTHER_TRY = {
    "PreconditionFailed",
    "InvalidIfMatchVersion",
    "WAFAssociatedItemException",
    "WAFOptimisticLockException",
    "WAFUnavailableEntityException",
}
ATTEMPTS = 5
SECONDS_BETWEEN_ATTEMPTS = 2.0
SECONDS_PER_CALL = 10.0
CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5})


class RotationRefused(Exception):
    """It cannot go on. The message holds nothing that is secret: Terraform shows it, and it goes to the log."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Do what Terraform or Secrets Manager asks for. The answer to Terraform holds ARNs only: it becomes state.

    Raises:
        RotationRefused: it cannot be done, or AWS refused a call.
    """
    try:
        return _asked(event)
    except (BotoCoreError, ClientError) as error:
        raise RotationRefused(LIKE_A_VALUE.sub("(not shown)", str(error))) from None


def _asked(event: Mapping[str, Any]) -> dict[str, str]:
    if "tf" in event:
        action = str(event["tf"]["action"])
        _log("asked by Terraform", action=action)
        return _remove() if action == "delete" else _make()
    step = STEPS.get(str(event.get("Step")))
    if step is None:
        raise RotationRefused(f"{event.get('Step')!r} is no step of a rotation")
    token = str(event["ClientRequestToken"])
    if _is_under_way(token):
        step(token)
        _log("step ended", step=event["Step"], version=token)
    return {}


def _make() -> dict[str, str]:
    """Make what there is not yet, and bring the rest up to date; what is in use stays accepted, and is sent on."""
    if _value(CURRENT) is None:
        _client("secretsmanager").put_secret_value(SecretId=os.environ["SECRET_ARN"], SecretString=_new_value())
    sent = _sent()
    arns = _accept([*(_value(stage) for stage in (CURRENT, PREVIOUS, PENDING)), sent])
    return arns | {"viewer_function_arn": _send(sent or _required(CURRENT))}


def _remove() -> dict[str, str]:
    for region in _regions().values():
        if group := _find_group(region):
            _again(lambda region=region, group=group: _delete_group(region, group["Id"]))  # type: ignore[misc]
    if etag := _etag(DEVELOPMENT):
        _client("cloudfront").delete_function(Name=os.environ["VIEWER_FUNCTION"], IfMatch=etag)
    return {}


# --- rotation --------------------------------------------------------------------------------------------------------


def _is_under_way(token: str) -> bool:
    """Whether a version is pending. One that is current has been finished: the step is repeated, there is nothing left.

    Raises:
        RotationRefused: nobody has asked for this rotation.
    """
    secret = _client("secretsmanager").describe_secret(SecretId=os.environ["SECRET_ARN"])
    stages = secret.get("VersionIdsToStages", {}).get(token, [])
    if CURRENT in stages:
        return False
    if PENDING not in stages:
        raise RotationRefused(f"version {token} is not pending")
    return True


def _create(token: str) -> None:
    """Make the new value, once."""
    if _value(PENDING, token) is None:
        _client("secretsmanager").put_secret_value(
            SecretId=os.environ["SECRET_ARN"],
            ClientRequestToken=token,
            SecretString=_new_value(),
            VersionStages=[PENDING],
        )


def _set(token: str) -> None:
    """Let the new value in everywhere, and then have it sent.

    What CloudFront sends now stays accepted, whichever rotation it is from: one that was given up may have left its own
    value there. And so does the value before, if the last rotation is a moment ago only.
    """
    pending = _required(PENDING, token)
    settling = _value(PREVIOUS) if _age_of_current() < SETTLING_TIME else None
    _accept([pending, _value(CURRENT), _sent(), settling])
    _send(pending)


def _test(token: str) -> None:
    """See that the new value is sent and accepted everywhere, and that a request through CloudFront comes through.

    Secrets Manager asks for this step alone when a rotation is configured: nothing has been made then, and what is
    current is looked at.
    """
    value = _value(PENDING, token) or _required(CURRENT)
    if _sent() != value:
        raise RotationRefused("CloudFront does not send the value")
    for region in _regions().values():
        group = _find_group(region)
        if group is None or value not in _accepted_by(region, group):
            raise RotationRefused(f"the rule group of {region} does not accept the value")
    _ask_through_cloudfront()


def _finish(token: str) -> None:
    """Make the new value current. The one before is previous from now on, and accepted until the next rotation."""
    secret = _client("secretsmanager").describe_secret(SecretId=os.environ["SECRET_ARN"])
    before = next((version for version, stages in secret["VersionIdsToStages"].items() if CURRENT in stages), None)
    _client("secretsmanager").update_secret_version_stage(
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


def _ask_through_cloudfront() -> None:
    request = urllib.request.Request(os.environ["TEST_URL"], headers={"User-Agent": "origin-secret-rotation"})  # noqa: S310 (settings name it, and it is https)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_PER_CALL) as response:  # noqa: S310 (as above)
            status, headers = response.status, response.headers
    except urllib.error.HTTPError as answer:
        status, headers = answer.code, answer.headers
    except OSError as error:
        raise RotationRefused(f"no answer through CloudFront: {type(error).__name__}") from None
    if headers.get(REFUSAL_HEADER) == REFUSAL:
        raise RotationRefused("a load balancer refuses requests that come through CloudFront")
    # Another refusal is not about the secret: the edge may keep out the country or the network that this runs in.
    _log("asked through CloudFront", status=status, tested=status != HTTPStatus.FORBIDDEN)


# --- the secret ------------------------------------------------------------------------------------------------------


def _new_value() -> str:
    return secrets.token_urlsafe(RANDOM_BYTES)


def _read(stage: str, version: str | None = None) -> dict[str, Any] | None:
    named = {"VersionId": version} if version else {}
    try:
        answer: dict[str, Any] = _client("secretsmanager").get_secret_value(
            SecretId=os.environ["SECRET_ARN"], VersionStage=stage, **named
        )
    except ClientError as error:
        if _code(error) == "ResourceNotFoundException":
            return None
        raise
    return answer


def _value(stage: str, version: str | None = None) -> str | None:
    answer = _read(stage, version)
    return str(answer["SecretString"]) if answer and answer.get("SecretString") else None


def _required(stage: str, version: str | None = None) -> str:
    value = _value(stage, version)
    if value is None:
        raise RotationRefused(f"the secret has no value that is {stage}")
    return value


def _age_of_current() -> timedelta:
    answer = _read(CURRENT)
    return datetime.now(UTC) - answer["CreatedDate"] if answer else timedelta.max


# --- what CloudFront sends -------------------------------------------------------------------------------------------


def _code_with(value: str) -> bytes:
    template = Path(__file__).with_name("viewer_function.js").read_text(encoding="utf-8")
    return template.replace("__HEADER__", os.environ["HEADER"]).replace("__VALUE__", value).encode()


def _published() -> bytes | None:
    """The code that runs, if any."""
    try:
        answer = _client("cloudfront").get_function(Name=os.environ["VIEWER_FUNCTION"], Stage=LIVE)
    except ClientError as error:
        if _code(error) == "NoSuchFunctionExists":
            return None
        raise
    return bytes(answer["FunctionCode"].read())


def _sent() -> str | None:
    """The value that CloudFront sends."""
    found = VALUE_IN_CODE.search(_published() or b"")
    return found[1].decode() if found else None


def _etag(stage: str) -> str | None:
    try:
        answer = _client("cloudfront").describe_function(Name=os.environ["VIEWER_FUNCTION"], Stage=stage)
    except ClientError as error:
        if _code(error) == "NoSuchFunctionExists":
            return None
        raise
    return str(answer["ETag"])


def _send(value: str) -> str:
    """Have CloudFront send a value; the ARN of its function."""
    code = _code_with(value)
    if _published() != code:
        _again(lambda: _publish(code))
    answer = _client("cloudfront").describe_function(Name=os.environ["VIEWER_FUNCTION"], Stage=LIVE)
    return str(answer["FunctionSummary"]["FunctionMetadata"]["FunctionARN"])


def _publish(code: bytes) -> None:
    cloudfront, name = _client("cloudfront"), os.environ["VIEWER_FUNCTION"]
    config = {"Comment": "Marks requests as the distribution's own", "Runtime": RUNTIME}
    if etag := _etag(DEVELOPMENT):
        etag = cloudfront.update_function(Name=name, IfMatch=etag, FunctionConfig=config, FunctionCode=code)["ETag"]
    else:
        etag = cloudfront.create_function(Name=name, FunctionConfig=config, FunctionCode=code)["ETag"]
    cloudfront.publish_function(Name=name, IfMatch=etag)


# --- what load balancers accept --------------------------------------------------------------------------------------


def _regions() -> dict[str, str]:
    regions: dict[str, str] = json.loads(os.environ["REGIONS"])
    return regions


def _accept(values: Iterable[str | None]) -> dict[str, str]:
    """Have every region accept these values and no others; the rule groups' ARNs."""
    accepted = sorted({value for value in values if value})
    return {
        f"{name}_rule_group_arn": str(_again(lambda region=region: _write_group(region, accepted)))  # type: ignore[misc]
        for name, region in _regions().items()
    }


def _write_group(region: str, accepted: list[str]) -> str:
    waf, rules = _client("wafv2", region), [_rule(accepted)]
    shown = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": REFUSAL}
    group = _find_group(region)
    if group is None:
        made = waf.create_rule_group(
            Name=os.environ["RULE_GROUP"],
            Scope=SCOPE,
            Capacity=int(os.environ["RULE_GROUP_CAPACITY"]),
            Description=DESCRIPTION,
            Rules=rules,
            VisibilityConfig=shown,
            Tags=[{"Key": key, "Value": value} for key, value in json.loads(os.environ["TAGS"]).items()],
        )
        return str(made["Summary"]["ARN"])
    found = waf.get_rule_group(Name=group["Name"], Scope=SCOPE, Id=group["Id"])
    if found["RuleGroup"]["Rules"] != rules:
        waf.update_rule_group(
            Name=group["Name"],
            Scope=SCOPE,
            Id=group["Id"],
            Description=DESCRIPTION,
            Rules=rules,
            VisibilityConfig=shown,
            LockToken=found["LockToken"],
        )
    return str(group["ARN"])


def _rule(accepted: list[str]) -> dict[str, Any]:
    own = [_equals({"SingleHeader": {"Name": os.environ["HEADER"]}}, value) for value in accepted]
    health = [_equals({"UriPath": {}}, os.environ["HEALTH_PATH"]), _equals({"Method": {}}, "GET")]
    admitted = {"OrStatement": {"Statements": [*own, {"AndStatement": {"Statements": health}}]}}
    refusal = {"ResponseCode": 403, "ResponseHeaders": [{"Name": REFUSAL_HEADER, "Value": REFUSAL}]}
    return {
        "Name": REFUSAL,
        "Priority": 0,
        "Statement": {"NotStatement": {"Statement": admitted}},
        "Action": {"Block": {"CustomResponse": refusal}},
        "VisibilityConfig": {
            # A sample would show the headers of what is refused, a value that has just been replaced among them.
            "SampledRequestsEnabled": False,
            "CloudWatchMetricsEnabled": True,
            "MetricName": REFUSAL,
        },
    }


def _equals(field: dict[str, Any], value: str) -> dict[str, Any]:
    match = {
        "SearchString": value.encode(),
        "FieldToMatch": field,
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        "PositionalConstraint": "EXACTLY",
    }
    return {"ByteMatchStatement": match}


def _find_group(region: str) -> dict[str, str] | None:
    waf = _client("wafv2", region)
    marker: dict[str, str] = {}
    while True:
        answer = waf.list_rule_groups(Scope=SCOPE, **marker)
        for group in answer["RuleGroups"]:
            if group["Name"] == os.environ["RULE_GROUP"]:
                return dict(group)
        if not answer.get("NextMarker"):
            return None
        marker = {"NextMarker": answer["NextMarker"]}


def _accepted_by(region: str, group: Mapping[str, str]) -> set[str]:
    found = _client("wafv2", region).get_rule_group(Name=group["Name"], Scope=SCOPE, Id=group["Id"])
    admitted = found["RuleGroup"]["Rules"][0]["Statement"]["NotStatement"]["Statement"]["OrStatement"]["Statements"]
    matches = [one["ByteMatchStatement"] for one in admitted if "ByteMatchStatement" in one]
    return {match["SearchString"].decode() for match in matches}


def _delete_group(region: str, id_: str) -> None:
    waf, name = _client("wafv2", region), os.environ["RULE_GROUP"]
    token = waf.get_rule_group(Name=name, Scope=SCOPE, Id=id_)["LockToken"]
    waf.delete_rule_group(Name=name, Scope=SCOPE, Id=id_, LockToken=token)


# --- AWS -------------------------------------------------------------------------------------------------------------


def _again(work: Callable[[], Any]) -> Any:
    """Do it, and once more from the beginning where somebody else was quicker."""
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except ClientError as error:
            if _code(error) not in WORTH_ANOTHER_TRY:
                raise
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
    return work()


@cache
def _client(service: str, region: str | None = None) -> Any:
    make: Any = boto3.client
    return make(service, region_name=region or (GLOBAL_REGION if service == "cloudfront" else None), config=CONFIG)


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def _log(message: str, **values: object) -> None:
    """A line of JSON, for CloudWatch Logs."""
    print(json.dumps({"message": message, **values}), flush=True)
