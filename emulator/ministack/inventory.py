"""Remaining resources in the payment API's local AWS, to prove that a destruction left nothing (P6.4).

Read from each service's own API, in both regions. Prerequisites and resources of the CDK's bootstrap do not count, nor
do customer-managed keys that are pending deletion and terminated instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emulator.ministack import existing
from emulator.ministack.process import client
from payment_api.settings import Settings

BOOTSTRAP = "cdk-hnb659fds-"


@dataclass(frozen=True)
class Kind:
    """A kind of resource: how to list the ids of all there are."""

    name: str
    service: str
    ids: Callable[[Any], Iterator[str]]


def _listed(operation: str, key: str, id_: str, **parameters: Any) -> Callable[[Any], Iterator[str]]:
    def ids(client: Any) -> Iterator[str]:
        yield from (one[id_] if id_ else one for one in getattr(client, operation)(**parameters).get(key, []))

    return ids


def _instances(client: Any) -> Iterator[str]:
    for reservation in client.describe_instances()["Reservations"]:
        yield from (one["InstanceId"] for one in reservation["Instances"] if one["State"]["Name"] != "terminated")


def _endpoints(client: Any) -> Iterator[str]:
    yield from (one["VpcEndpointId"] for one in client.describe_vpc_endpoints()["VpcEndpoints"] if _is_there(one))


def _is_there(endpoint: Any) -> bool:
    return str(endpoint.get("State", "")).lower() not in {"deleting", "deleted"}


def _clusters(client: Any) -> Iterator[str]:
    """Those that are active: a deleted one can be described for a while.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
    """
    for one in client.describe_clusters(clusters=client.list_clusters()["clusterArns"])["clusters"]:
        if one["status"] != "INACTIVE":
            yield one["clusterArn"]


def _vpcs(client: Any) -> Iterator[str]:
    yield from (one["VpcId"] for one in client.describe_vpcs()["Vpcs"] if not one.get("IsDefault"))


def _of_own_vpcs(operation: str, key: str, id_: str) -> Callable[[Any], Iterator[str]]:
    def ids(client: Any) -> Iterator[str]:
        default = {one["VpcId"] for one in client.describe_vpcs()["Vpcs"] if one.get("IsDefault")}
        yield from (one[id_] for one in getattr(client, operation)()[key] if one["VpcId"] not in default)

    return ids


def _keys(client: Any) -> Iterator[str]:
    aliases = client.list_aliases(Limit=100)["Aliases"]
    of_bootstrap = {one["TargetKeyId"] for one in aliases if one["AliasName"].startswith("alias/cdk-")}
    for key in client.list_keys()["Keys"]:
        if key["KeyId"] in of_bootstrap:
            continue
        metadata = client.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if metadata["KeyState"] != "PendingDeletion" and metadata.get("KeyManager") != "AWS":
            yield metadata["Arn"]


KINDS = (
    Kind("VPC", "ec2", _vpcs),
    Kind("subnet", "ec2", _of_own_vpcs("describe_subnets", "Subnets", "SubnetId")),
    Kind("route table", "ec2", _of_own_vpcs("describe_route_tables", "RouteTables", "RouteTableId")),
    Kind("security group", "ec2", _of_own_vpcs("describe_security_groups", "SecurityGroups", "GroupId")),
    Kind("instance", "ec2", _instances),
    Kind("address", "ec2", _listed("describe_addresses", "Addresses", "AllocationId")),
    Kind("endpoint", "ec2", _endpoints),
    Kind("flow log", "ec2", _listed("describe_flow_logs", "FlowLogs", "FlowLogId")),
    Kind("bucket", "s3", _listed("list_buckets", "Buckets", "Name")),
    Kind("key", "kms", _keys),
    Kind("alias", "kms", _listed("list_aliases", "Aliases", "AliasName")),
    Kind("log group", "logs", _listed("describe_log_groups", "logGroups", "logGroupName")),
    Kind("role", "iam", _listed("list_roles", "Roles", "RoleName")),
    Kind("policy", "iam", _listed("list_policies", "Policies", "PolicyName", Scope="Local")),
    Kind("instance profile", "iam", _listed("list_instance_profiles", "InstanceProfiles", "InstanceProfileName")),
    Kind("function", "lambda", _listed("list_functions", "Functions", "FunctionName")),
    Kind("event source", "lambda", _listed("list_event_source_mappings", "EventSourceMappings", "UUID")),
    Kind("queue", "sqs", _listed("list_queues", "QueueUrls", "")),
    Kind("topic", "sns", _listed("list_topics", "Topics", "TopicArn")),
    Kind("database cluster", "rds", _listed("describe_db_clusters", "DBClusters", "DBClusterIdentifier")),
    Kind("database instance", "rds", _listed("describe_db_instances", "DBInstances", "DBInstanceIdentifier")),
    Kind("load balancer", "elbv2", _listed("describe_load_balancers", "LoadBalancers", "LoadBalancerName")),
    Kind("target group", "elbv2", _listed("describe_target_groups", "TargetGroups", "TargetGroupName")),
    Kind("ECS cluster", "ecs", _clusters),
    Kind("API", "apigateway", _listed("get_rest_apis", "items", "name")),
    Kind("API key", "apigateway", _listed("get_api_keys", "items", "name")),
    Kind("API domain", "apigateway", _listed("get_domain_names", "items", "domainName")),
    Kind("web ACL", "wafv2", _listed("list_web_acls", "WebACLs", "Name", Scope="REGIONAL")),
    Kind("rule group", "wafv2", _listed("list_rule_groups", "RuleGroups", "Name", Scope="REGIONAL")),
    Kind("alarm", "cloudwatch", _listed("describe_alarms", "MetricAlarms", "AlarmName")),
    Kind("dashboard", "cloudwatch", _listed("list_dashboards", "DashboardEntries", "DashboardName")),
    Kind("trail", "cloudtrail", _listed("describe_trails", "trailList", "Name")),
    Kind("table", "dynamodb", _listed("list_tables", "TableNames", "")),
    Kind("rule", "events", _listed("list_rules", "Rules", "Name")),
    Kind("certificate", "acm", _listed("list_certificates", "CertificateSummaryList", "CertificateArn")),
    Kind("secret", "secretsmanager", _listed("list_secrets", "SecretList", "Name")),
)


def leftovers(url: str, settings: Settings) -> list[str]:
    """Region, kind and id of everything that is left, in words."""
    before = {
        settings.gateway.trust_store_bucket,
        settings.domain.certificate_arn,
        settings.secrets.key_arn,
        *existing.secret_names(settings),
    }
    found = []
    for region in (settings.region, settings.replica_region):
        for kind in KINDS:
            ids = kind.ids(client(kind.service, url, region))
            found += [f"{region} {kind.name} {id_}" for id_ in ids if id_ not in before and _counts(id_)]
    return found


def _counts(id_: str) -> bool:
    """Whether neither the CDK's bootstrap nor AWS created it."""
    return not id_.startswith((BOOTSTRAP, "alias/aws/", "alias/cdk-")) and "AWSServiceRole" not in id_
