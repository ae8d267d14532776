"""The audit trail (W5.6): API calls of the account in all regions, and data events of sensitive buckets.

Creates the CloudTrail trail, encrypted and with log file validation, to the audit bucket and to a log group of 30 days,
and the role that CloudTrail writes the log group with. In addition to all management events it has these data events:

- every access to objects of backups and of Terraform's state;
- every write of static assets, which are scripts on a payment page (PCI DSS 6.4.3): their reads are CloudFront's;
- every deletion of logs and of the trail's own files: they are written by AWS only.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudtrail import (
    Cloudtrail,
    CloudtrailAdvancedEventSelector,
    CloudtrailAdvancedEventSelectorFieldSelector,
)
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.account.audit_bucket import CLOUDTRAIL, PURPOSE, TRAIL_FOLDER, AuditBucket
from modules.logs import RETENTION_DAYS
from modules.policy_documents import PolicyDocument, Statement, trust
from modules.region import Region
from settings.naming import Names

DELETIONS = ("DeleteObject", "DeleteObjects")


class AuditTrail(Construct):
    """The account's trail."""

    requirements = ("W5.6", "W5.3")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        bucket: AuditBucket,
        key: KmsKey,
        watched: Sequence[str],
        watched_changes: Sequence[str],
        watched_deletions: Sequence[str],
        protected: bool,
    ) -> None:
        """Create the trail.

        Args:
            scope: below the region of the bucket.
            id_: unique within the scope.
            names: of the environment.
            bucket: of the trail's files.
            key: encrypts files and log group.
            watched: ARNs of buckets, of any region, with data events for reads and writes.
            watched_changes: likewise, for writes.
            watched_deletions: likewise, for deletions.
            protected: Terraform refuses to destroy the trail.
        """
        super().__init__(scope, id_)
        self._names = names
        self.log_group = CloudwatchLogGroup(
            self,
            "log-group",
            name=names.log_group("audit-trail"),
            retention_in_days=RETENTION_DAYS,
            kms_key_id=key.arn,
        )
        role = self._role()
        self.trail = Cloudtrail(
            self,
            "trail",
            name=names.of(PURPOSE),
            s3_bucket_name=bucket.bucket.bucket.id,
            s3_key_prefix=TRAIL_FOLDER,
            kms_key_id=key.arn,
            cloud_watch_logs_group_arn=f"{self.log_group.arn}:*",
            cloud_watch_logs_role_arn=role.arn,
            enable_log_file_validation=True,
            include_global_service_events=True,
            is_multi_region_trail=True,
            advanced_event_selector=[
                _selector("Calls of all APIs", eventCategory=["Management"]),
                _objects("Every access to objects", [*watched]),
                _objects("Every change of objects", [*watched_changes], readOnly=["false"]),
                _objects("Every deletion of objects", [*watched_deletions], eventName=[*DELETIONS]),
            ],
            tags={"Name": names.of(PURPOSE)},
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
            # not inferable: CloudTrail checks at creation that it may write
            depends_on=[bucket.bucket.policy, self._policy],
        )

    def _role(self) -> IamRole:
        """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html."""
        region, account_id = Region.of(self).name, self._names.account_id
        role = IamRole(
            self,
            "role",
            name=self._names.of("audit-trail"),
            description="Lets CloudTrail write the audit trail to its log group",
            assume_role_policy=trust(self, "trust", service_name=CLOUDTRAIL).json,
        )
        permissions = PolicyDocument(
            self,
            "permissions",
            statement=[
                Statement(
                    sid="WriteTheTrail",
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[f"{self.log_group.arn}:log-stream:{account_id}_CloudTrail_{region}*"],
                )
            ],
        )
        self._policy = IamRolePolicy(self, "policy", name="write-trail", role=role.id, policy=permissions.json)
        return role


def _objects(name: str, buckets: list[str], **fields: list[str]) -> CloudtrailAdvancedEventSelector:
    data = {"eventCategory": ["Data"], "resources.type": ["AWS::S3::Object"]}
    return _selector(name, buckets, **data, **fields)


def _selector(name: str, buckets: Sequence[str] = (), **fields: list[str]) -> CloudtrailAdvancedEventSelector:
    """https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html."""
    selectors = [
        CloudtrailAdvancedEventSelectorFieldSelector(field=field, equal_to=values) for field, values in fields.items()
    ]
    if buckets:
        within = [f"{bucket}/" for bucket in buckets]
        selectors.append(CloudtrailAdvancedEventSelectorFieldSelector(field="resources.ARN", starts_with=within))
    return CloudtrailAdvancedEventSelector(name=name, field_selector=selectors)
