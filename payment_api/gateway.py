"""API Gateway (P2.2): the API on its own name, for clients with a certificate and a key.

Creates the REST API with the paths and models of the service's contract, the stage (throttled, logged, traced), its own
domain with mutual TLS, the authorizer that hands the client's certificate on, the private integration with the internal
load balancer, and the usage plan, whose keys payment_api/rotation.py makes. The default endpoint, which knows no mutual
TLS, is off.
"""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk.aws_apigateway import (
    AccessLogFormat,
    AuthorizationType,
    CfnMethod,
    CfnModel,
    ConnectionType,
    DomainName,
    EndpointType,
    HttpIntegration,
    IModel,
    IResource,
    LogGroupLogDestination,
    MethodLoggingLevel,
    Model,
    MTLSConfig,
    Period,
    QuotaSettings,
    RequestAuthorizer,
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
from aws_cdk.aws_lambda import Function
from aws_cdk.aws_route53 import ARecord, HostedZone, RecordTarget
from aws_cdk.aws_route53_targets import ApiGatewayDomain
from aws_cdk.aws_s3 import Bucket
from constructs import Construct

from payment_api import contract
from payment_api.load_balancer import HTTPS_PORT, STAGE, GatewayLoadBalancer
from payment_api.logs import AuditLog, ServiceLog
from payment_api.network import PRIVATE, Network
from payment_api.settings import Settings
from payment_api.settings.entry import GatewaySettings

JSON = "application/json"
INTEGRATION_TIMEOUT_MILLISECONDS = 29_000  # the most without a raised quota
# No value of a request or response, and no key: the client (by certificate), operation, time and result.
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
        load_balancer: GatewayLoadBalancer,
        certificate_function: Function,
        logs_key: IKey,
    ) -> None:
        super().__init__(scope, id_)
        self._authorizer = RequestAuthorizer(
            self,
            "client-certificate",
            authorizer_name=settings.names.of("client-certificate"),
            handler=certificate_function,
            # Each request has a certificate of its own: a cached result would hand another client's on.
            identity_sources=[],
            results_cache_ttl=Duration.seconds(0),
        )
        self._names, self._domain, self._balancer = settings.names, settings.domain, load_balancer
        self._link = VpcLink(
            self,
            "link",
            vpc_link_name=self._names.of("gateway"),
            vpc=network.vpc,
            subnets=network.private,
            security_groups=[load_balancer.vpc_link_group],
        )
        log_name = self._names.log_group("gateway-access")
        self.access_log = AuditLog(self, "access-log", name=log_name, key=logs_key, protected=settings.protected)
        self.api = self._make_api(settings.gateway, owns_account=settings.owns_account)
        # API Gateway makes this log itself, without key and end, unless it is there before the stage is.
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
        execution_log = ServiceLog(
            self,
            "execution-log",
            name=f"API-Gateway-Execution-Logs_{self.api.rest_api_id}/{STAGE}",
            key=logs_key,
            days=settings.observability.log_retention_days,
        )
        self.api.deployment_stage.node.add_dependency(execution_log)
        self.api.node.try_remove_child("Endpoint")  # CDK's output of the default endpoint, which is off
        deployment = self.api.latest_deployment
        assert deployment is not None  # noqa: S101  # what CDK says of an API with a stage
        self._deployment = deployment
        self._unseen: dict[str, Any] = {}  # not in CDK's hash that decides on a new deployment of the API
        self._add_paths()
        self._redeploy_on_change(network, settings)
        self.domain = self._make_domain(settings.gateway)
        self.usage_plan = self._make_usage_plan(settings.gateway)

    def _make_api(self, settings: GatewaySettings, *, owns_account: bool) -> RestApi:
        makes_role = owns_account and settings.makes_account_logging_role
        return RestApi(
            self,
            "api",
            rest_api_name=self._names.of("api"),
            description="Payments",
            endpoint_types=[EndpointType.REGIONAL],
            disable_execute_api_endpoint=True,
            # An account has one role with which API Gateway writes logs; without it a stage with logs cannot be
            # created.
            cloud_watch_role=makes_role,
            cloud_watch_role_removal_policy=RemovalPolicy.DESTROY if makes_role else None,
            deploy_options=StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=settings.requests_per_second,
                throttling_burst_limit=settings.burst_requests,
                logging_level=MethodLoggingLevel.ERROR,  # every request is in the access log
                data_trace_enabled=False,  # bodies are not for logs
                metrics_enabled=True,
                tracing_enabled=True,
                access_log_destination=LogGroupLogDestination(self.access_log),
                access_log_format=AccessLogFormat.custom(json.dumps(ACCESS_LOG_FORMAT)),
            ),
        )

    def _add_paths(self) -> None:
        """The operations of the service's contract. Requests without required parts are refused here."""
        validator = RequestValidator(
            self,
            "validator",
            rest_api=self.api,
            request_validator_name="all",
            validate_request_body=True,
            validate_request_parameters=True,
        )
        for operation in contract.operations():
            resource = self.api.root.resource_for_path(operation.path)
            self._add_method(resource, operation, validator)

    def _model(self, name: str) -> IModel:
        """A body's model, by the service's own schema."""
        schema = {"$schema": "http://json-schema.org/draft-04/schema#", "title": name, **contract.model(name)}
        made = CfnModel(
            self,
            f"model-{name}",
            rest_api_id=self.api.rest_api_id,
            name=name,
            content_type=JSON,
            schema=schema,
        )
        self._unseen[name] = schema
        self._deployment.node.add_dependency(made)
        return Model.from_model_name(self, f"model-of-{name}", made.ref)

    def _add_method(self, resource: IResource, operation: contract.Operation, validator: RequestValidator) -> None:
        """A method that requires an API key and is forwarded, by the VPC link, to the gateway's load balancer.

        The header with the client's certificate is overwritten by the authorizer's, whatever the client has sent.

        The header Idempotency-Key is not required here: API Gateway compares names of headers case by case, and
        clients of HTTP/2 send lower case. The service refuses a request without it.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
        https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-private-integration.html
        """
        in_path = {f"method.request.path.{name}": True for name in operation.path_parameters}
        in_query = {f"method.request.querystring.{name}": False for name in operation.query_parameters}
        made = resource.add_method(
            operation.method,
            HttpIntegration(
                f"https://{self._domain.load_balancer_name}:{HTTPS_PORT}{operation.path}",
                http_method=operation.method,
                proxy=True,
                options={
                    "connection_type": ConnectionType.INTERNET,
                    "request_parameters": {
                        **{name.replace("method.", "integration.", 1): name for name in in_path},
                        f"integration.request.header.{contract.CERTIFICATE_HEADER}": "context.authorizer.certificate",
                    },
                },
            ),
            api_key_required=True,
            authorization_type=AuthorizationType.CUSTOM,
            authorizer=self._authorizer,
            request_validator=validator,
            request_parameters={**in_path, **in_query},
            request_models={JSON: self._model(operation.body)} if operation.body else None,
        )
        # The CDK's own types know VPC links V1 only, which target a network load balancer.
        definition = made.node.default_child
        assert isinstance(definition, CfnMethod)  # noqa: S101  # what CDK says of every method
        private = {
            "ConnectionType": "VPC_LINK",
            "ConnectionId": self._link.vpc_link_id,
            "IntegrationTarget": self._balancer.load_balancer.load_balancer_arn,
            "TimeoutInMillis": INTEGRATION_TIMEOUT_MILLISECONDS,
        }
        for name, value in private.items():
            definition.add_property_override(f"Integration.{name}", value)
        self._unseen[operation.id] = private

    def _redeploy_on_change(self, network: Network, settings: Settings) -> None:
        """Create a new deployment whenever a method, a model or the VPC link changes.

        A deployment is a snapshot of the API, and CDK creates a new one if its hash changes, which omits overrides
        (https://github.com/aws/aws-cdk/issues/9086). A VPC link is replaced with its subnets or security groups: a
        stage with the previous link would serve no request.
        """
        link = {
            "subnets": network.vpc.select_subnets(subnet_group_name=PRIVATE).subnet_ids,
            "group": self._balancer.vpc_link_group.security_group_id,
            "network": [settings.network.cidr, *settings.network.zones],
        }
        self._deployment.add_to_logical_id({"link": link, **self._unseen})

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

    def _make_usage_plan(self, settings: GatewaySettings) -> UsagePlan:
        plan = self.api.add_usage_plan(
            "clients",
            name=self._names.of("clients"),
            throttle=ThrottleSettings(rate_limit=settings.requests_per_second, burst_limit=settings.burst_requests),
            quota=QuotaSettings(limit=settings.requests_per_day_and_client, period=Period.DAY),
        )
        plan.add_api_stage(stage=self.api.deployment_stage)
        return plan
