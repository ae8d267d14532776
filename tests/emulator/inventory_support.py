"""One of each kind of resource that a finder of leftovers knows."""

from __future__ import annotations

from collections.abc import Callable

from emulator.finders import GLOBAL, REGIONAL
from tests.emulator.inventory_of_edge import make_address_list, make_edge, make_firewall, make_zone
from tests.emulator.release_support import zipped
from tests.emulator.support import Client

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}]}'


def make_everything(client: Callable[..., Client]) -> set[tuple[str, str, str]]:
    """One of each kind, in us-west-2 where it has a region: region, kind and id."""
    ec2 = client("ec2", "us-west-2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="g")["GroupId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-west-2.s3")["VpcEndpoint"]
    other = client("ec2", "us-east-2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    peering = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other, PeerRegion="us-east-2")
    interface = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [subnet]}])
    logs = client("logs", "us-west-2")
    logs.create_log_group(logGroupName="group")
    role = client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    flow_log = ec2.create_flow_logs(
        ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogGroupName="group", DeliverLogsPermissionArn=role
    )["FlowLogIds"][0]
    client("iam").create_policy(PolicyName="policy", PolicyDocument=POLICY)
    provider = client("iam").create_open_id_connect_provider(Url="https://idp.example.com", ClientIDList=["clients"])
    kms = client("kms", "us-west-2")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/own", TargetKeyId=key)
    sns = client("sns", "us-west-2")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com", ReturnSubscriptionArn=True)
    cloudwatch = client("cloudwatch", "us-west-2")
    cloudwatch.put_metric_alarm(
        AlarmName="alarm", ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=1,
        MetricName="m", Namespace="n", Period=60, Statistic="Sum",
    )  # fmt: skip
    cloudwatch.put_composite_alarm(AlarmName="composite", AlarmRule="ALARM(alarm)")
    cloudwatch.put_dashboard(DashboardName="board", DashboardBody='{"widgets": []}')
    served = make_services(client, subnet, vpc)
    own = ("ELB " + served["load balancer"].partition("loadbalancer/")[2], "RDSNetworkInterface")
    filters = [{"Name": "description", "Values": own}]
    of_services = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    regional = {
        "vpc": vpc,
        "subnet": subnet,
        "route table": table,
        "network acl": acl,
        "security group": group,
        "internet gateway": gateway,
        "elastic ip": address,
        "nat gateway": nat,
        "vpc endpoint": endpoint["VpcEndpointId"],
        "peering connection": peering["VpcPeeringConnection"]["VpcPeeringConnectionId"],
        "network interface": interface["NetworkInterfaces"][0]["NetworkInterfaceId"],
        "flow log": flow_log,
        "kms key": key,
        "kms alias": "alias/own",
        "log group": "group",
        "topic": topic,
        "subscription": subscription["SubscriptionArn"],
        "alarm": "alarm",
        "composite alarm": "composite",
        **served,
    }
    assert regional.keys() == REGIONAL.keys()
    without_region = {
        "bucket": "a-bucket",
        "role": "role",
        "policy": "policy",
        "identity provider": provider["OpenIDConnectProviderArn"],
        **make_zone(client("route53")),
        "dashboard": "board",
        "global database": make_global_database(client),
        **make_edge(client),
        **make_of_account(client),
    }
    assert without_region.keys() == GLOBAL.keys()
    return {
        *(("us-west-2", kind, identifier) for kind, identifier in regional.items()),
        *(("global", kind, identifier) for kind, identifier in without_region.items()),
        *(("us-west-2", "network interface", one["NetworkInterfaceId"]) for one in of_services),
        ("us-west-2", "database snapshot", snapshot_by_rds(client)),
        ("us-east-1", "firewall address list", make_address_list(client("wafv2", "us-east-1"), "CLOUDFRONT")),
        ("us-east-2", "vpc", other),
        ("us-east-2", "peering connection", regional["peering connection"]),
    }


def make_services(client: Callable[..., Client], subnet: str, vpc: str) -> dict[str, str]:
    """One of each kind that serves, releases or scales: kind and id."""
    ecr, ecs, elbv2 = client("ecr", "us-west-2"), client("ecs", "us-west-2"), client("elbv2", "us-west-2")
    ecr.create_repository(repositoryName="repository")
    destination = {"region": "us-east-1", "registryId": "123456789012"}
    ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [destination]}]})
    load_balancer = elbv2.create_load_balancer(Name="balancer", Subnets=[subnet], Type="network")["LoadBalancers"][0]
    group = elbv2.create_target_group(Name="group", VpcId=vpc, Protocol="TCP", Port=80)["TargetGroups"][0]
    forward = [{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}]
    listener = elbv2.create_listener(
        LoadBalancerArn=load_balancer["LoadBalancerArn"], Protocol="TCP", Port=80, DefaultActions=forward
    )["Listeners"][0]["ListenerArn"]
    path = {"Field": "path-pattern", "Values": ["/*"]}
    rule = elbv2.create_rule(ListenerArn=listener, Priority=1, Conditions=[path], Actions=forward)["Rules"][0]
    cluster = ecs.create_cluster(clusterName="cluster")["cluster"]["clusterArn"]
    container = {"name": "web", "image": "registry.example.com/web", "memory": 128}
    definition = ecs.register_task_definition(family="family", containerDefinitions=[container])["taskDefinition"]
    service = ecs.create_service(cluster="cluster", serviceName="service", taskDefinition="family", desiredCount=1)
    codedeploy = client("codedeploy", "us-west-2")
    codedeploy.create_application(applicationName="application", computePlatform="Server")
    codedeploy.create_deployment_group(
        applicationName="application", deploymentGroupName="group", serviceRoleArn="arn:aws:iam::123456789012:role/role"
    )
    codedeploy.create_deployment_config(deploymentConfigName="configuration")
    role = "arn:aws:iam::123456789012:role/role"
    client("lambda", "us-west-2").create_function(
        FunctionName="function", Runtime="python3.13", Handler="handler.handle", Role=role, Code={"ZipFile": zipped("")}
    )
    client("secretsmanager", "us-west-2").create_secret(Name="secret", SecretString="s")
    return {
        "repository": "repository",
        "image replication": "123456789012",
        "cluster": cluster,
        "service": service["service"]["serviceArn"],
        "task definition": definition["taskDefinitionArn"],
        "load balancer": load_balancer["LoadBalancerArn"],
        "listener": listener,
        "listener rule": rule["RuleArn"],
        "target group": group["TargetGroupArn"],
        "certificate": client("acm", "us-west-2").request_certificate(DomainName="example.com")["CertificateArn"],
        "codedeploy application": "application",
        "deployment group": "application/group",
        "deployment configuration": "configuration",
        "queue": client("sqs", "us-west-2").create_queue(QueueName="queue")["QueueUrl"],
        "function": "function",
        "secret": "secret",
        **make_scaling(client),
        **make_backups(client),
        **make_database(client, subnet),
        **make_firewall(client("wafv2", "us-west-2")),
        **make_log_delivery(client("logs", "us-west-2")),
        **make_audit(client),
    }


def make_audit(client: Callable[..., Client]) -> dict[str, str]:
    """One of each kind that watches an account in a region: kind and id."""
    client("s3", "us-west-2").create_bucket(
        Bucket="a-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    trail = client("cloudtrail", "us-west-2").create_trail(
        Name="trail", S3BucketName="a-bucket", IsMultiRegionTrail=True
    )
    config = client("config", "us-west-2")
    config.put_configuration_recorder(
        ConfigurationRecorder={"name": "recorder", "roleARN": "arn:aws:iam::123456789012:role/role"}
    )
    config.put_delivery_channel(DeliveryChannel={"name": "channel", "s3BucketName": "a-bucket"})
    source = {"Owner": "AWS", "SourceIdentifier": "RDS_STORAGE_ENCRYPTED"}
    config.put_config_rule(ConfigRule={"ConfigRuleName": "rule", "Source": source})
    client("securityhub", "us-west-2").enable_security_hub()
    analyzers = client("accessanalyzer", "us-west-2")
    return {
        "trail": trail["TrailARN"],
        "threat detector": client("guardduty", "us-west-2").create_detector(Enable=True)["DetectorId"],
        "configuration recorder": "recorder",
        "configuration channel": "channel",
        "configuration rule": "rule",
        "security hub": "arn:aws:securityhub:us-west-2:123456789012:hub/default",
        "access analyzer": analyzers.create_analyzer(analyzerName="analyzer", type="ACCOUNT")["arn"],
    }


def make_of_account(client: Callable[..., Client]) -> dict[str, str]:
    """One of each kind that an account has without a region: kind and id."""
    account = "123456789012"
    client("s3control").put_public_access_block(
        AccountId=account, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
    )
    limit = {"Amount": "1", "Unit": "USD"}
    budget = {"BudgetName": "budget", "BudgetLimit": limit, "TimeUnit": "MONTHLY", "BudgetType": "COST"}
    client("budgets", "us-east-1").create_budget(AccountId=account, Budget=budget)
    return {"account's public access block": account, "budget": "budget"}


def make_database(client: Callable[..., Client], subnet: str) -> dict[str, str]:
    """One of each kind that databases have in a region, beside the snapshot that RDS takes: kind and id."""
    rds = client("rds", "us-west-2")
    rds.create_db_subnet_group(
        DBSubnetGroupName="subnets", DBSubnetGroupDescription="of the database", SubnetIds=[subnet]
    )
    described = {"DBParameterGroupFamily": "aurora-postgresql17", "Description": "of the database"}
    rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="of-cluster", **described)
    rds.create_db_parameter_group(DBParameterGroupName="of-instance", **described)
    rds.create_db_cluster(
        DBClusterIdentifier="database",
        Engine="aurora-postgresql",
        MasterUsername="administrator",
        MasterUserPassword="only-for-the-local-aws",
        DBSubnetGroupName="subnets",
        DBClusterParameterGroupName="of-cluster",
    )
    rds.create_db_instance(
        DBInstanceIdentifier="instance",
        DBClusterIdentifier="database",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r8g.large",
        DBParameterGroupName="of-instance",
    )
    rds.create_db_cluster_snapshot(DBClusterIdentifier="database", DBClusterSnapshotIdentifier="snapshot")
    return {
        "database cluster": "database",
        "database instance": "instance",
        "database snapshot": "snapshot",
        "database subnets": "subnets",
        "cluster parameters": "of-cluster",
        "instance parameters": "of-instance",
    }


def snapshot_by_rds(client: Callable[..., Client]) -> str:
    """Id of the snapshot that RDS took of the cluster by itself."""
    snapshots = client("rds", "us-west-2").describe_db_cluster_snapshots(SnapshotType="automated")
    (snapshot,) = snapshots["DBClusterSnapshots"]
    return str(snapshot["DBClusterSnapshotIdentifier"])


def make_global_database(client: Callable[..., Client]) -> str:
    """A global database without clusters: its id."""
    rds = client("rds", "us-west-2")
    rds.create_global_cluster(GlobalClusterIdentifier="everywhere", Engine="aurora-postgresql")
    return "everywhere"


def make_log_delivery(logs: Client) -> dict[str, str]:
    """One of each kind that delivers logs of AWS itself: kind and id."""
    # CloudFront's logs are delivered from us-east-1 alone, so this is a source that has a region.
    source = "arn:aws:bedrock:us-west-2:123456789012:knowledge-base/EXAMPLE"
    logs.put_delivery_source(name="source", resourceArn=source, logType="APPLICATION_LOGS")
    group = "arn:aws:logs:us-west-2:123456789012:log-group:group"
    destination = logs.put_delivery_destination(
        name="destination", deliveryDestinationConfiguration={"destinationResourceArn": group}
    )["deliveryDestination"]
    delivery = logs.create_delivery(deliverySourceName="source", deliveryDestinationArn=destination["arn"])
    return {
        "log delivery": delivery["delivery"]["id"],
        "log delivery source": "source",
        "log delivery destination": "destination",
    }


def make_backups(client: Callable[..., Client]) -> dict[str, str]:
    """One of each kind that backs up, tests backups or reacts to events: kind and id."""
    backup = client("backup", "us-west-2")
    backup.create_backup_vault(BackupVaultName="vault")
    rule = {"RuleName": "daily", "TargetBackupVaultName": "vault"}
    backup.create_backup_plan(BackupPlan={"BackupPlanName": "plan", "Rules": [rule]})
    points = {"Algorithm": "LATEST_WITHIN_WINDOW", "IncludeVaults": ["*"], "RecoveryPointTypes": ["SNAPSHOT"]}
    plan = {"RestoreTestingPlanName": "test", "ScheduleExpression": "rate(1 day)", "RecoveryPointSelection": points}
    backup.create_restore_testing_plan(RestoreTestingPlan=plan)
    role = "arn:aws:iam::123456789012:role/role"
    database = "arn:aws:rds:us-west-2:123456789012:cluster:database"
    point = backup.start_backup_job(BackupVaultName="vault", ResourceArn=database, IamRoleArn=role)
    client("events", "us-west-2").put_rule(Name="rule", ScheduleExpression="rate(1 day)")
    definition = '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}'
    client("stepfunctions", "us-west-2").create_state_machine(name="workflow", definition=definition, roleArn=role)
    return {
        "backup vault": "vault",
        "recovery point": point["RecoveryPointArn"],
        "backup plan": "plan",
        "restore test": "test",
        "event rule": "rule",
        "workflow": "workflow",
    }


def make_scaling(client: Callable[..., Client]) -> dict[str, str]:
    """One of each kind that scales the service: kind and id."""
    scaling = client("application-autoscaling", "us-west-2")
    named = {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": "service/cluster/service",
    }
    target = scaling.register_scalable_target(**named, MinCapacity=1, MaxCapacity=2)["ScalableTargetARN"]
    step = {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    }
    policy = scaling.put_scaling_policy(
        **named, PolicyName="policy", PolicyType="StepScaling", StepScalingPolicyConfiguration=step
    )
    scaling.put_scheduled_action(
        **named,
        ScheduledActionName="action",
        Schedule="cron(0 0 * * ? *)",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )
    action = scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"][0]
    return {
        "scalable target": target,
        "scaling policy": policy["PolicyARN"],
        "scheduled action": action["ScheduledActionARN"],
    }
