"""A certificate of ACM, validated by DNS (W4.2, W2.1).

Creates the certificate in the region that it stands in, the record that proves the name, and the wait until ACM has
seen it. ACM renews it as long as the record stays.
"""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.acm_certificate import AcmCertificate
from cdktf_cdktf_provider_aws.acm_certificate_validation import AcmCertificateValidation
from cdktf_cdktf_provider_aws.route53_record import Route53Record
from constructs import Construct

RECORD_SECONDS = 300


class Certificate(Construct):
    """A validated certificate; ``arn`` is known once it can be used."""

    requirements = ("W4.2",)

    def __init__(self, scope: Construct, id_: str, *, domain_name: str, zone_id: str) -> None:
        super().__init__(scope, id_)
        self.certificate = AcmCertificate(
            self,
            "certificate",
            domain_name=domain_name,
            validation_method="DNS",
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.record = Route53Record(
            self,
            "record",
            zone_id=zone_id,
            name=self._proof("resource_record_name"),
            type=self._proof("resource_record_type"),
            records=[self._proof("resource_record_value")],
            ttl=RECORD_SECONDS,
            allow_overwrite=True,  # the other region's certificate for the same name is proved by the same record
        )
        self.validation = AcmCertificateValidation(
            self,
            "validation",
            certificate_arn=self.certificate.arn,
            validation_record_fqdns=[self.record.fqdn],
        )
        self.arn = self.validation.certificate_arn

    def _proof(self, attribute: str) -> str:
        """An attribute of the one validation option: a set, which must become a list to be indexed."""
        return f"${{tolist({self.certificate.fqn}.domain_validation_options)[0].{attribute}}}"
