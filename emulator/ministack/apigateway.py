"""API Gateway: VPC links V2, and attributes of an API and its stage that ministack's CloudFormation drops."""

from __future__ import annotations

import uuid
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import apigateway_v1

from emulator.cloudformation.registry import Created, Properties, add_type, complete_type, is_true
from emulator.ministack import front

LINKS: Any = AccountRegionScopedDict()


def install() -> None:
    """Register these additions with ministack."""
    add_type("AWS::ApiGatewayV2::VpcLink", create=_create_link, delete=lambda id_, _: LINKS.pop(id_, None))
    front.add_path("GET", "/v2/vpclinks", lambda: (200, {"items": list(LINKS.values())}))
    front.add_path("GET", "/v2/vpclinks/([^/]+)", _get_link)
    complete_type("AWS::ApiGateway::RestApi", _finish_api)
    complete_type("AWS::ApiGateway::Stage", _finish_stage)
    complete_type("AWS::ApiGateway::Method", _finish_method)


def _create_link(_logical_id: str, properties: Properties, _stack: str) -> Created:
    id_ = uuid.uuid4().hex[:10]
    LINKS[id_] = {
        "vpcLinkId": id_,
        "name": properties["Name"],
        "subnetIds": properties["SubnetIds"],
        "securityGroupIds": properties["SecurityGroupIds"],
        "vpcLinkStatus": "AVAILABLE",
        "vpcLinkVersion": "V2",
    }
    return id_, {"VpcLinkId": id_}


def _get_link(id_: str) -> tuple[int, Any]:
    link = LINKS.get(id_)
    return (200, link) if link else (404, {"message": f"Unable to find Vpc Link with ID {id_}"})


def _finish_api(id_: str, properties: Properties) -> None:
    api = apigateway_v1._rest_apis[id_]
    if "DisableExecuteApiEndpoint" in properties:
        api["disableExecuteApiEndpoint"] = is_true(properties["DisableExecuteApiEndpoint"])
    if configuration := properties.get("EndpointConfiguration"):
        api["endpointConfiguration"] = {"types": configuration["Types"]}


def _finish_stage(_name: str, properties: Properties) -> None:
    stage = apigateway_v1._stages_v1[properties["RestApiId"]][properties["StageName"]]
    if log := properties.get("AccessLogSetting"):
        stage["accessLogSettings"] = {"destinationArn": log["DestinationArn"], "format": log["Format"]}
    if "TracingEnabled" in properties:
        stage["tracingEnabled"] = is_true(properties["TracingEnabled"])


def _finish_method(_id: str, properties: Properties) -> None:
    """The target of a private integration."""
    method = apigateway_v1._resources[properties["RestApiId"]][properties["ResourceId"]]["resourceMethods"]
    integration, wanted = method[properties["HttpMethod"]].get("methodIntegration"), properties["Integration"]
    if integration is not None:
        names = {"ConnectionId": "connectionId", "ConnectionType": "connectionType"}
        names |= {"IntegrationTarget": "integrationTarget"}
        integration |= {inner: wanted[outer] for outer, inner in names.items() if outer in wanted}
