"""Security Hub in one region (W5.6): findings of GuardDuty, Access Analyzer and AWS Config, and two standards.

Creates the account's hub in the region, and its subscriptions to PCI DSS 4.0.1 and to AWS's Foundational Security Best
Practices. The hub of the primary region aggregates the findings of both.
https://docs.aws.amazon.com/securityhub/latest/userguide/pci-standard.html
https://docs.aws.amazon.com/securityhub/latest/userguide/fsbp-standard.html
"""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.securityhub_account import SecurityhubAccount
from cdktf_cdktf_provider_aws.securityhub_finding_aggregator import SecurityhubFindingAggregator
from cdktf_cdktf_provider_aws.securityhub_standards_subscription import SecurityhubStandardsSubscription
from constructs import Construct

from modules.region import Region

STANDARDS = {
    "pci-dss": "pci-dss/v/4.0.1",
    "foundational": "aws-foundational-security-best-practices/v/1.0.0",
}


class SecurityHub(Construct):
    """The hub of an account in a region."""

    requirements = ("W5.6",)

    def __init__(self, scope: Construct, id_: str, *, protected: bool) -> None:
        """Terraform does not destroy a ``protected`` hub: its findings would be lost."""
        super().__init__(scope, id_)
        self.hub = SecurityhubAccount(
            self,
            "hub",
            # Standards are subscribed to below, so that AWS's defaults may change.
            enable_default_standards=False,
            auto_enable_controls=True,
            control_finding_generator="SECURITY_CONTROL",  # one finding for a control of several standards
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
        )
        for name, standard in STANDARDS.items():
            SecurityhubStandardsSubscription(
                self,
                name,
                standards_arn=f"arn:aws:securityhub:{Region.of(self).name}::standards/{standard}",
                depends_on=[self.hub],
            )

    def aggregate(self, other: SecurityHub) -> SecurityhubFindingAggregator:
        """Aggregate the findings of another region's hub."""
        return SecurityhubFindingAggregator(
            self,
            "aggregator",
            linking_mode="SPECIFIED_REGIONS",
            specified_regions=[Region.of(other).name],
            depends_on=[self.hub, other.hub],
        )
