"""What still exists in the local AWS: the proof that a destroy left nothing.

Excluded is what AWS itself puts into every account: the default VPC of each region with its parts, and roles and keys
of AWS. A key or secret that is scheduled for deletion counts as gone: AWS deletes it later, and never at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.config import Config

from emulator.address import environment

REGIONS = ("us-east-2", "us-west-2", "us-east-1")
GLOBAL_REGION = "us-east-1"

Clients = Callable[[str], Any]
Finder = Callable[[Clients], Iterable[str]]


@dataclass(frozen=True, order=True)
class Leftover:
    """A thing that still exists: its region ("global" for what has none), its kind and its id, name or ARN."""

    region: str
    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.region})"


def leftovers(
    url: str, *, state_bucket: str | None = None, except_for: Collection[str] = (), regions: Iterable[str] = REGIONS
) -> list[Leftover]:
    """Everything that still exists in the local AWS at ``url``, sorted.

    Args:
        url: of the local AWS.
        state_bucket: may remain, with the key that encrypts it and the aliases of that key.
        except_for: ids, names or ARNs of other things that may remain.
        regions: where to look.
    """
    found = [leftover for region in regions for leftover in _find(region, REGIONAL, _clients(url, region))]
    found += _find("global", GLOBAL, _clients(url, GLOBAL_REGION))
    expected = {
        *except_for,
        *(_of_state_bucket(_clients(url, GLOBAL_REGION), url, state_bucket) if state_bucket else ()),
    }
    return sorted(leftover for leftover in found if leftover.id not in expected)


def _find(region: str, finders: Mapping[str, Finder], clients: Clients) -> Iterator[Leftover]:
    for kind, find in finders.items():
        for identifier in find(clients):
            yield Leftover(region, kind, identifier)


def _of_state_bucket(clients: Clients, url: str, bucket: str) -> Iterator[str]:
    """The state bucket, the key that encrypts it, and the aliases of that key."""
    yield bucket
    s3 = clients("s3")
    if bucket not in {entry["Name"] for entry in s3.list_buckets()["Buckets"]}:
        return
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    key = rules[0]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")
    if key:
        # An ARN names its region; an id or alias is of the bucket's.
        region = key.split(":")[3] if ":" in key else s3.head_bucket(Bucket=bucket)["BucketRegion"]
        kms = _clients(url, region)("kms")
        key_id = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyId"]
        yield key_id
        yield from (alias["AliasName"] for alias in kms.list_aliases(KeyId=key_id)["Aliases"])


@functools.cache
def _session() -> botocore.session.Session:
    # One for all clients: it holds the models, of which EC2's takes most of a second to load.
    variables = environment("")
    session = botocore.session.get_session()
    session.set_credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    return session


def _clients(url: str, region: str) -> Clients:
    session = _session()
    # No proxy of the person who runs this, but the local AWS itself: the host of S3 Control begins with the account,
    # which no resolver knows. No retries: a local AWS that fails once fails again.
    config = Config(proxies={"http": url}, retries={"total_max_attempts": 1})
    return functools.cache(lambda service: session.create_client(service, region, endpoint_url=url, config=config))


def _pages(clients: Clients, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    client = clients(service)
    if not client.can_paginate(operation):
        yield from getattr(client, operation)(**parameters)[key]
        return
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(key, [])


def _all(service: str, operation: str, key: str, id_key: str, **parameters: Any) -> Finder:
    """Everything that ``operation`` lists under ``key``, by its ``id_key``."""
    return lambda clients: (item[id_key] for item in _pages(clients, service, operation, key, **parameters))


def _default_vpcs(clients: Clients) -> set[str]:
    return {vpc["VpcId"] for vpc in _pages(clients, "ec2", "describe_vpcs", "Vpcs") if vpc["IsDefault"]}


def _outside_default_vpcs(operation: str, key: str, id_key: str, is_own_default: Callable[[Any], bool]) -> Finder:
    """What stands in a VPC that is no default one, without what every VPC has and takes along when it is deleted."""

    def find(clients: Clients) -> Iterator[str]:
        default = _default_vpcs(clients)
        for item in _pages(clients, "ec2", operation, key):
            if item["VpcId"] not in default and not is_own_default(item):
                yield item[id_key]

    return find


def _never(_item: Any) -> bool:
    return False


def _is_main(route_table: Any) -> bool:
    return any(association.get("Main") for association in route_table["Associations"])


def _vpcs(clients: Clients) -> Iterator[str]:
    return (vpc["VpcId"] for vpc in _pages(clients, "ec2", "describe_vpcs", "Vpcs") if not vpc["IsDefault"])


def _internet_gateways(clients: Clients) -> Iterator[str]:
    default = _default_vpcs(clients)
    for gateway in _pages(clients, "ec2", "describe_internet_gateways", "InternetGateways"):
        if not any(attachment["VpcId"] in default for attachment in gateway["Attachments"]):
            yield gateway["InternetGatewayId"]


def _in_state(operation: str, key: str, id_key: str, state: Callable[[Any], str], gone: Collection[str]) -> Finder:
    """EC2 things that stay visible for a while in a state that says they are gone."""

    def find(clients: Clients) -> Iterator[str]:
        return (item[id_key] for item in _pages(clients, "ec2", operation, key) if state(item) not in gone)

    return find


def _keys(clients: Clients) -> Iterator[str]:
    for key in _pages(clients, "kms", "list_keys", "Keys"):
        metadata = clients("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if metadata["KeyManager"] == "CUSTOMER" and metadata["KeyState"] != "PendingDeletion":
            yield metadata["KeyId"]


def _aliases(clients: Clients) -> Iterator[str]:
    names = (alias["AliasName"] for alias in _pages(clients, "kms", "list_aliases", "Aliases"))
    return (name for name in names if not name.startswith("alias/aws/"))


def _clusters(clients: Clients) -> list[str]:
    ecs = clients("ecs")
    arns = list(_pages(clients, "ecs", "list_clusters", "clusterArns"))
    clusters = ecs.describe_clusters(clusters=arns)["clusters"] if arns else []
    return [cluster["clusterArn"] for cluster in clusters if cluster["status"] != "INACTIVE"]


def _services(clients: Clients) -> Iterator[str]:
    for cluster in _clusters(clients):
        for arn in _pages(clients, "ecs", "list_services", "serviceArns", cluster=cluster):
            (service,) = clients("ecs").describe_services(cluster=cluster, services=[arn])["services"]
            if service["status"] != "INACTIVE":
                yield service["serviceArn"]


def _listeners(clients: Clients) -> Iterator[str]:
    for load_balancer in _pages(clients, "elbv2", "describe_load_balancers", "LoadBalancers"):
        arn = load_balancer["LoadBalancerArn"]
        for listener in _pages(clients, "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn):
            yield listener["ListenerArn"]


def _rules(clients: Clients) -> Iterator[str]:
    for listener in _listeners(clients):
        for rule in _pages(clients, "elbv2", "describe_rules", "Rules", ListenerArn=listener):
            if not rule["IsDefault"]:
                yield rule["RuleArn"]


def _deployment_groups(clients: Clients) -> Iterator[str]:
    for application in _pages(clients, "codedeploy", "list_applications", "applications"):
        groups = _pages(
            clients, "codedeploy", "list_deployment_groups", "deploymentGroups", applicationName=application
        )
        yield from (f"{application}/{group}" for group in groups)


def _deployment_configs(clients: Clients) -> Iterator[str]:
    names = _pages(clients, "codedeploy", "list_deployment_configs", "deploymentConfigsList")
    return (name for name in names if not name.startswith("CodeDeployDefault."))


def _scaling(operation: str, key: str, id_key: str) -> Finder:
    finders = [
        _all("application-autoscaling", operation, key, id_key, ServiceNamespace=namespace)
        for namespace in ("ecs", "rds")
    ]
    return lambda clients: (found for find in finders for found in find(clients))


def _own_parameter_groups(operation: str, key: str, id_key: str) -> Finder:
    """Those of AWS begin with "default."."""
    find = _all("rds", operation, key, id_key)
    return lambda clients: (name for name in find(clients) if not name.startswith("default."))


def _ecr_replication(clients: Clients) -> Iterator[str]:
    registry = clients("ecr").describe_registry()
    if registry["replicationConfiguration"]["rules"]:
        yield registry["registryId"]


def _secrets(clients: Clients) -> Iterator[str]:
    secrets = _pages(clients, "secretsmanager", "list_secrets", "SecretList")
    return (secret["Name"] for secret in secrets if "DeletedDate" not in secret)


def _names(service: str, operation: str, key: str) -> Finder:
    """Everything that ``operation`` lists under ``key``, where it lists names or ARNs alone."""
    return lambda clients: _pages(clients, service, operation, key)


def _roles(clients: Clients) -> Iterator[str]:
    roles = _pages(clients, "iam", "list_roles", "Roles")
    return (role["RoleName"] for role in roles if not role["Path"].startswith("/aws-service-role/"))


def _of_firewall(operation: str, key: str) -> Finder:
    """What the firewall has of a kind: in a region, and in us-east-1 for CloudFront."""

    def find(clients: Clients) -> Iterator[str]:
        for scope in ("REGIONAL", "CLOUDFRONT"):
            if scope == "CLOUDFRONT" and clients("wafv2").meta.region_name != GLOBAL_REGION:
                continue
            yield from (item["ARN"] for item in getattr(clients("wafv2"), operation)(Scope=scope)[key])

    return find


def _of_cloudfront(operation: str, list_key: str, identify: Callable[[Any], str], **parameters: Any) -> Finder:
    """What CloudFront has of a kind: its lists lie one level deeper than those of others."""

    def find(clients: Clients) -> Iterator[str]:
        listed = getattr(clients("cloudfront"), operation)(**parameters)[list_key]
        return (identify(item) for item in listed.get("Items") or [])

    return find


def _cloudfront_policies(kind: str, plural: str) -> Finder:
    operation = f"list_{plural}"
    return _of_cloudfront(operation, f"{kind}List", lambda item: str(item[kind]["Id"]), Type="custom")


def _hub(clients: Clients) -> Iterator[str]:
    """Security Hub, which refuses every question where it is not enabled."""
    client = clients("securityhub")
    try:
        yield client.describe_hub()["HubArn"]
    except client.exceptions.InvalidAccessException:
        return


def _account_access_block(clients: Clients) -> Iterator[str]:
    account = clients("sts").get_caller_identity()["Account"]
    client = clients("s3control")
    try:
        client.get_public_access_block(AccountId=account)
    except client.exceptions.NoSuchPublicAccessBlockConfiguration:
        return
    yield account


def _budgets(clients: Clients) -> Iterator[str]:
    account = clients("sts").get_caller_identity()["Account"]
    return (one["BudgetName"] for one in _pages(clients, "budgets", "describe_budgets", "Budgets", AccountId=account))


REGIONAL: dict[str, Finder] = {
    "vpc": _vpcs,
    "subnet": _outside_default_vpcs("describe_subnets", "Subnets", "SubnetId", _never),
    "route table": _outside_default_vpcs("describe_route_tables", "RouteTables", "RouteTableId", _is_main),
    "network acl": _outside_default_vpcs(
        "describe_network_acls", "NetworkAcls", "NetworkAclId", lambda acl: bool(acl["IsDefault"])
    ),
    "security group": _outside_default_vpcs(
        "describe_security_groups", "SecurityGroups", "GroupId", lambda group: group["GroupName"] == "default"
    ),
    "internet gateway": _internet_gateways,
    "elastic ip": _all("ec2", "describe_addresses", "Addresses", "AllocationId"),
    "nat gateway": _in_state(
        "describe_nat_gateways", "NatGateways", "NatGatewayId", lambda gateway: str(gateway["State"]), ("deleted",)
    ),
    "vpc endpoint": _in_state(
        "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", lambda endpoint: str(endpoint["State"]), ("deleted",)
    ),
    "peering connection": _in_state(
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        "VpcPeeringConnectionId",
        lambda connection: str(connection["Status"]["Code"]),
        ("deleted", "rejected", "expired", "failed"),
    ),
    "network interface": _outside_default_vpcs(
        "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", _never
    ),
    "flow log": _all("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    "kms key": _keys,
    "kms alias": _aliases,
    "log group": _all("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "topic": _all("sns", "list_topics", "Topics", "TopicArn"),
    "subscription": _all("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    "alarm": _all("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", AlarmTypes=["MetricAlarm"]),
    "composite alarm": _all(
        "cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmName", AlarmTypes=["CompositeAlarm"]
    ),
    "repository": _all("ecr", "describe_repositories", "repositories", "repositoryName"),
    "image replication": _ecr_replication,
    "cluster": _clusters,
    "service": _services,
    "task definition": _names("ecs", "list_task_definitions", "taskDefinitionArns"),
    "load balancer": _all("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    "listener": _listeners,
    "listener rule": _rules,
    "target group": _all("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    "certificate": _all("acm", "list_certificates", "CertificateSummaryList", "CertificateArn"),
    "codedeploy application": _names("codedeploy", "list_applications", "applications"),
    "deployment group": _deployment_groups,
    "deployment configuration": _deployment_configs,
    "scalable target": _scaling("describe_scalable_targets", "ScalableTargets", "ScalableTargetARN"),
    "scaling policy": _scaling("describe_scaling_policies", "ScalingPolicies", "PolicyARN"),
    "scheduled action": _scaling("describe_scheduled_actions", "ScheduledActions", "ScheduledActionARN"),
    "database cluster": _all("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    "database instance": _all("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    "database snapshot": _all(
        "rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier"
    ),
    "database subnets": _all("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    "cluster parameters": _own_parameter_groups(
        "describe_db_cluster_parameter_groups", "DBClusterParameterGroups", "DBClusterParameterGroupName"
    ),
    "instance parameters": _own_parameter_groups(
        "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"
    ),
    "queue": _names("sqs", "list_queues", "QueueUrls"),
    "function": _all("lambda", "list_functions", "Functions", "FunctionName"),
    "secret": _secrets,
    "backup vault": _all("backup", "list_backup_vaults", "BackupVaultList", "BackupVaultName"),
    "backup plan": _all("backup", "list_backup_plans", "BackupPlansList", "BackupPlanName"),
    "restore test": _all("backup", "list_restore_testing_plans", "RestoreTestingPlans", "RestoreTestingPlanName"),
    "event rule": _all("events", "list_rules", "Rules", "Name"),
    "workflow": _all("stepfunctions", "list_state_machines", "stateMachines", "name"),
    "web acl": _of_firewall("list_web_acls", "WebACLs"),
    "firewall rule group": _of_firewall("list_rule_groups", "RuleGroups"),
    "firewall address list": _of_firewall("list_ip_sets", "IPSets"),
    "trail": lambda clients: (
        one["TrailARN"]
        for one in _pages(clients, "cloudtrail", "list_trails", "Trails")
        if one["HomeRegion"] == clients("cloudtrail").meta.region_name
    ),
    "threat detector": _names("guardduty", "list_detectors", "DetectorIds"),
    "configuration recorder": _all("config", "describe_configuration_recorders", "ConfigurationRecorders", "name"),
    "configuration channel": _all("config", "describe_delivery_channels", "DeliveryChannels", "name"),
    "configuration rule": _all("config", "describe_config_rules", "ConfigRules", "ConfigRuleName"),
    "security hub": _hub,
    "access analyzer": _all("accessanalyzer", "list_analyzers", "analyzers", "arn"),
    "log delivery": _all("logs", "describe_deliveries", "deliveries", "id"),
    "log delivery source": _all("logs", "describe_delivery_sources", "deliverySources", "name"),
    "log delivery destination": _all("logs", "describe_delivery_destinations", "deliveryDestinations", "name"),
}
"""What to look for in every region; it grows with the stack."""

GLOBAL: dict[str, Finder] = {
    "bucket": _all("s3", "list_buckets", "Buckets", "Name"),
    "role": _roles,
    "policy": _all("iam", "list_policies", "Policies", "PolicyName", Scope="Local"),
    "identity provider": _all("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    "global database": _all("rds", "describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier"),
    "distribution": _of_cloudfront("list_distributions", "DistributionList", lambda item: str(item["Id"])),
    "origin access control": _of_cloudfront(
        "list_origin_access_controls", "OriginAccessControlList", lambda item: str(item["Id"])
    ),
    "cloudfront function": _of_cloudfront("list_functions", "FunctionList", lambda item: str(item["Name"])),
    "cache policy": _cloudfront_policies("CachePolicy", "cache_policies"),
    "origin request policy": _cloudfront_policies("OriginRequestPolicy", "origin_request_policies"),
    "response headers policy": _cloudfront_policies("ResponseHeadersPolicy", "response_headers_policies"),
    "dashboard": _all("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "health check": _all("route53", "list_health_checks", "HealthChecks", "Id"),
    "hosted zone": _all("route53", "list_hosted_zones", "HostedZones", "Id"),
    "account's public access block": _account_access_block,
    "budget": _budgets,
}
"""What to look for once: S3 lists the buckets of all regions, and IAM has no region."""
