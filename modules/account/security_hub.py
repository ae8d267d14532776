"""Security Hub in one region (W5.6): what GuardDuty, Access Analyzer and AWS Config find, and checks of two standards.

Creates the hub of the account in the region, and its subscriptions to PCI DSS 4.0.1 and to AWS's Foundational Security
Best Practices. The hub of the primary region also gathers what the other one finds.
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
        """A ``protected`` hub cannot be destroyed by Terraform: its findings would go with it."""
        super().__init__(scope, id_)
        self.hub = SecurityhubAccount(
            self,
            "hub",
            # Which standards are checked is said below; one that AWS adds to its defaults is not.
            enable_default_standards=False,
            auto_enable_controls=True,
            control_finding_generator="SECURITY_CONTROL",  # one finding for what several standards ask for
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
        )
        for name, standard in STANDARDS.items():
            SecurityhubStandardsSubscription(
                self,
                name,
                standards_arn=f"arn:aws:securityhub:{Region.of(self).name}::standards/{standard}",
                depends_on=[self.hub],
            )

    def gather_from(self, other: SecurityHub) -> SecurityhubFindingAggregator:
        """Gather what the hub of another region finds."""
        return SecurityhubFindingAggregator(
            self,
            "aggregator",
            linking_mode="SPECIFIED_REGIONS",
            specified_regions=[Region.of(other).name],
            depends_on=[self.hub, other.hub],
        )
