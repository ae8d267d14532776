"""API Gateway (P2.2): the API on its own name, for clients with a certificate and a key.

Creates the REST API with its paths, request models and validators, the stage (throttled, logged, traced), its own
domain with mutual TLS, the private integration with the load balancer, and the usage plan with the first client's key,
whose value is in an entry of Secrets Manager that exists. The default endpoint, which knows no mutual TLS, is off.
"""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk.aws_apigateway import (
    AccessLogFormat,
    CfnMethod,
    ConnectionType,
    DomainName,
    EndpointType,
    HttpIntegration,
    IResource,
    JsonSchema,
    JsonSchemaType,
    LogGroupLogDestination,
    MethodLoggingLevel,
    Model,
    MTLSConfig,
    Period,
    QuotaSettings,
    RequestValidator,
    RestApi,
    SecurityPolicy,
    StageOptions,
    ThrottleSettings,
    UsagePlan,
)
from aws_cdk.aws_apigatewayv2 import VpcLink
from aws_cdk.aws_certificatemanager import Certificate
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_route53 import ARecord, HostedZone, RecordTarget
from aws_cdk.aws_route53_targets import ApiGatewayDomain
from aws_cdk.aws_s3 import Bucket
from aws_cdk.aws_secretsmanager import ISecret
from constructs import Construct

from payment_api.load_balancer import GATEWAY_PORT, LoadBalancer
from payment_api.logs import AuditLog
from payment_api.network import Network
from payment_api.settings import Settings
from payment_api.settings.entry import GatewaySettings

STAGE = "live"
# No value of a request or answer, and no key: who (by certificate), what, when, how it ended.
ACCESS_LOG_FORMAT = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTimeEpoch",
    "sourceIp": "$context.identity.sourceIp",
    "clientCertificate": "$context.identity.clientCert.subjectDN",
    "clientCertificateSerial": "$context.identity.clientCert.serialNumber",
    "apiKeyId": "$context.identity.apiKeyId",
    "httpMethod": "$context.httpMethod",
    "resourcePath": "$context.resourcePath",
    "status": "$context.status",
    "responseLatency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "wafResponseCode": "$context.wafResponseCode",
    "errorMessage": "$context.error.message",
}
IDEMPOTENCY_KEY = "method.request.header.Idempotency-Key"
PAYMENT_ID = "method.request.path.payment_id"
LARGEST_AMOUNT = 10**15


class Gateway(Construct):
    """The API as ``api``, its domain as ``domain``, its usage plan as ``usage_plan``."""

    requirements = ("P2.2", "P6.1")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Settings,
        network: Network,
        load_balancer: LoadBalancer,
        api_key: ISecret,
        logs_key: IKey,
    ) -> None:
        super().__init__(scope, id_)
        self._names, self._domain, self._balancer = settings.names, settings.domain, load_balancer
        self._link = VpcLink(
            self,
            "link",
            vpc_link_name=self._names.of("gateway"),
            vpc=network.vpc,
            subnets=network.private,
            security_groups=[load_balancer.gateway_link],
        )
        log_name = self._names.log_group("gateway-access")
        self.access_log = AuditLog(self, "access-log", name=log_name, key=logs_key, protected=settings.protected)
        self.api = self._make_api(settings.gateway)
        self.api.node.try_remove_child("Endpoint")  # CDK's output of the default endpoint, which is off
        self._add_paths()
        self.domain = self._make_domain(settings.gateway)
        self.usage_plan = self._make_usage_plan(settings.gateway, api_key)

    def _make_api(self, settings: GatewaySettings) -> RestApi:
        return RestApi(
            self,
            "api",
            rest_api_name=self._names.of("api"),
            description="Payments",
            endpoint_types=[EndpointType.REGIONAL],
            disable_execute_api_endpoint=True,
            # The role by which API Gateway logs is a setting of the account, for one environment to make.
            cloud_watch_role=settings.sets_account_logging_role,
            cloud_watch_role_removal_policy=RemovalPolicy.DESTROY if settings.sets_account_logging_role else None,
            deploy_options=StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=settings.requests_per_second,
                throttling_burst_limit=settings.burst_requests,
                logging_level=MethodLoggingLevel.INFO,
                data_trace_enabled=False,  # bodies are not for logs
                metrics_enabled=True,
                tracing_enabled=True,
                access_log_destination=LogGroupLogDestination(self.access_log),
                access_log_format=AccessLogFormat.custom(json.dumps(ACCESS_LOG_FORMAT)),
            ),
        )

    def _add_paths(self) -> None:
        """The paths of services/payments. What a request must have is refused here if it has not."""
        validator = RequestValidator(
            self,
            "validator",
            rest_api=self.api,
            request_validator_name="all",
            validate_request_body=True,
            validate_request_parameters=True,
        )
        payments = self.api.root.add_resource("payments")
        payment = payments.add_resource("{payment_id}")
        keyed = {IDEMPOTENCY_KEY: True}
        self._add_method(payments, "GET", "/payments", validator, parameters={})
        self._add_method(
            payments, "POST", "/payments", validator, parameters=keyed, model=self._model("Payment", PAYMENT)
        )
        self._add_method(payment, "GET", "/payments/{payment_id}", validator, parameters={})
        for operation, model in (("captures", CAPTURE), ("refunds", REFUND), ("voids", VOID)):
            self._add_method(
                payment.add_resource(operation),
                "POST",
                f"/payments/{{payment_id}}/{operation}",
                validator,
                parameters=keyed,
                model=self._model(operation.capitalize(), model),
            )

    def _model(self, name: str, schema: JsonSchema) -> Model:
        return self.api.add_model(name, model_name=name, content_type="application/json", schema=schema)

    def _add_method(
        self,
        resource: IResource,
        method: str,
        path: str,
        validator: RequestValidator,
        *,
        parameters: dict[str, bool],
        model: Model | None = None,
    ) -> None:
        """A method that needs a key and is passed on, by the VPC link, to the load balancer's own listener for it.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/vpc-links-v2.html
        """
        of_path = {PAYMENT_ID: True} if "{payment_id}" in path else {}
        passed_on = {"integration.request.path.payment_id": PAYMENT_ID} if of_path else {}
        made = resource.add_method(
            method,
            HttpIntegration(
                f"https://{self._domain.load_balancer_name}:{GATEWAY_PORT}{path}",
                http_method=method,
                proxy=True,
                options={"connection_type": ConnectionType.INTERNET, "request_parameters": passed_on},
            ),
            api_key_required=True,
            request_validator=validator,
            request_parameters={**parameters, **of_path},
            request_models={"application/json": model} if model else None,
        )
        # The CDK's own types know VPC links of the first kind only, which lead to a network load balancer.
        definition = made.node.default_child
        assert isinstance(definition, CfnMethod)  # noqa: S101  # what CDK says of every method
        definition.add_property_override("Integration.ConnectionType", "VPC_LINK")
        definition.add_property_override("Integration.ConnectionId", self._link.vpc_link_id)
        definition.add_property_override("Integration.IntegrationTarget", self._balancer.gateway_listener.listener_arn)
        definition.add_property_override("Integration.TimeoutInMillis", 29_000)

    def _make_domain(self, settings: GatewaySettings) -> DomainName:
        domain = self._domain
        made = DomainName(
            self,
            "domain",
            domain_name=domain.api_name,
            certificate=Certificate.from_certificate_arn(self, "certificate", domain.certificate_arn),
            endpoint_type=EndpointType.REGIONAL,
            security_policy=SecurityPolicy.TLS_1_2,
            mtls=MTLSConfig(
                bucket=Bucket.from_bucket_name(self, "trust-store", settings.trust_store_bucket),
                key=settings.trust_store_key,
                version=settings.trust_store_version,
            ),
        )
        made.add_base_path_mapping(self.api, stage=self.api.deployment_stage)
        zone = HostedZone.from_hosted_zone_attributes(
            self, "zone", hosted_zone_id=domain.zone_id, zone_name=domain.zone_name
        )
        target = RecordTarget.from_alias(ApiGatewayDomain(made))
        ARecord(self, "name", zone=zone, record_name=f"{domain.api_name}.", target=target)
        return made

    def _make_usage_plan(self, settings: GatewaySettings, api_key: ISecret) -> UsagePlan:
        plan = self.api.add_usage_plan(
            "clients",
            name=self._names.of("clients"),
            throttle=ThrottleSettings(rate_limit=settings.requests_per_second, burst_limit=settings.burst_requests),
            quota=QuotaSettings(limit=settings.requests_per_day_and_client, period=Period.DAY),
        )
        plan.add_api_stage(stage=self.api.deployment_stage)
        key = self.api.add_api_key(
            "first-client",
            api_key_name=self._names.of("first-client"),
            # A reference that CloudFormation resolves: the value is in no template.
            value=api_key.secret_value_from_json("api_key").unsafe_unwrap(),
        )
        plan.add_api_key(key)
        self.first_key_id = key.key_id
        return plan


def _object(properties: dict[str, JsonSchema], required: list[str]) -> JsonSchema:
    return JsonSchema(
        type=JsonSchemaType.OBJECT, properties=properties, required=required or None, additional_properties=False
    )


def _text(pattern: str | None = None, **more: Any) -> JsonSchema:
    return JsonSchema(type=JsonSchemaType.STRING, pattern=pattern, **more)


# As services/payments has them (payments/representations.py); what they leave open is refused there.
_AMOUNT = JsonSchema(type=JsonSchemaType.INTEGER, minimum=1, maximum=LARGEST_AMOUNT)
PAYMENT = _object(
    {
        "amount": _AMOUNT,
        "currency": _text("^[A-Z]{3}$"),
        "token": _text("^[A-Za-z0-9_-]{8,128}$"),
        "capture": _text(enum=["automatic", "manual"]),
        "reference": _text("^[A-Za-z0-9_./-]{1,64}$"),
    },
    ["amount", "currency", "token"],
)
CAPTURE = _object({"amount": _AMOUNT}, [])
REFUND = _object({"amount": _AMOUNT}, ["amount"])
VOID = _object({}, [])
