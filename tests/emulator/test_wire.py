"""What AWS's own serializers write from its models is allowed: the contract refuses nothing that is right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import botocore.serialize
import pytest
from moto.core.model import OperationModel, Shape
from moto.core.request import Request

from emulator.contract import Check, Constraint, Violation, find_target
from emulator.contract.models import service_model, services_by_signing_name
from emulator.contract.patterns import matches

pytestmark = pytest.mark.requirement("W8.2")

# The services of the platform; each protocol is among them.
SERVICES = (
    "acm",
    "apigateway",
    "application-autoscaling",
    "backup",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "codedeploy",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "elbv2",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "rds",
    "route53",
    "s3",
    "s3control",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "synthetics",
    "wafv2",
)
CBOR = "smithy-rpc-v2-cbor"

# Their paths are those of a newer operation of the same form: no request tells them apart.
SUPERSEDED = {
    ("s3", "GetBucketLifecycle"),
    ("s3", "GetBucketNotification"),
    ("s3", "ListDirectoryBuckets"),
    ("s3", "PutBucketLifecycle"),
    ("s3", "PutBucketNotification"),
}
DEEPEST = 5


def example(shape: Shape, depth: int = 0) -> Any:
    """A value of ``shape`` with every member, within its bounds and enums, if not of its pattern."""
    of_type: dict[str, Callable[[], Any]] = {
        "structure": lambda: example_structure(shape, depth),
        "list": lambda: [example(shape.member, depth + 1) for _ in range(at_least(shape, int(depth <= DEEPEST)))],
        "map": lambda: example_map(shape, depth),
        "string": lambda: example_texts(shape, 1)[0],
        "boolean": lambda: True,
        "timestamp": lambda: dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "blob": lambda: b"x" * at_least(shape, 1),
    }
    return of_type.get(shape.type_name, lambda: at_least(shape, 1))()


def at_least(shape: Shape, wanted: int) -> int:
    """The number nearest to ``wanted`` that is within the bounds of ``shape``."""
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", wanted)
    return int(max(least, min(wanted, most) if most >= least else wanted))


def example_texts(shape: Shape, count: int) -> list[str]:
    """Texts that differ: of the enum, or of a length that is allowed."""
    enum = shape.metadata.get("enum")
    return list(enum[:count]) if enum else [letter * at_least(shape, 3) for letter in "xyz"[:count]]


def example_map(shape: Any, depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        return {}
    return {key: example(shape.value, depth + 1) for key in example_texts(shape.key, at_least(shape, 1))}


def example_structure(shape: Any, depth: int) -> dict[str, Any]:
    members = shape.members
    if depth > DEEPEST:
        members = {name: members[name] for name in shape.required_members}
    if shape.is_tagged_union:
        members = dict(list(shape.members.items())[-1:])  # the first of some contains the union itself
    return {name: example(member, depth + 1) for name, member in members.items()}


def serialized(operation: OperationModel, protocol: str) -> Request:
    """A request of ``operation`` with every parameter, as botocore writes it."""
    shape = operation.input_shape
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    written = serializer.serialize_to_request(example(shape) if shape else {}, operation)
    body, headers = written["body"], dict(written["headers"])
    if isinstance(body, dict):
        body = urlencode(body)
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    path = written["url_path"]
    if written["query_string"]:
        path += ("&" if "?" in path else "?") + urlencode(written["query_string"], doseq=True)
    request = Request.from_primitives(written["method"], f"http://127.0.0.1{path}", headers, body or b"")
    request.environ["RAW_URI"] = path
    return request


def operations(service: str) -> Iterator[tuple[OperationModel, str]]:
    model = service_model(service)
    for protocol in model.metadata.get("protocols", [model.protocol]):
        for name in model.operation_names:
            operation = model.operation_model(name)
            if protocol != CBOR and not operation.has_event_stream_input and (service, name) not in SUPERSEDED:
                yield operation, protocol


def violations_of(operation: OperationModel, protocol: str) -> list[Violation]:
    request = serialized(operation, protocol)
    model = operation.service_model
    target = find_target(model.signing_name, request)
    assert target is not None, operation.name
    assert (target.service.service_name, target.operation.name) == (model.service_name, operation.name)
    check = Check(target)
    check.request(request, request.data)
    return check.violations


# botocore does not write an empty structure, so that a query lacks one that is required and has no members to show.
WRITTEN_EMPTY = "MetricMathAnomalyDetector.MetricDataQueries["


@pytest.mark.parametrize("service", SERVICES)
def test_a_request_with_every_parameter_as_the_sdk_writes_it_is_allowed(service: str) -> None:
    found = [
        violation
        for operation, protocol in operations(service)
        for violation in violations_of(operation, protocol)
        if violation.constraint != Constraint.PATTERN and not violation.member.startswith(WRITTEN_EMPTY)
    ]
    assert found == []


def test_each_protocol_is_among_the_services() -> None:
    protocols = {protocol for service in SERVICES for _, protocol in operations(service)}
    assert protocols == {"query", "ec2", "json", "rest-json", "rest-xml"}


def test_every_pattern_of_these_services_can_be_run() -> None:
    for service in SERVICES:
        model = service_model(service)
        for name in model.shape_names:
            pattern = model.shape_for(name).metadata.get("pattern")
            if pattern:
                matches(pattern, "x")


@pytest.mark.parametrize(
    ("pattern", "value", "matched"),
    [
        (r"[\w+=,.@-]+", "a-role", True),
        (r"[\w+=,.@-]+", "a role", False),
        (r"^arn:aws", "arn:aws:iam::123456789012:role/x", True),
        (r"^arn:aws", "x arn:aws", False),
        (r"/$", "path/", True),
        (r"/$", "path/x", False),
        (r"^[a-z]+$", "abc\n", False),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Größe 3", True),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "a (b)", False),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "text \U0001f600\n", True),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "\x00", False),
        # It would take the age of the universe to refute this one.
        (r"(a|aa)+$", "a" * 60 + "b", True),
    ],
)
def test_pattern_without_anchors_matches_the_whole_value(pattern: str, value: str, matched: bool) -> None:
    assert matches(pattern, value) is matched


def test_pattern_that_cannot_be_compiled_is_reported() -> None:
    with pytest.raises(ValueError, match="cannot be run"):
        matches("(", "x")


def test_service_with_the_signing_name_takes_precedence() -> None:
    by_name = services_by_signing_name()
    assert by_name["rds"][0] == "rds"
    assert set(by_name["elasticloadbalancing"]) == {"elb", "elbv2"}
    assert set(by_name["monitoring"]) == {"cloudwatch"}
