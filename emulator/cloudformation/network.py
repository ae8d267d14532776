"""EC2's types of a network: VPC, subnets, routes, security groups, endpoints, flow logs."""

from __future__ import annotations

import time
from typing import Any

from emulator.cloudformation.calls import Created, Properties, RefusedError, call, client, gone, only, without
from emulator.cloudformation.types import made_by

EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
SECONDS_BETWEEN_LOOKS = 0.2


def install() -> None:
    """Register these types."""
    made_by("AWS::EC2::VPC", create=_create_vpc, delete=lambda id_, _: gone("ec2", "DeleteVpc", VpcId=id_))
    made_by("AWS::EC2::Subnet", create=_create_subnet, delete=_delete_subnet)
    made_by("AWS::EC2::RouteTable", create=_create_table, delete=_delete_table)
    made_by("AWS::EC2::Route", create=_create_route, update=_update_route, delete=_delete_route)
    made_by("AWS::EC2::SubnetRouteTableAssociation", create=_associate, delete=_disassociate)
    made_by("AWS::EC2::InternetGateway", create=_create_gateway, delete=_delete_gateway)
    made_by("AWS::EC2::VPCGatewayAttachment", create=_attach_gateway, delete=_detach_gateway)
    made_by("AWS::EC2::SecurityGroup", create=_create_group, update=_update_group, delete=_delete_group)
    made_by("AWS::EC2::SecurityGroupIngress", create=_admit, delete=_admit_no_more)
    made_by("AWS::EC2::SecurityGroupEgress", create=_let_out, delete=_let_out_no_more)
    made_by("AWS::EC2::VPCEndpoint", create=_create_endpoint, update=_update_endpoint, delete=_delete_endpoint)
    made_by("AWS::EC2::FlowLog", create=_create_flow_log, delete=_delete_flow_log)


def tagged(kind: str, properties: Properties) -> Properties:
    """The parameter of EC2's calls for the tags of a resource of this kind."""
    tags = properties.get("Tags")
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def _create_vpc(_logical_id: str, properties: Properties, _stack: str) -> Created:
    own = only(properties, "CidrBlock", "InstanceTenancy")
    vpc = call("ec2", "CreateVpc", {**own, **tagged("vpc", properties)})["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        if name in properties:
            call("ec2", "ModifyVpcAttribute", {"VpcId": vpc, name: {"Value": properties[name]}})
    of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
    default = [*of_vpc, {"Name": "group-name", "Values": ["default"]}]
    (group,) = call("ec2", "DescribeSecurityGroups", {"Filters": default})["SecurityGroups"]
    acl = call("ec2", "DescribeNetworkAcls", {"Filters": of_vpc})["NetworkAcls"][0]
    attributes = {"DefaultSecurityGroup": group["GroupId"], "DefaultNetworkAcl": acl["NetworkAclId"]}
    return vpc, {**attributes, "CidrBlock": properties["CidrBlock"], "VpcId": vpc}


def _create_subnet(_logical_id: str, properties: Properties, _stack: str) -> Created:
    own = without(properties, "Tags", "MapPublicIpOnLaunch")
    subnet = call("ec2", "CreateSubnet", {**own, **tagged("subnet", properties)})["Subnet"]
    public = {"MapPublicIpOnLaunch": {"Value": properties.get("MapPublicIpOnLaunch", False)}}
    call("ec2", "ModifySubnetAttribute", {"SubnetId": subnet["SubnetId"], **public})
    return subnet["SubnetId"], {"AvailabilityZone": subnet["AvailabilityZone"], "SubnetId": subnet["SubnetId"]}


def _delete_subnet(id_: str, _properties: Properties) -> None:
    _wait_for_functions("subnet-id", id_)
    gone("ec2", "DeleteSubnet", SubnetId=id_)


def _wait_for_functions(name: str, id_: str) -> None:
    """Wait until Lambda has deleted the network interfaces of functions that are gone, in a subnet or with a group.

    CloudFormation waits for them when it deletes functions, several at a time ("CloudFormation is waiting for
    NetworkInterfaces associated with the Lambda Function to be cleaned up."). Here one resource is deleted after
    another, so that it is what needs them gone that waits, and the time of all of them passes at once.

    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/392
    """
    while _linger(name, id_):
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _linger(name: str, id_: str) -> bool:
    found = client("ec2").describe_network_interfaces(Filters=[{"Name": name, "Values": [id_]}])["NetworkInterfaces"]
    places = {
        (one["SubnetId"], frozenset(group["GroupId"] for group in one["Groups"]))
        for one in found
        if one["InterfaceType"] == "lambda"
    }
    return bool(places and places - _places_of_functions())


def _places_of_functions() -> set[tuple[str, frozenset[str]]]:
    """Subnets, each with the groups, that functions use: their interfaces stay, and what needs them gone is refused."""
    pages = client("lambda").get_paginator("list_functions").paginate(FunctionVersion="ALL")
    networks = [one.get("VpcConfig") or {} for page in pages for one in page["Functions"]]
    return {
        (subnet, frozenset(one.get("SecurityGroupIds") or ()))
        for one in networks
        for subnet in one.get("SubnetIds", ())
    }


def _create_table(_logical_id: str, properties: Properties, _stack: str) -> Created:
    sent = {**only(properties, "VpcId"), **tagged("route-table", properties)}
    id_ = call("ec2", "CreateRouteTable", sent)["RouteTable"]["RouteTableId"]
    return id_, {"RouteTableId": id_}


def _delete_table(id_: str, _properties: Properties) -> None:
    gone("ec2", "DeleteRouteTable", RouteTableId=id_)


def _create_route(_logical_id: str, properties: Properties, _stack: str) -> Created:
    call("ec2", "CreateRoute", properties)
    return f"{properties['RouteTableId']}|{properties['DestinationCidrBlock']}", {}


def _update_route(id_: str, old: Properties, new: Properties, stack: str) -> Created:
    _delete_route(id_, old)
    return _create_route("", new, stack)


def _delete_route(_id: str, properties: Properties) -> None:
    gone("ec2", "DeleteRoute", **only(properties, "RouteTableId", "DestinationCidrBlock"))


def _associate(_logical_id: str, properties: Properties, _stack: str) -> Created:
    return call("ec2", "AssociateRouteTable", properties)["AssociationId"], {}


def _disassociate(id_: str, _properties: Properties) -> None:
    gone("ec2", "DisassociateRouteTable", AssociationId=id_)


def _create_gateway(_logical_id: str, properties: Properties, _stack: str) -> Created:
    made = call("ec2", "CreateInternetGateway", tagged("internet-gateway", properties))
    return made["InternetGateway"]["InternetGatewayId"], {}


def _delete_gateway(id_: str, _properties: Properties) -> None:
    gone("ec2", "DeleteInternetGateway", InternetGatewayId=id_)


def _attach_gateway(_logical_id: str, properties: Properties, _stack: str) -> Created:
    call("ec2", "AttachInternetGateway", properties)
    return f"IGW|{properties['VpcId']}", {}


def _detach_gateway(_id: str, properties: Properties) -> None:
    gone("ec2", "DetachInternetGateway", **only(properties, "InternetGatewayId", "VpcId"))


# --- security groups ---


def _create_group(_logical_id: str, properties: Properties, _stack: str) -> Created:
    own = {"GroupName": properties["GroupName"], "Description": properties["GroupDescription"]}
    sent = {**own, **only(properties, "VpcId"), **tagged("security-group", properties)}
    id_ = call("ec2", "CreateSecurityGroup", sent)["GroupId"]
    for rule in properties.get("SecurityGroupIngress") or ():
        call("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": id_, "IpPermissions": [_permission(rule)]})
    for rule in properties.get("SecurityGroupEgress") or ():
        _let_out("", {**rule, "GroupId": id_}, "")
    return id_, {"GroupId": id_, "VpcId": properties.get("VpcId", "")}


def _update_group(id_: str, old: Properties, new: Properties, stack: str) -> Created:
    if any(old.get(name) != new.get(name) for name in ("GroupName", "GroupDescription", "VpcId")):
        made = _create_group("", new, stack)
        _delete_group(id_, old)
        return made
    for name, revoke in (("SecurityGroupIngress", "RevokeSecurityGroupIngress"), ("SecurityGroupEgress", "")):
        before, after = old.get(name) or [], new.get(name) or []
        operation = revoke or "RevokeSecurityGroupEgress"
        for rule in (one for one in before if one not in after):
            gone("ec2", operation, GroupId=id_, IpPermissions=[_permission(rule)])
        for rule in (one for one in after if one not in before):
            sent = {"GroupId": id_, "IpPermissions": [_permission(rule)]}
            call("ec2", operation.replace("Revoke", "Authorize"), sent)
    return id_, {"GroupId": id_, "VpcId": new.get("VpcId", "")}


def _delete_group(id_: str, _properties: Properties) -> None:
    _wait_for_functions("group-id", id_)
    gone("ec2", "DeleteSecurityGroup", GroupId=id_)


def _permission(rule: Properties) -> dict[str, Any]:
    """A rule as EC2's calls take it, of one source or destination."""
    own: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"]), **only(rule, "FromPort", "ToPort")}
    about = only(rule, "Description")
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    listed = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if group:
        return {**own, "UserIdGroupPairs": [{"GroupId": group, **about}]}
    if listed:
        return {**own, "PrefixListIds": [{"PrefixListId": listed, **about}]}
    if "CidrIp" in rule:
        return {**own, "IpRanges": [{"CidrIp": rule["CidrIp"], **about}]}
    raise NotImplementedError(f"the local AWS has no rule of {sorted(rule)}")


def _admit(_logical_id: str, properties: Properties, _stack: str) -> Created:
    sent = {"GroupId": properties["GroupId"], "IpPermissions": [_permission(properties)]}
    made = call("ec2", "AuthorizeSecurityGroupIngress", sent)["SecurityGroupRules"]
    return made[0]["SecurityGroupRuleId"], {}


def _admit_no_more(_id: str, properties: Properties) -> None:
    gone("ec2", "RevokeSecurityGroupIngress", GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])


def _let_out(_logical_id: str, properties: Properties, _stack: str) -> Created:
    """Add the rule; with a rule of its own a group loses the one that lets everything out.

    https://github.com/aws/aws-cdk/pull/998
    """
    group = properties["GroupId"]
    try:
        call("ec2", "RevokeSecurityGroupEgress", {"GroupId": group, "IpPermissions": [EVERYTHING]})
    except RefusedError as refused:
        if "NotFound" not in str(refused):
            raise
    sent = {"GroupId": group, "IpPermissions": [_permission(properties)]}
    made = call("ec2", "AuthorizeSecurityGroupEgress", sent)["SecurityGroupRules"]
    return made[0]["SecurityGroupRuleId"], {}


def _let_out_no_more(_id: str, properties: Properties) -> None:
    gone("ec2", "RevokeSecurityGroupEgress", GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])


# --- endpoints and flow logs ---


def _create_endpoint(_logical_id: str, properties: Properties, _stack: str) -> Created:
    sent = {**without(properties, "Tags"), **tagged("vpc-endpoint", properties)}
    id_ = call("ec2", "CreateVpcEndpoint", sent)["VpcEndpoint"]["VpcEndpointId"]
    return id_, {"Id": id_}


def _update_endpoint(id_: str, old: Properties, new: Properties, stack: str) -> Created:
    if without(old, "PolicyDocument", "Tags") != without(new, "PolicyDocument", "Tags"):
        made = _create_endpoint("", new, stack)
        _delete_endpoint(id_, old)
        return made
    call("ec2", "ModifyVpcEndpoint", {"VpcEndpointId": id_, **only(new, "PolicyDocument")})
    return id_, {"Id": id_}


def _delete_endpoint(id_: str, _properties: Properties) -> None:
    gone("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[id_])


def _create_flow_log(_logical_id: str, properties: Properties, _stack: str) -> Created:
    own = without(properties, "Tags", "ResourceId")
    sent = {**own, "ResourceIds": [properties["ResourceId"]], **tagged("vpc-flow-log", properties)}
    (id_,) = call("ec2", "CreateFlowLogs", sent)["FlowLogIds"]
    return id_, {"Id": id_}


def _delete_flow_log(id_: str, _properties: Properties) -> None:
    gone("ec2", "DeleteFlowLogs", FlowLogIds=[id_])
