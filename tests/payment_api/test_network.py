"""The network, its NAT instances and its endpoints, in the template."""

from __future__ import annotations

import ipaddress

import pytest

from payment_api.endpoints import SERVICES
from payment_api.settings import Settings
from tests.payment_api.programs import OF_API, calls_of
from tests.payment_api.support import Template, as_list, tags


@pytest.mark.requirement("P1.1")
def test_each_zone_has_a_subnet_of_each_tier_with_its_own_route_table(api: Template, settings: Settings) -> None:
    subnets = api.of("AWS::EC2::Subnet")
    found = {(tags(one)["aws-cdk:subnet-name"], one["AvailabilityZone"]) for one in subnets.values()}
    assert found == {(tier, zone) for tier in ("public", "private", "database") for zone in settings.network.zones}
    associations = api.of("AWS::EC2::SubnetRouteTableAssociation").values()
    assert {one["SubnetId"]["Ref"] for one in associations} == set(subnets)
    assert len({one["RouteTableId"]["Ref"] for one in associations}) == 9
    blocks = [ipaddress.IPv4Network(one["CidrBlock"]) for one in subnets.values()]
    assert not any(a.overlaps(b) for a in blocks for b in blocks if a is not b)
    assert not any(one.get("MapPublicIpOnLaunch") for one in subnets.values())


@pytest.mark.requirement("P1.1")
def test_one_nat_instance_a_zone_is_hardened(api: Template, settings: Settings) -> None:
    instances = api.of("AWS::EC2::Instance")
    assert [one["AvailabilityZone"] for one in instances.values()] == settings.network.zones
    for one in instances.values():
        assert one["InstanceType"].startswith(("t4g.", "c7gn."))
        assert one["SourceDestCheck"] is False
        assert one["MetadataOptions"] == {"HttpTokens": "required"}
        (disk,) = one["BlockDeviceMappings"]
        assert disk["Ebs"]["Encrypted"] is True
        assert "encryptioncomputers" in disk["Ebs"]["KmsKeyId"]["Fn::GetAtt"][0]
        assert "KeyName" not in one
    assert {one["InstanceId"]["Ref"] for one in api.of("AWS::EC2::EIP").values()} == set(instances)


@pytest.mark.requirement("P1.1")
def test_each_private_subnet_routes_to_the_nat_instance_of_its_zone(api: Template) -> None:
    tables = {
        one["RouteTableId"]["Ref"]: api.of("AWS::EC2::Subnet")[one["SubnetId"]["Ref"]]
        for one in api.of("AWS::EC2::SubnetRouteTableAssociation").values()
    }
    ways = {}
    for route in api.of("AWS::EC2::Route").values():
        assert route["DestinationCidrBlock"] == "0.0.0.0/0"
        subnet = tables[route["RouteTableId"]["Ref"]]
        tier = tags(subnet)["aws-cdk:subnet-name"]
        if tier == "private":
            assert (
                api.of("AWS::EC2::Instance")[route["InstanceId"]["Ref"]]["AvailabilityZone"]
                == subnet["AvailabilityZone"]
            )
        else:
            assert "GatewayId" in route
        ways[subnet["AvailabilityZone"], tier] = route
    assert {tier for _, tier in ways} == {"public", "private"}, "the database tier has no way out"
    assert len(ways) == 6


@pytest.mark.requirement("P1.1")
def test_nat_instances_allow_only_the_private_tier_in_and_the_acquirer_out(api: Template, settings: Settings) -> None:
    group = api.one("AWS::EC2::SecurityGroup", "natgroup")
    private = {
        one["CidrBlock"] for one in api.of("AWS::EC2::Subnet").values() if tags(one)["aws-cdk:subnet-name"] == "private"
    }
    assert {one["CidrIp"] for one in group["SecurityGroupIngress"]} == private
    outward = {one["CidrIp"] for one in group["SecurityGroupEgress"] if one["CidrIp"].endswith("/28")}
    assert outward == set(settings.network.acquirer_networks)
    assert {
        (one["FromPort"], one["ToPort"]) for one in group["SecurityGroupEgress"] + group["SecurityGroupIngress"]
    } == {(443, 443)}


@pytest.mark.requirement("P1.1")
def test_a_nat_instance_reaches_the_endpoints_that_it_installs_and_is_managed_by(api: Template) -> None:
    groups = {api.id_of("AWS::EC2::SecurityGroup", part) for part in ("natgroup", "endpointsclients")}
    gateway = api.id_of("AWS::EC2::VPCEndpoint", "networkvpcs3")
    for one in api.of("AWS::EC2::Instance").values():
        assert {group["Fn::GetAtt"][0] for group in one["SecurityGroupIds"]} == groups
    for id_, resource in api.resources.items():
        if resource["Type"] == "AWS::EC2::Instance":
            assert gateway in resource["DependsOn"], id_


@pytest.mark.requirement("P1.1")
def test_a_nat_instance_tries_again_to_install_what_forwards(api: Template) -> None:
    """Another dnf runs at the first boot: https://github.com/aws/aws-cdk/issues/36717."""
    instances = api.of("AWS::EC2::Instance").values()
    assert instances
    for one in instances:
        script = str(one["UserData"]["Fn::Base64"])
        assert "for attempt in" in script
        assert script.index("for attempt in") < script.index("dnf install") < script.index("systemctl enable")


@pytest.mark.requirement("P1.1")
def test_a_nat_instance_on_a_broken_host_is_recovered(api: Template) -> None:
    alarms = [one for id_, one in api.of("AWS::CloudWatch::Alarm").items() if "natrecovery" in id_]
    assert len(alarms) == 3
    for alarm in alarms:
        assert alarm["MetricName"] == "StatusCheckFailed_System"
        assert "ec2:recover" in str(alarm["AlarmActions"])


@pytest.mark.requirement("P1.2")
def test_every_service_that_is_called_has_an_endpoint_with_a_policy(api: Template, settings: Settings) -> None:
    endpoints = api.of("AWS::EC2::VPCEndpoint")
    interfaces = {id_: one for id_, one in endpoints.items() if one["VpcEndpointType"] == "Interface"}
    gateways = [one for one in endpoints.values() if one["VpcEndpointType"] == "Gateway"]
    assert len(interfaces) == len(SERVICES)
    assert all(one["PrivateDnsEnabled"] for one in interfaces.values())
    assert all(len(one["SubnetIds"]) == 3 for one in interfaces.values())
    assert sorted(str(one["ServiceName"]).rpartition(".")[2][:2] for one in gateways) == ["dy", "s3"]
    for one in endpoints.values():
        allowed = one["PolicyDocument"]["Statement"]
        account = {"aws:PrincipalAccount": settings.account_id}
        if one["VpcEndpointType"] == "Gateway":  # buckets and tables, which take data out of the account
            account["aws:ResourceAccount"] = settings.account_id
        own = [s for s in allowed if s.get("Condition") == {"StringEquals": account}]
        others = [s for s in allowed if s not in own]
        assert own
        assert {s["Sid"] for s in others} <= {"LayersAndPackages", "AnswersToCloudFormation"}
        assert not [
            s for s in others if s["Action"] not in {"s3:GetObject", "s3:PutObject"} or "*" in as_list(s["Resource"])
        ]


# What AWS itself calls by the network in the name of a task (images, logs), a function (traces) or a NAT instance
# (management). https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
BY_AWS = {"ecr-api", "ecr-dkr", "logs", "xray", "ssm", "ssmmessages", "ec2messages"}
# A login to the database is a token that is signed without a call.
WITHOUT_A_CALL = {"rds-db"}
BY_A_GATEWAY = {"s3", "dynamodb"}  # whose endpoints are routes, and have no place in SERVICES


@pytest.mark.requirement("P1.2")
def test_each_service_that_a_program_calls_has_an_endpoint_and_no_other_has() -> None:
    called = {
        action.partition(":")[0] for program in OF_API for actions in calls_of(program).values() for action in actions
    }
    assert called
    assert set(SERVICES) == (called - WITHOUT_A_CALL - BY_A_GATEWAY) | BY_AWS


@pytest.mark.requirement("P1.2")
def test_every_function_of_ours_is_in_the_private_tier(api: Template) -> None:
    own = {id_: one for id_, one in api.of("AWS::Lambda::Function").items() if not id_.startswith("Custom")}
    assert len(own) == len(OF_API) - 1
    for id_, one in own.items():
        assert all("private" in subnet["Ref"] for subnet in one["VpcConfig"]["SubnetIds"]), id_


@pytest.mark.requirement("P1.3")
def test_clients_of_endpoints_reach_endpoints_and_gateways_and_nothing_else(api: Template, settings: Settings) -> None:
    id_ = api.id_of("AWS::EC2::SecurityGroup", "endpointsclients")
    group = api.of("AWS::EC2::SecurityGroup")[id_]
    inline = group.get("SecurityGroupEgress", [])
    alone = [one for one in api.of("AWS::EC2::SecurityGroupEgress").values() if one["GroupId"]["Fn::GetAtt"][0] == id_]
    places = {
        one.get("DestinationPrefixListId") or str(one.get("DestinationSecurityGroupId")) for one in inline + alone
    }
    lists = {settings.network.s3_prefix_list_id, settings.network.dynamodb_prefix_list_id}
    assert lists < places
    assert len(places - lists) == 1, "the group of the endpoints"
    assert not [one for one in inline + alone if "CidrIp" in one]


@pytest.mark.requirement("P1.3")
def test_no_security_group_allows_egress_to_everywhere(api: Template) -> None:
    groups = [one.get("SecurityGroupEgress", []) for one in api.of("AWS::EC2::SecurityGroup").values()]
    rules = [rule for group in groups for rule in group] + list(api.of("AWS::EC2::SecurityGroupEgress").values())
    # What CDK writes where nothing is let out: a rule to an address that nobody has.
    assert not [one for one in rules if one.get("CidrIp", "").startswith("0.0.0.0")]
    assert "Custom::VpcRestrictDefaultSG" in {one["Type"] for one in api.resources.values()}
