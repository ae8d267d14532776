"""Errors as the services write them: the code a service uses, on the wire of its protocol."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel
from moto.core.serialize import get_serializer_class

from emulator.contract.check import Constraint, Violation
from emulator.contract.models import Target, service_model, services_by_signing_name

_DECLARED_CODES = (
    "ValidationException",
    "ValidationError",
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "InvalidParameter",
    "InvalidParameterException",
    "InvalidArgument",
    "InvalidInput",
    "InvalidRequestException",
)
"""Codes of a refused value, best first: the first that the operation declares, or else the service, is its own."""

_DEFAULT_CODES = {"json": "ValidationException", "rest-json": "ValidationException", "rest-xml": "InvalidArgument"}

# The models of these services declare other errors only, or errors with another meaning.
_QUERY_CODE = "ValidationError"
_QUERY_CODES = {
    "docdb": "InvalidParameterValue",
    "elasticache": "InvalidParameterValue",
    "neptune": "InvalidParameterValue",
    "rds": "InvalidParameterValue",
    "sns": "InvalidParameter",
}

_EC2_CODES = {
    Constraint.UNKNOWN_MEMBER: "UnknownParameter",
    Constraint.MISSING: "MissingParameter",
}
"""EC2's model declares no errors; these are of its list of client error codes. Any other is InvalidParameterValue."""

_S3_BODY_CONSTRAINTS = (Constraint.UNKNOWN_MEMBER, Constraint.MISSING, Constraint.TYPE, Constraint.ENUM)


class _ModelledError(ServiceException):  # type: ignore[misc]
    """An error that is looked up in the model of its operation's service (moto uses the exception's module)."""


@dataclass(frozen=True)
class ErrorResponse:
    """An HTTP response that carries an error."""

    status: int
    headers: dict[str, str]
    body: bytes
    code: str


def refusal(target: Target, violation: Violation) -> ErrorResponse:
    """The answer of the service to a request that breaks its model."""
    return error_response(target.operation, target.protocol, _code(target, violation.constraint), violation.message)


def _code(target: Target, constraint: Constraint) -> str:
    if target.protocol == "ec2":
        return _EC2_CODES.get(constraint, "InvalidParameterValue")
    name = target.service.service_name
    if name == "s3":
        return "MalformedXML" if constraint in _S3_BODY_CONSTRAINTS else "InvalidArgument"
    if target.protocol == "query":
        return _QUERY_CODES.get(name, _QUERY_CODE)
    for shapes in (target.operation.error_shapes, target.service.error_shapes):
        declared = {shape.metadata.get("error", {}).get("code", shape.name) for shape in shapes}
        own = next((code for code in _DECLARED_CODES if code in declared), None)
        if own:
            return own
    return _DEFAULT_CODES[target.protocol]


def access_denied(target: Target, message: str) -> ErrorResponse:
    """The service's response where policies do not allow the request.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    json_like = target.protocol in ("json", "rest-json")
    by_service = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError", "sqs": "AccessDenied"}
    code = by_service.get(target.service.service_name, "AccessDeniedException" if json_like else "AccessDenied")
    status = HTTPStatus.BAD_REQUEST if target.protocol == "json" else HTTPStatus.FORBIDDEN
    return error_response(target.operation, target.protocol, code, message, int(status))


def unknown_key(target: Target) -> ErrorResponse:
    """The service's response to an unknown access key (each service's page of common errors)."""
    by_service = {"ec2": "AuthFailure", "s3": "InvalidAccessKeyId"}
    json_like = target.protocol in ("json", "rest-json")
    default = "UnrecognizedClientException" if json_like else "InvalidClientTokenId"
    code = by_service.get(target.service.service_name, default)
    status = HTTPStatus.BAD_REQUEST if target.protocol == "json" else HTTPStatus.FORBIDDEN
    message = "The security token included in the request is invalid."
    return error_response(target.operation, target.protocol, code, message, int(status))


def unknown_operation(signing_name: str, message: str) -> ErrorResponse:
    """The answer to a request that no operation of the service matches."""
    names = services_by_signing_name().get(signing_name)
    model = service_model(names[0] if names else "s3")
    operation = model.operation_model(model.operation_names[0])
    codes = {"query": "InvalidAction", "ec2": "InvalidAction", "rest-xml": "MethodNotAllowed"}
    protocol = _protocol(operation)
    return error_response(operation, protocol, codes.get(protocol, "UnknownOperationException"), message)


def _protocol(operation: OperationModel) -> str:
    protocols = operation.service_model.metadata.get("protocols", [operation.service_model.protocol])
    return next(str(protocol) for protocol in (*protocols, "json") if protocol != "smithy-rpc-v2-cbor")


def error_response(
    operation: OperationModel, protocol: str, code: str, message: str, status: int | None = None
) -> ErrorResponse:
    """An error of ``code`` in the wire format of ``protocol``; ``status`` other than the model's own only if given."""
    serializer = get_serializer_class(str(operation.service_model.service_name), protocol)(operation_model=operation)
    response = serializer.serialize(_ModelledError(code, message))
    headers = {name: str(value) for name, value in response["headers"].items()}
    body = response["body"]
    encoded = body if isinstance(body, bytes) else str(body).encode()
    return ErrorResponse(status or int(response["status_code"]), headers, encoded, code)
