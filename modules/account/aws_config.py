"""AWS Config in one region (W5.6): the configuration history of resources, and managed rules for PCI DSS.

Creates the account's configuration recorder in the region, its delivery channel to the audit bucket, the role of both,
and AWS managed rules, each with its requirement of PCI DSS 4.0.1 in its name. Global resources (IAM) are recorded and
evaluated in the primary region only, so that each is counted once.
https://docs.aws.amazon.com/config/latest/developerguide/managed-cpack-pci-dss-v4.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdktf_cdktf_provider_aws.config_config_rule import ConfigConfigRule, ConfigConfigRuleSource
from cdktf_cdktf_provider_aws.config_configuration_recorder import (
    ConfigConfigurationRecorder,
    ConfigConfigurationRecorderRecordingGroup,
)
from cdktf_cdktf_provider_aws.config_configuration_recorder_status import ConfigConfigurationRecorderStatus
from cdktf_cdktf_provider_aws.config_delivery_channel import (
    ConfigDeliveryChannel,
    ConfigDeliveryChannelSnapshotDeliveryProperties,
)
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.account.audit_bucket import CONFIG, CONFIGURATION_FOLDER, AuditBucket
from modules.policy_documents import PolicyDocument, Statement, trust, when
from modules.region import Region
from settings.naming import Names

PURPOSE = "configuration"
READ_EVERYTHING = "arn:aws:iam::aws:policy/service-role/AWS_ConfigRole"


@dataclass(frozen=True, kw_only=True)
class ManagedRule:
    """An AWS managed rule, and its requirement of PCI DSS 4.0.1."""

    requirement: str
    identifier: str
    meaning: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def name(self, names: Names) -> str:
        """Such as payments-pci-3.7.4-cmk-backing-key-rotation-enabled-staging."""
        return names.of(f"pci-{self.requirement}-{self.identifier.lower().replace('_', '-')}")


IN_EACH_REGION = (
    ManagedRule(
        requirement="1.3.1",
        identifier="VPC_SG_OPEN_ONLY_TO_AUTHORIZED_PORTS",
        meaning="From everywhere, security groups let in nothing but HTTP and HTTPS",
        parameters={"authorizedTcpPorts": "80,443"},
    ),
    ManagedRule(
        requirement="1.3.1",
        identifier="VPC_DEFAULT_SECURITY_GROUP_CLOSED",
        meaning="The default security group of a VPC lets nothing through",
    ),
    ManagedRule(
        requirement="1.4.4",
        identifier="RDS_INSTANCE_PUBLIC_ACCESS_CHECK",
        meaning="No database has a public address",
    ),
    ManagedRule(
        requirement="1.4.4",
        identifier="RDS_SNAPSHOTS_PUBLIC_PROHIBITED",
        meaning="No snapshot of a database is public",
    ),
    ManagedRule(
        requirement="1.4.4",
        identifier="S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED",
        meaning="Every bucket refuses to be public",
    ),
    ManagedRule(requirement="3.5.1", identifier="RDS_STORAGE_ENCRYPTED", meaning="Databases are encrypted"),
    ManagedRule(
        requirement="3.5.1", identifier="S3_BUCKET_SERVER_SIDE_ENCRYPTION_ENABLED", meaning="Buckets are encrypted"
    ),
    ManagedRule(
        requirement="3.6.1", identifier="KMS_CMK_NOT_SCHEDULED_FOR_DELETION", meaning="No key is about to be deleted"
    ),
    ManagedRule(requirement="3.7.4", identifier="CMK_BACKING_KEY_ROTATION_ENABLED", meaning="Keys rotate"),
    ManagedRule(
        requirement="4.2.1", identifier="S3_BUCKET_SSL_REQUESTS_ONLY", meaning="Buckets refuse requests without TLS"
    ),
    ManagedRule(
        requirement="4.2.1",
        identifier="ALB_HTTP_TO_HTTPS_REDIRECTION_CHECK",
        meaning="What load balancers answer by HTTP is where HTTPS is",
    ),
    ManagedRule(requirement="6.4.2", identifier="ALB_WAF_ENABLED", meaning="Load balancers stand behind a firewall"),
    ManagedRule(requirement="8.6.3", identifier="SECRETSMANAGER_ROTATION_ENABLED_CHECK", meaning="Secrets rotate"),
    ManagedRule(requirement="10.2.1", identifier="VPC_FLOW_LOGS_ENABLED", meaning="Flows of every VPC are logged"),
    ManagedRule(
        requirement="10.3.2", identifier="S3_BUCKET_VERSIONING_ENABLED", meaning="What is overwritten can be had back"
    ),
    ManagedRule(requirement="11.5.1", identifier="GUARDDUTY_ENABLED_CENTRALIZED", meaning="GuardDuty is on"),
)
OF_THE_ACCOUNT = (
    ManagedRule(requirement="2.2.2", identifier="IAM_ROOT_ACCESS_KEY_CHECK", meaning="The root user has no access key"),
    ManagedRule(
        requirement="7.2.1",
        identifier="IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS",
        meaning="No policy of the account allows everything",
    ),
    ManagedRule(
        requirement="8.2.6",
        identifier="IAM_USER_UNUSED_CREDENTIALS_CHECK",
        meaning="What was not used for 90 days is gone",
        parameters={"maxCredentialUsageAge": "90"},
    ),
    ManagedRule(
        requirement="8.3.6",
        identifier="IAM_PASSWORD_POLICY",
        meaning="Passwords have twelve characters or more, letters and digits",
        parameters={"MinimumPasswordLength": "12", "RequireLowercaseCharacters": "true", "RequireNumbers": "true"},
    ),
    ManagedRule(
        requirement="8.3.9",
        identifier="ACCESS_KEYS_ROTATED",
        meaning="Access keys of users are younger than 90 days",
        parameters={"maxAccessKeyAge": "90"},
    ),
    ManagedRule(
        requirement="8.4.2",
        identifier="MFA_ENABLED_FOR_IAM_CONSOLE_ACCESS",
        meaning="Users who have a password have a second factor",
    ),
    ManagedRule(
        requirement="8.4.2", identifier="ROOT_ACCOUNT_MFA_ENABLED", meaning="The root user has a second factor"
    ),
    ManagedRule(
        requirement="10.2.1", identifier="MULTI_REGION_CLOUD_TRAIL_ENABLED", meaning="A trail records all regions"
    ),
    ManagedRule(requirement="10.3.2", identifier="CLOUD_TRAIL_ENCRYPTION_ENABLED", meaning="Trails are encrypted"),
    ManagedRule(
        requirement="10.3.4",
        identifier="CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED",
        meaning="Files of trails are signed, so that a change is noticed",
    ),
)


class ConfigurationHistory(Construct):
    """The configuration recorder of an account in a region, and its rules."""

    requirements = ("W5.6",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, bucket: AuditBucket, key: KmsKey, of_account: bool
    ) -> None:
        """``key`` is the bucket's, perhaps of another region; with ``of_account`` global resources are recorded."""
        super().__init__(scope, id_)
        self._names = names
        role = self._role(bucket, key)
        recorder = ConfigConfigurationRecorder(
            self,
            "recorder",
            name=names.of(PURPOSE),
            role_arn=role.arn,
            recording_group=ConfigConfigurationRecorderRecordingGroup(
                all_supported=True, include_global_resource_types=of_account
            ),
            depends_on=[self._policy, self._read_everything],  # not inferable: it reads and writes by the role
        )
        channel = ConfigDeliveryChannel(
            self,
            "channel",
            name=names.of(PURPOSE),
            s3_bucket_name=bucket.bucket.bucket.id,
            s3_key_prefix=CONFIGURATION_FOLDER,
            s3_kms_key_arn=key.arn,
            snapshot_delivery_properties=ConfigDeliveryChannelSnapshotDeliveryProperties(
                delivery_frequency="TwentyFour_Hours"
            ),
            # not inferable: AWS Config checks at creation that it may write, and a channel needs a recorder
            depends_on=[recorder, self._policy, bucket.bucket.policy],
        )
        self.recording = ConfigConfigurationRecorderStatus(
            self, "recording", name=recorder.name, is_enabled=True, depends_on=[channel]
        )
        for rule in (*IN_EACH_REGION, *(OF_THE_ACCOUNT if of_account else ())):
            self._rule(rule)

    def _rule(self, rule: ManagedRule) -> None:
        ConfigConfigRule(
            self,
            rule.identifier,
            name=rule.name(self._names),
            description=f"PCI DSS 4.0.1, {rule.requirement}: {rule.meaning}",
            source=ConfigConfigRuleSource(owner="AWS", source_identifier=rule.identifier),
            input_parameters=json.dumps(rule.parameters) if rule.parameters else None,
            depends_on=[self.recording],  # a rule needs a recorder that is on
        )

    def _role(self, bucket: AuditBucket, key: KmsKey) -> IamRole:
        """https://docs.aws.amazon.com/config/latest/developerguide/iamrole-permissions.html."""
        account_id, region = self._names.account_id, Region.of(self).name
        own = when("StringEquals", "aws:SourceAccount", account_id)
        role = IamRole(
            self,
            "role",
            name=self._names.of(f"{PURPOSE}-{region}"),
            description="Lets AWS Config look at everything, and write to the audit bucket",
            assume_role_policy=trust(self, "trust", service_name=CONFIG, conditions=[own]).json,
        )
        self._read_everything = IamRolePolicyAttachment(
            self, "read-everything", role=role.name, policy_arn=READ_EVERYTHING
        )
        folder = f"{bucket.bucket.bucket.arn}/{CONFIGURATION_FOLDER}/AWSLogs/{account_id}"
        permissions = PolicyDocument(
            self,
            "permissions",
            statement=[
                Statement(
                    sid="WriteRecords",
                    actions=["s3:PutObject"],
                    resources=[f"{folder}/*"],
                    condition=[when("StringEquals", "s3:x-amz-acl", "bucket-owner-full-control")],
                ),
                Statement(sid="LookAtTheBucket", actions=["s3:GetBucketAcl"], resources=[bucket.bucket.bucket.arn]),
                Statement(sid="EncryptRecords", actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.arn]),
            ],
        )
        self._policy = IamRolePolicy(self, "policy", name="write-records", role=role.id, policy=permissions.json)
        return role
