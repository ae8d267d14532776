"""CloudFront's access log in CloudWatch Logs (W5.3).

Creates the log group and the delivery of CloudFront's standard logs (v2) to it, which is configured in us-east-1 only.
Cookies and query strings are not logged: they may hold personal data. AWS adds the resource policy that allows the
delivery by itself, so this has none: a region allows ten.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging.html
"""

from __future__ import annotations

from cdktf import DataResource, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.cloudwatch_log_delivery import CloudwatchLogDelivery
from cdktf_cdktf_provider_aws.cloudwatch_log_delivery_destination import (
    CloudwatchLogDeliveryDestination,
    CloudwatchLogDeliveryDestinationDeliveryDestinationConfiguration,
)
from cdktf_cdktf_provider_aws.cloudwatch_log_delivery_source import CloudwatchLogDeliverySource
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from modules.ingress.distribution import Distribution
from modules.logs import RETENTION_DAYS
from settings.naming import Names

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
FIELDS = [
    "date",
    "time",
    "x-edge-location",
    "x-edge-request-id",
    "c-ip",
    "c-country",
    "cs-protocol",
    "cs-protocol-version",
    "cs-method",
    "x-host-header",
    "cs-uri-stem",
    "cs(User-Agent)",
    "cs-bytes",
    "sc-status",
    "sc-bytes",
    "time-taken",
    "time-to-first-byte",
    "x-edge-result-type",
    "x-edge-detailed-result-type",
    "ssl-protocol",
    "ssl-cipher",
]


class DistributionLogs(Construct):
    """The access log of a distribution, kept 30 days."""

    requirements = ("W4.1", "W5.3")

    def __init__(self, scope: Construct, id_: str, *, names: Names, distribution: Distribution, key: KmsKey) -> None:
        """``key`` encrypts the log."""
        super().__init__(scope, id_)
        self.log_group = CloudwatchLogGroup(
            self, "log-group", name=names.log_group("cloudfront"), retention_in_days=RETENTION_DAYS, kms_key_id=key.arn
        )
        source = CloudwatchLogDeliverySource(
            self,
            "source",
            name=names.of("cloudfront"),
            log_type="ACCESS_LOGS",
            resource_arn=distribution.distribution.arn,
        )
        destination = CloudwatchLogDeliveryDestination(
            self,
            "destination",
            name=names.of("cloudfront"),
            output_format="json",
            delivery_destination_configuration=[
                CloudwatchLogDeliveryDestinationDeliveryDestinationConfiguration(
                    destination_resource_arn=self.log_group.arn
                )
            ],
        )
        # UpdateDeliveryConfiguration refuses a delivery to CloudWatch Logs, so changed fields replace it.
        # https://github.com/hashicorp/terraform-provider-aws/issues/46108
        fields = DataResource(self, "fields", input={"record_fields": FIELDS})
        CloudwatchLogDelivery(
            self,
            "delivery",
            delivery_source_name=source.name,
            delivery_destination_arn=destination.arn,
            record_fields=FIELDS,
            lifecycle=TerraformResourceLifecycle(replace_triggered_by=[f"terraform_data.{fields.friendly_unique_id}"]),
        )
