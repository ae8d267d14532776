"""VPC flow logs (W6.1, W5.3): accepted and rejected flows of a VPC, in CloudWatch Logs for 30 days.

Creates the log group, the role of VPC flow logs, and the flow log. Needs the logs key of the region.
"""

from __future__ import annotations

from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.flow_log import FlowLog
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.vpc import Vpc
from constructs import Construct

from modules.logs import RETENTION_DAYS
from modules.policy_documents import PolicyDocument, Statement, on_behalf_of, trust
from modules.region import Region
from settings.naming import Names


class FlowLogs(Construct):
    """The flow log of one VPC."""

    requirements = (
        "W5.3",
        "W6.1",
    )

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, vpc: Vpc, key: KmsKey, aggregation_seconds: int
    ) -> None:
        """``aggregation_seconds`` is the maximum aggregation interval: 60 or 600."""
        super().__init__(scope, id_)
        region = Region.of(self).name
        self.log_group = CloudwatchLogGroup(
            self,
            "log-group",
            name=names.log_group("vpc-flow-logs"),
            retention_in_days=RETENTION_DAYS,
            kms_key_id=key.arn,
        )
        self.role = IamRole(
            self,
            "role",
            name=names.of(f"flow-logs-{region}"),
            description="Lets VPC flow logs write to their log group",
            assume_role_policy=trust(
                self,
                "trust",
                service_name="vpc-flow-logs.amazonaws.com",
                # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
                conditions=on_behalf_of(names.account_id, f"arn:aws:ec2:{region}:{names.account_id}:vpc-flow-log/*"),
            ).json,
        )
        self._grant_write()
        self.flow_log = FlowLog(
            self,
            "flow-log",
            vpc_id=vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=self.log_group.arn,
            iam_role_arn=self.role.arn,
            max_aggregation_interval=aggregation_seconds,
            tags={"Name": names.of("vpc")},
            depends_on=[self.policy],  # not inferable: records are written by the role
        )

    def _grant_write(self) -> None:
        """The permissions that AWS documents, without CreateLogGroup: the log group exists.

        https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
        """
        permissions = PolicyDocument(
            self,
            "permissions",
            statement=[
                Statement(
                    sid="WriteToTheLogGroup",
                    actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    resources=[f"{self.log_group.arn}:*"],
                ),
                Statement(
                    sid="FindTheLogGroup",
                    actions=["logs:DescribeLogGroups"],  # has no resource-level permissions; lists names only
                    resources=["*"],
                ),
            ],
        )
        self.policy = IamRolePolicy(self, "policy", name="write-flow-logs", role=self.role.id, policy=permissions.json)
