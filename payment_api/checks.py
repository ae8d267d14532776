"""cdk-nag's packs as a gate of every synthesis (P6.3), and acknowledged findings, each with its reason.

An error finding without an acknowledgement fails the synthesis, and with it every diff and deployment. An
acknowledgement without a finding fails a test (tests/payment_api/test_checks.py): it would hide a later finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aws_cdk import Acknowledgment, App, Validations
from cdk_nag import AwsSolutionsChecks, PCIDSS321Checks

from payment_api.settings import Settings

MANAGED = "arn:<AWS::Partition>:iam::aws:policy"
SOLUTIONS, PCI = "AwsSolutions::AwsSolutions-", "PCI.DSS.321::PCI.DSS.321-"


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """An acknowledged finding: its rule, the paths of its constructs, and why it does not apply to them.

    In a rule {prefix}, {suffix}, {account}, {region} and {replica} are placeholders for settings.
    """

    rule: str
    paths: str
    reason: str


ACKNOWLEDGED = (
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::arn:aws:apigateway:{region}::/apikeys/*]",
        paths=r"payment-api/rotation/rotate-api-key-role/DefaultPolicy/Resource",
        reason="The ids of keys that are to be made are not known; the function deletes only those of its own name.",
    ),
    Acknowledged(
        rule=f"{SOLUTIONS}IAM4[Policy::{MANAGED}/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
        paths=r"payment-api/gateway/api/CloudWatchRole/Resource",
        reason="API Gateway assumes the role to write the logs of all APIs of the account, for which AWS keeps this "
        "policy; only one environment of an account makes it.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::*]",
        paths=r"payment-api/((processing|rotation|canary)/.*|show-certificate)-role/DefaultPolicy/Resource",
        reason="Descriptions of interfaces and load balancers, X-Ray and GetRandomPassword take no resource; all else "
        "names one.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "L1",
        paths=r"payment-api/((processing|rotation|canary)/.*|show-certificate)/Resource",
        reason="Python 3.13, for which the packages are locked; another version is another lock and another test run.",
    ),
    Acknowledged(
        rule=f"{SOLUTIONS}IAM4[Policy::{MANAGED}/AmazonSSMManagedInstanceCore]",
        paths=r"payment-api/nat/instance-\d/InstanceRole/Resource",
        reason="Systems Manager's agent needs what AWS says it needs, and that changes with the agent; it takes the "
        "place of SSH, for which there is no key and no open port.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "EC29",
        paths=r"payment-api/nat/instance-\d/Resource",
        reason="A NAT instance keeps nothing: when it is lost another is made from the template, and CI must be "
        "able to destroy it.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::<documentsbucket7C66A806.Arn>/*]",
        paths=r"payment-api/documents/replication/DefaultPolicy/Resource",
        reason="S3 replicates every document of this one bucket, whatever its key.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::<documentsbucket7C66A806.Arn>/settlement/*]",
        paths=r"payment-api/processing/reconcile-payments-role/DefaultPolicy/Resource",
        reason="The acquirer's settlement files have one prefix, and a new name every day.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::arn:aws:s3:::{prefix}-documents-replica-{suffix}-{account}-{replica}/*]",
        paths=r"payment-api/documents/replication/DefaultPolicy/Resource",
        reason="S3 writes every document to this one bucket, whatever its key.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::arn:aws:kms:{replica}:{account}:key/*]",
        paths=r"payment-api/documents/replication/DefaultPolicy/Resource",
        reason="The replica's key is known by its alias alone, and a policy names keys by id: the condition on "
        "kms:ResourceAliases leaves that one key.",
    ),
    Acknowledged(
        rule=f"{SOLUTIONS}IAM4[Policy::{MANAGED}/service-role/AmazonRDSEnhancedMonitoringRole]",
        paths=r"payment-api/database/cluster/MonitoringRole/Resource",
        reason="RDS assumes the role to write enhanced monitoring, for which AWS keeps this policy: it reaches the log "
        "groups RDS* and no other.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "RDS10",
        paths=r"payment-api/database/cluster/Resource",
        reason="Deletion protection is on where settings say protected; elsewhere CI destroys what it made.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "EC23",
        paths=r"payment-api/load-balancer/load-balancer-group/Resource",
        reason="It is the public entry: HTTPS from anywhere, behind the firewall, and only with a certificate that the "
        "trust store vouches for.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::arn:aws:ec2:{region}:{account}:*/*]",
        paths=r"payment-api/((processing|rotation|canary)/.*|show-certificate)-role/DefaultPolicy/Resource",
        reason="Lambda makes and removes interfaces whose ids nobody knows before, and asks for this when it makes the "
        "function; its own code is denied all of it.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "ECS2",
        paths=r"payment-api/service/task/Resource",
        reason="The environment holds names and sizes, no secret: the database is logged in to by IAM.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "IAM5[Resource::*]",
        paths=r"payment-api/service/task/ExecutionRole/DefaultPolicy/Resource",
        reason="ecr:GetAuthorizationToken takes no resource; what is pulled is one repository.",
    ),
    Acknowledged(
        rule=SOLUTIONS + "COG4",
        paths=r"payment-api/gateway/api/Default/.*/Resource",
        reason="Clients are programs of merchants, not people: mutual TLS and API keys take the place of a user pool. "
        "The authorizer hands the certificate on.",
    ),
    Acknowledged(
        rule=PCI + "S3BucketReplicationEnabled",
        paths=r"(documents-replica|payment-api)/(access-logs|audit/bucket|bucket)/Resource",
        reason="The replica is the other end of the documents' replication. The trail is in CloudWatch Logs too; "
        "access logs stay in their region.",
    ),
    Acknowledged(
        rule=PCI + "S3DefaultEncryptionKMS",
        paths=r"(documents-replica|payment-api)/access-logs/Resource",
        reason="S3 and load balancers deliver access logs only to buckets under S3's own key "
        "(docs/decisions/0011-logs-bucket-sse-s3.md).",
    ),
    Acknowledged(
        rule=PCI + "ALBWAFEnabled",
        paths=r"payment-api/gateway-load-balancer/load-balancer/Resource",
        reason="Internal, and called by API Gateway alone, in front of whose stage the same rules stand: another limit "
        "by address would count all clients as one.",
    ),
    Acknowledged(
        rule=PCI + "VPCNoUnrestrictedRouteToIGW",
        paths=r"payment-api/network/vpc/publicSubnet\d/DefaultRoute",
        reason="Public subnets lead to the internet: the load balancer answers from them. Groups say who may be asked; "
        "private and database subnets have no such route.",
    ),
    Acknowledged(
        rule=PCI + "IAMNoInlinePolicy",
        paths=r"payment-api/.*/(DefaultPolicy|Policy)/Resource",
        reason="CDK's grants write a policy of the one role that they are for; a shared one could be attached to "
        "others.",
    ),
    Acknowledged(
        rule=PCI + "APIGWCacheEnabledAndEncrypted",
        paths=r"payment-api/gateway/api/DeploymentStage.live/Resource",
        reason="Nothing is cached: an answer about a payment must be the present one.",
    ),
    Acknowledged(
        rule=PCI + "APIGWSSLEnabled",
        paths=r"payment-api/gateway/api/DeploymentStage.live/Resource",
        reason="The stage needs no certificate towards its backend: a listener that only the VPC link's group reaches, "
        "by TLS.",
    ),
)


def install(app: App, settings: Settings) -> None:
    """Check the app and its stacks with both packs at synthesis; acknowledge the findings of the table."""
    places = {
        "prefix": settings.name_prefix,
        "suffix": settings.environment_suffix,
        "account": settings.account_id,
        "replica": settings.replica_region,
        "region": settings.region,
    }
    Validations.of(app).add_plugins(AwsSolutionsChecks(), PCIDSS321Checks())
    for construct in app.node.find_all():
        for one in ACKNOWLEDGED:
            if re.fullmatch(one.paths, construct.node.path):
                rule = one.rule
                for name, value in places.items():
                    rule = rule.replace(f"{{{name}}}", value)
                Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=one.reason))
