"""IAM policy of the deploy role: VPCs, subnets, routes, security groups, peering, endpoints and flow logs."""

from __future__ import annotations

from modules.delivery.permissions.grants import IMPLIED_BY_ANOTHER_CALL, NOT_ANOTHERS, OWN, TAGS, UPDATE_IN_PLACE, Grant

NETWORK: tuple[Grant, ...] = (
    Grant(
        sid="SeeNetworks",
        service="ec2",
        rehearsed="DescribeAddresses DescribeAddressesAttribute DescribeFlowLogs DescribeInternetGateways "
        "DescribeManagedPrefixLists DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaces "
        "DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules DescribeSecurityGroups DescribeSubnets "
        "DescribeVpcEndpoints DescribeVpcPeeringConnections DescribeVpcs",
        unrehearsed={IMPLIED_BY_ANOTHER_CALL: "DescribeAvailabilityZones"},
    ),
    Grant(
        sid="SeeNetworksParts",
        service="ec2",
        on=(
            "arn:aws:ec2:*:{account}:prefix-list/*",
            "arn:aws:ec2:*:{account}:vpc/*",
            "arn:aws:ec2:*:aws:prefix-list/*",
        ),
        rehearsed="DescribeVpcAttribute GetManagedPrefixListEntries",
    ),
    Grant(
        # They attach existing resources to new ones, or close AWS's own defaults, neither of which has tags: AWS
        # requires the action on all of them. What has another environment's tags is refused.
        sid="MakeNetworks",
        service="ec2",
        on=("arn:aws:ec2:*:{account}:*/*",),
        rehearsed="AcceptVpcPeeringConnection AllocateAddress AssociateRouteTable AttachInternetGateway "
        "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateFlowLogs CreateInternetGateway "
        "CreateNatGateway CreateNetworkAcl CreateNetworkAclEntry CreateRoute CreateRouteTable CreateSecurityGroup "
        "CreateSubnet CreateTags CreateVpc CreateVpcEndpoint CreateVpcPeeringConnection DeleteNetworkAclEntry "
        "DetachInternetGateway DisassociateAddress DisassociateRouteTable ModifyVpcPeeringConnectionOptions "
        "ReplaceNetworkAclAssociation RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
        unrehearsed={
            UPDATE_IN_PLACE: "ModifySecurityGroupRules ReplaceNetworkAclEntry ReplaceRoute "
            "ReplaceRouteTableAssociation UpdateSecurityGroupRuleDescriptionsEgress "
            "UpdateSecurityGroupRuleDescriptionsIngress",
        },
        conditions=NOT_ANOTHERS,
    ),
    Grant(
        sid="ChangeOwnNetworks",
        service="ec2",
        on=("arn:aws:ec2:*:{account}:*/*",),
        rehearsed="DeleteFlowLogs DeleteInternetGateway DeleteNatGateway DeleteNetworkAcl DeleteRoute DeleteRouteTable "
        "DeleteSecurityGroup DeleteSubnet DeleteVpc DeleteVpcEndpoints DeleteVpcPeeringConnection ModifyVpcAttribute "
        "ReleaseAddress",
        unrehearsed={UPDATE_IN_PLACE: "ModifySubnetAttribute ModifyVpcEndpoint", TAGS: "DeleteTags"},
        conditions=OWN,
    ),
)
