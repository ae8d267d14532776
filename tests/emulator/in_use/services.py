"""Roles, clusters, target groups, databases, keys of deliveries, backups: each service has an error of its own."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from tests.emulator.in_use.networks import Network, database, load_balancer, tasks
from tests.emulator.in_use.refusals import Use, World, refused

POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}]}
)
CONFLICT = "DeleteConflict"
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}

role_refused = partial(refused, "aws_iam_role", operation="iam:DeleteRole", code=CONFLICT, status=409)
policy_refused = partial(refused, "aws_iam_policy", operation="iam:DeletePolicy", code=CONFLICT, status=409)


def _role(world: World, **members: str) -> tuple[Any, str]:
    iam, name = world("iam"), world.name()
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", **members)
    return iam, name


def _policy(world: World) -> tuple[Any, str]:
    iam = world("iam")
    return iam, iam.create_policy(PolicyName=world.name(), PolicyDocument=POLICY)["Policy"]["Arn"]


@role_refused("aws_iam_role_policy")
def role_with_a_policy(world: World) -> Use:
    iam, role = _role(world)
    iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=POLICY)
    return Use(lambda: iam.delete_role(RoleName=role), lambda: iam.delete_role_policy(RoleName=role, PolicyName="own"))


@role_refused("aws_iam_role_policy_attachment")
def role_with_an_attached_policy(world: World) -> Use:
    (iam, role), (_, arn) = _role(world), _policy(world)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    return Use(lambda: iam.delete_role(RoleName=role), lambda: iam.detach_role_policy(RoleName=role, PolicyArn=arn))


@role_refused("an instance profile")
def role_in_a_profile(world: World) -> Use:
    iam, role = _role(world)
    iam.create_instance_profile(InstanceProfileName=role)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    return Use(
        lambda: iam.delete_role(RoleName=role),
        lambda: iam.remove_role_from_instance_profile(InstanceProfileName=role, RoleName=role),
    )


@policy_refused("aws_iam_role_policy_attachment")
def attached_policy(world: World) -> Use:
    (iam, role), (_, arn) = _role(world), _policy(world)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    return Use(lambda: iam.delete_policy(PolicyArn=arn), lambda: iam.detach_role_policy(RoleName=role, PolicyArn=arn))


@policy_refused("aws_iam_role")
def permissions_boundary(world: World) -> Use:
    iam, arn = _policy(world)
    _, role = _role(world, PermissionsBoundary=arn)
    return Use(lambda: iam.delete_policy(PolicyArn=arn), lambda: iam.delete_role(RoleName=role))


@policy_refused("another version of it")
def policy_with_versions(world: World) -> Use:
    iam, arn = _policy(world)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY, SetAsDefault=True)
    return Use(
        lambda: iam.delete_policy(PolicyArn=arn), lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    )


# --- Containers ------------------------------------------------------------------------------------------------------


@refused("aws_ecs_cluster", "aws_ecs_service", operation="ecs:DeleteCluster", code="ClusterContainsServicesException")
def cluster_with_a_service(world: World) -> Use:
    end, ecs = tasks(world, Network.make(world)), world("ecs")
    (cluster,) = _clusters_with_services(ecs)
    return Use(lambda: ecs.delete_cluster(cluster=cluster), end)


def _clusters_with_services(ecs: Any) -> list[str]:
    active = [one for one in ecs.list_clusters()["clusterArns"] if ecs.list_services(cluster=one)["serviceArns"]]
    return [
        one
        for one in active
        if any(
            service["status"] == "ACTIVE"
            for service in ecs.describe_services(cluster=one, services=ecs.list_services(cluster=one)["serviceArns"])[
                "services"
            ]
        )
    ]


@refused("aws_ecs_service", "its tasks", operation="ecs:DeleteService", code="InvalidParameterException")
def service_with_tasks(world: World) -> Use:
    ecs, name = world("ecs"), world.name()
    ecs.create_cluster(clusterName=name)
    container = {"name": "web", "image": "registry.example.com/web", "memory": 128}
    ecs.register_task_definition(family=name, containerDefinitions=[container])
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=1)
    return Use(
        lambda: ecs.delete_service(cluster=name, service=name),
        lambda: ecs.update_service(cluster=name, service=name, desiredCount=0),
    )


@refused("aws_ecr_repository", "its images", operation="ecr:DeleteRepository", code="RepositoryNotEmptyException")
def repository_with_an_image(world: World) -> Use:
    ecr, name = world("ecr"), world.name()
    ecr.create_repository(repositoryName=name)
    ecr.put_image(repositoryName=name, imageManifest=json.dumps(MANIFEST), imageTag="one")
    images = [{"imageTag": "one"}]
    return Use(
        lambda: ecr.delete_repository(repositoryName=name),
        lambda: ecr.batch_delete_image(repositoryName=name, imageIds=images),
    )


group_refused = partial(refused, "aws_lb_target_group", operation="elbv2:DeleteTargetGroup", code="ResourceInUse")


def _target_group(world: World) -> tuple[Any, str, str]:
    network, elbv2 = Network.make(world), world("elbv2")
    load_balancer(world, network)
    (balancer,) = [
        one["LoadBalancerArn"]
        for one in elbv2.describe_load_balancers()["LoadBalancers"]
        if one["VpcId"] == network.vpc
    ]
    made = elbv2.create_target_group(Name=world.name(), VpcId=network.vpc, Protocol="HTTP", Port=80)
    return elbv2, balancer, made["TargetGroups"][0]["TargetGroupArn"]


@group_refused("aws_lb_listener")
def target_group_of_a_listener(world: World) -> Use:
    elbv2, balancer, group = _target_group(world)
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Listeners"][0]["ListenerArn"]
    return Use(
        lambda: elbv2.delete_target_group(TargetGroupArn=group),
        lambda: elbv2.delete_listener(ListenerArn=listener),
    )


@group_refused("aws_lb_listener_rule")
def target_group_of_weight_0(world: World) -> Use:
    """CodeDeploy leaves the idle group of a pair in the rule, with no weight."""
    elbv2, balancer, group = _target_group(world)
    listener = elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]["ListenerArn"]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 0}]}}
    rule = elbv2.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
        Actions=[forward],
    )["Rules"][0]["RuleArn"]
    return Use(lambda: elbv2.delete_target_group(TargetGroupArn=group), lambda: elbv2.delete_rule(RuleArn=rule))


# --- Databases -------------------------------------------------------------------------------------------------------


@refused(
    "aws_db_subnet_group",
    "aws_rds_cluster",
    "aws_rds_cluster_instance",
    operation="rds:DeleteDBSubnetGroup",
    code="InvalidDBSubnetGroupStateFault",
)
def subnet_group_of_a_cluster(world: World) -> Use:
    network, rds = Network.make(world), world("rds")
    end = database(world, network)
    groups = [
        one["DBSubnetGroupName"]
        for one in rds.describe_db_subnet_groups()["DBSubnetGroups"]
        if network.subnets[0] in {subnet["SubnetIdentifier"] for subnet in one["Subnets"]}
    ]
    return Use(lambda: rds.delete_db_subnet_group(DBSubnetGroupName=groups[0]), end)


def _cluster(rds: Any, name: str, **members: str) -> None:
    rds.create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        MasterUsername="administrator",
        MasterUserPassword="only-for-the-local-aws",
        **members,
    )


def _delete_cluster(rds: Any, name: str) -> object:
    return rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


def _instance(rds: Any, name: str, **members: str) -> None:
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBClusterIdentifier=name,
        Engine="aurora-postgresql",
        DBInstanceClass="db.r8g.large",
        **members,
    )


parameters_refused = partial(refused, code="InvalidDBParameterGroupState")
FAMILY = {"DBParameterGroupFamily": "aurora-postgresql17", "Description": "in use"}


@parameters_refused("aws_rds_cluster_parameter_group", "aws_rds_cluster", operation="rds:DeleteDBClusterParameterGroup")
def parameters_of_a_cluster(world: World) -> Use:
    rds, name = world("rds"), world.name()
    rds.create_db_cluster_parameter_group(DBClusterParameterGroupName=name, **FAMILY)
    _cluster(rds, name, DBClusterParameterGroupName=name)
    return Use(
        lambda: rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=name),
        lambda: _delete_cluster(rds, name),
    )


@parameters_refused("aws_db_parameter_group", "aws_rds_cluster_instance", operation="rds:DeleteDBParameterGroup")
def parameters_of_an_instance(world: World) -> Use:
    rds, name = world("rds"), world.name()
    rds.create_db_parameter_group(DBParameterGroupName=name, **FAMILY)
    _cluster(rds, name)
    _instance(rds, name, DBParameterGroupName=name)
    return Use(
        lambda: rds.delete_db_parameter_group(DBParameterGroupName=name),
        lambda: rds.delete_db_instance(DBInstanceIdentifier=name),
    )


cluster_refused = partial(
    refused, "aws_rds_cluster", operation="rds:DeleteDBCluster", code="InvalidDBClusterStateFault"
)


@cluster_refused("aws_rds_cluster_instance")
def cluster_with_an_instance(world: World) -> Use:
    rds, name = world("rds"), world.name()
    _cluster(rds, name)
    _instance(rds, name)
    return Use(lambda: _delete_cluster(rds, name), lambda: rds.delete_db_instance(DBInstanceIdentifier=name))


def _global(world: World) -> tuple[Any, str, dict[str, str]]:
    rds, name = world("rds"), world.name()
    _cluster(rds, name)
    arn = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["DBClusterArn"]
    rds.create_global_cluster(GlobalClusterIdentifier=name, SourceDBClusterIdentifier=arn)
    return rds, name, {"GlobalClusterIdentifier": name, "DbClusterIdentifier": arn}


@cluster_refused("aws_rds_global_cluster")
def member_of_a_global_cluster(world: World) -> Use:
    rds, name, member = _global(world)
    return Use(lambda: _delete_cluster(rds, name), lambda: rds.remove_from_global_cluster(**member))


@refused(
    "aws_rds_global_cluster",
    "aws_rds_cluster",
    operation="rds:DeleteGlobalCluster",
    code="InvalidGlobalClusterStateFault",
)
def global_cluster_with_a_member(world: World) -> Use:
    rds, name, member = _global(world)
    return Use(
        lambda: rds.delete_global_cluster(GlobalClusterIdentifier=name),
        lambda: rds.remove_from_global_cluster(**member),
    )
