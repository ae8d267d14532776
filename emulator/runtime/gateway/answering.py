"""A request's way through a REST API: method, throttle, authorizer, key, validation, integration.

The responses of API Gateway itself are its default gateway responses.
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import Message
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
from moto.awslambda.models import lambda_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.elbv2.models import elbv2_backends

from alarms.sources import of_gateway
from emulator.authorization.callers import Caller
from emulator.authorization.gate import decided
from emulator.passages import Passage, passing
from emulator.runtime import functions, load_balancers, network_paths
from emulator.runtime.forwarding import Answer, Request
from emulator.runtime.gateway import deployed
from emulator.runtime.gateway.deployed import Api, Domain
from emulator.runtime.gateway.throttling import LIMITS
from emulator.runtime.metering import METERING
from emulator.turns import turn

SERVICE = "apigateway.amazonaws.com"
KEY_HEADER = "x-api-key"
FUNCTION = re.compile(r".*:lambda:path/[^/]+/functions/(arn:aws:lambda:[^/]+)/invocations")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A client's certificate, which the handshake has verified."""

    pem: str
    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str


class RefusedError(Exception):
    """API Gateway answers itself."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason or message


@dataclass(frozen=True, kw_only=True)
class _Call:
    domain: Domain
    request: Request
    certificate: Certificate | None
    resource: str
    method: Mapping[str, Any]
    path: Mapping[str, str]
    """Parameters of the path."""

    @property
    def api(self) -> Api:
        return self.domain.api

    @property
    def arn(self) -> str:
        """The ARN on which the request is authorized."""
        place = f"{self.domain.region}:{DEFAULT_ACCOUNT_ID}:{self.api.id}/{self.api.stage}"
        return f"arn:aws:execute-api:{place}/{self.request.method}{self.request.path}"


def answer(domain: Domain, request: Request, certificate: Certificate | None) -> Answer:
    """The response to a request.

    Raises:
        NotImplementedError: the API has something that is not emulated.
    """
    begun, measured = time.monotonic(), _Measured()
    with passing("gateway", domain.name, f"{request.method} {request.path}") as passage:
        try:
            said = _answered(domain, request, certificate, passage, measured)
        except RefusedError as refused:
            passage.way += f"refused: {refused.reason}"
            said = _own(refused)
        passage.outcome = str(said.status)
    seconds = time.monotonic() - begun
    data = of_gateway(
        domain.api.name, domain.api.stage, said.status, seconds=seconds, integration_seconds=measured.seconds
    )
    METERING.publish(domain.region, data)
    return said


@dataclass
class _Measured:
    """How long the integration took to answer, in seconds; None where it was not asked."""

    seconds: float | None = None


def _answered(
    domain: Domain, request: Request, certificate: Certificate | None, passage: Passage, measured: _Measured
) -> Answer:
    call = _find(domain, request, certificate)
    api = domain.api
    if not LIMITS.admits(f"stage {api.id}/{api.stage}", api.rate, api.burst):
        raise RefusedError(429, "Too Many Requests", "the throttle of the stage")
    context = _authorize(call, passage)
    _admit_key(call, passage)
    _validate(call)
    begun = time.monotonic()
    said = _integrate(call, context, passage)
    measured.seconds = time.monotonic() - begun
    return said


def _find(domain: Domain, request: Request, certificate: Certificate | None) -> _Call:
    """The resource whose path matches, one without parameters first, and its method."""
    for path in sorted(domain.api.methods, key=lambda one: (one.count("{"), one)):
        expression = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        if "+}" in path:
            raise NotImplementedError("a greedy path of API Gateway")
        match = re.fullmatch(expression, request.path)
        methods = domain.api.methods[path]
        if match and request.method in methods:
            found = {name: unquote(value) for name, value in match.groupdict().items()}
            method = methods[request.method]
            return _Call(
                domain=domain, request=request, certificate=certificate, resource=path, method=method, path=found
            )
    raise RefusedError(403, "Missing Authentication Token", "no method of the API")


# --- the authorizer ---


def _authorize(call: _Call, passage: Passage) -> Mapping[str, Any]:
    """The context of the authorizer, which is a function of the account.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
    """
    kind = call.method.get("authorizationType", "NONE")
    if kind == "NONE":
        return {}
    authorizer = call.api.authorizers[call.method["authorizerId"]]
    match = FUNCTION.fullmatch(str(authorizer.get("authorizerUri")))
    if kind != "CUSTOM" or authorizer["type"] != "REQUEST" or match is None or authorizer.get("authorizerCredentials"):
        raise NotImplementedError(f"the authorizer {authorizer['name']} of API Gateway")
    said = _invoked(call, match[1], str(authorizer["id"]), passage)
    policy, context = said.get("policyDocument"), said.get("context") or {}
    if not isinstance(policy, Mapping) or not said.get("principalId"):
        raise RefusedError(500, "Internal server error", "the authorizer's result is no policy")
    if not _allows(policy, call.arn):
        raise RefusedError(403, "User is not authorized to access this resource", "the authorizer's policy")
    return dict(context)


def _invoked(call: _Call, arn: str, authorizer: str, passage: Passage) -> Mapping[str, Any]:
    place = f"{call.domain.region}:{DEFAULT_ACCOUNT_ID}:{call.api.id}/authorizers/{authorizer}"
    source = {"aws:SourceArn": f"arn:aws:execute-api:{place}"}
    with turn():
        verdict = decided(Caller(principal=SERVICE), "lambda:InvokeFunction", arn, source)
        function = lambda_backends[DEFAULT_ACCOUNT_ID][call.domain.region].get_function_by_arn(arn)
    if not verdict.is_allowed or function is None:
        raise RefusedError(500, "Internal server error", "API Gateway may not invoke the authorizer")
    passage.way += "; ".join(f"lambda:InvokeFunction: {said}" for said in verdict.said if said.effect == "Allow")
    outcome = functions.run(function, _event(call))
    if outcome.failed:
        raise RefusedError(500, "Internal server error", "the authorizer failed")
    said = json.loads(outcome.payload)
    return said if isinstance(said, Mapping) else {}


def _event(call: _Call) -> dict[str, Any]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html."""
    request, names = call.request, list(call.request.headers.keys())
    identity: dict[str, Any] = {"sourceIp": request.address, "apiKey": request.headers.get(KEY_HEADER, "")}
    if shown := call.certificate:
        identity["clientCert"] = {
            "clientCertPem": shown.pem,
            "subjectDN": shown.subject,
            "issuerDN": shown.issuer,
            "serialNumber": shown.serial,
            "validity": {"notBefore": shown.not_before, "notAfter": shown.not_after},
        }
    return {
        "type": "REQUEST",
        "methodArn": call.arn,
        "resource": call.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: request.headers[name] for name in names},
        "multiValueHeaders": {name: request.headers.get_all(name) for name in names},
        "queryStringParameters": dict(request.query),
        "pathParameters": dict(call.path),
        "stageVariables": {},
        "requestContext": {
            "apiId": call.api.id,
            "accountId": DEFAULT_ACCOUNT_ID,
            "stage": call.api.stage,
            "domainName": call.domain.name,
            "httpMethod": request.method,
            "resourcePath": call.resource,
            "path": request.path,
            "requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1000),
            "identity": identity,
        },
    }


def _allows(policy: Mapping[str, Any], arn: str) -> bool:
    """Whether the policy of an authorizer lets the request pass."""
    effects = set()
    for statement in policy.get("Statement") or ():
        resources = statement.get("Resource") or []
        patterns = [resources] if isinstance(resources, str) else resources
        expressions = [re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in patterns]
        if any(re.fullmatch(one, arn) for one in expressions):
            effects.add(statement.get("Effect"))
    return "Allow" in effects and "Deny" not in effects


# --- key and validation ---


def _admit_key(call: _Call, passage: Passage) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html."""
    if not call.method.get("apiKeyRequired"):
        return
    key = deployed.key_of(call.domain.region, call.api, call.request.headers.get(KEY_HEADER, ""))
    if key is None or not key.is_enabled:
        raise RefusedError(403, "Forbidden", "no enabled key of a usage plan of the stage")
    passage.way += f"; key {key.id} of {key.plan}"
    if not LIMITS.admits(f"key {key.id}", key.rate, key.burst):
        raise RefusedError(429, "Too Many Requests", "the throttle of the usage plan")
    if not LIMITS.counts(key.id, key.quota):
        raise RefusedError(429, "Limit Exceeded", "the quota of the usage plan")


def _validate(call: _Call) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html."""
    validator = call.api.validators.get(str(call.method.get("requestValidatorId")))
    if validator is None:
        return
    if validator.get("validateRequestParameters"):
        _validate_parameters(call)
    model = (call.method.get("requestModels") or {}).get("application/json")
    if not validator.get("validateRequestBody") or not model:
        return
    kind = call.request.headers.get("Content-Type", "application/json").partition(";")[0].strip()
    if kind != "application/json":
        return  # no model is of it
    try:
        body = json.loads(call.request.body)
        jsonschema.Draft4Validator(json.loads(call.api.models[model]["schema"])).validate(body)
    except (ValueError, jsonschema.ValidationError):
        raise RefusedError(400, "Invalid request body") from None


def _validate_parameters(call: _Call) -> None:
    queries, lacking = dict(call.request.query), []
    for name, is_required in (call.method.get("requestParameters") or {}).items():
        where, parameter = name.removeprefix("method.request.").split(".", 1)
        there = {"path": call.path, "querystring": queries, "header": dict(call.request.headers.items())}[where]
        if is_required and not there.get(parameter):
            lacking.append(parameter)
    if lacking:
        raise RefusedError(400, f"Missing required request parameters: [{', '.join(lacking)}]")


# --- the integration ---


def _integrate(call: _Call, context: Mapping[str, Any], passage: Passage) -> Answer:
    """Send it through the VPC link to the load balancer's listener on the port of the URI.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-private-integration.html
    """
    integration = call.method["methodIntegration"]
    if (integration["type"], integration.get("connectionType")) != ("HTTP_PROXY", "VPC_LINK"):
        raise NotImplementedError(f"the integration {integration['type']} of API Gateway without a VPC link")
    target = str(integration.get("integrationTarget") or "")
    url = urlsplit(_filled(str(integration["uri"]), call, integration, context))
    backend = elbv2_backends[DEFAULT_ACCOUNT_ID][call.domain.region]
    link = deployed.link(call.domain.region, str(integration["connectionId"]))
    with turn():
        balancer = backend.load_balancers.get(target)
        if balancer is None:
            raise RefusedError(500, "Internal server error", f"{target} is no load balancer")
        port = url.port or (443 if url.scheme == "https" else 80)
        listener = next((one for one in balancer.listeners.values() if int(one.port) == port), None)
        verdict = network_paths.from_link(call.domain.region, link, balancer, port)
    if listener is None or not verdict.is_allowed:
        reason = f"port {port} has no listener" if listener is None else str(verdict)
        raise RefusedError(504, "Network error communicating with endpoint", reason)
    passage.way += f"; {link['Name']} -> {balancer.name}: {verdict}"
    return load_balancers.answer(
        DEFAULT_ACCOUNT_ID, call.domain.region, listener, _sent(call, integration, context, url.netloc, url.path)
    )


def _filled(uri: str, call: _Call, integration: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """The URI with the parameters of the integration's path."""
    for name, source in (integration.get("requestParameters") or {}).items():
        if name.startswith("integration.request.path."):
            uri = uri.replace(f"{{{name.rpartition('.')[2]}}}", _value(source, call, context))
    return uri


def _value(source: str, call: _Call, context: Mapping[str, Any]) -> str:
    kind, _, name = source.rpartition(".")
    if kind == "method.request.path":
        return call.path.get(name, "")
    if kind == "context.authorizer":
        return str(context.get(name, ""))
    raise NotImplementedError(f"the mapping of {source} by API Gateway")


def _sent(call: _Call, integration: Mapping[str, Any], context: Mapping[str, Any], host: str, path: str) -> Request:
    """The request as the load balancer receives it: mapped headers overwrite the client's, in whatever case."""
    mapped = {
        name.rpartition(".")[2]: _value(source, call, context)
        for name, source in (integration.get("requestParameters") or {}).items()
        if name.startswith("integration.request.header.")
    }
    headers, overwritten = Message(), {name.lower() for name in mapped} | {"host"}
    for name, value in call.request.headers.items():
        if name.lower() not in overwritten:
            headers[name] = value
    for name, value in {**mapped, "Host": host}.items():
        headers[name] = value
    query = call.request.query_string
    return replace(call.request, target=f"{path}?{query}" if query else path, headers=headers)


def _own(refused: RefusedError) -> Answer:
    body = json.dumps({"message": str(refused)}).encode()
    return Answer(status=refused.status, headers=(("Content-Type", "application/json"),), body=body)
