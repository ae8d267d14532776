"""A certificate of ACM, validated by DNS (W4.2, W2.1).

Creates the certificate in its construct's region, the validation record of each name, and the wait for validation.
ACM renews the certificate as long as the records exist.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.acm_certificate import AcmCertificate
from cdktf_cdktf_provider_aws.acm_certificate_validation import AcmCertificateValidation
from cdktf_cdktf_provider_aws.route53_record import Route53Record
from constructs import Construct

from modules.monitoring.alarms import Alarm, Missing
from modules.monitoring.metrics import DAY, Metric

RECORD_SECONDS = 300


class Certificate(Construct):
    """A validated certificate; ``arn`` is known once it is issued."""

    requirements = ("W4.2",)

    def __init__(
        self, scope: Construct, id_: str, *, domain_name: str, zone_id: str, other_names: Sequence[str] = ()
    ) -> None:
        """``other_names`` are subject alternative names; all names are in the one zone."""
        super().__init__(scope, id_)
        self.certificate = AcmCertificate(
            self,
            "certificate",
            domain_name=domain_name,
            subject_alternative_names=list(other_names) or None,
            validation_method="DNS",
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.records = [self._record(number, name, zone_id) for number, name in enumerate((domain_name, *other_names))]
        self.validation = AcmCertificateValidation(
            self,
            "validation",
            certificate_arn=self.certificate.arn,
            validation_record_fqdns=[record.fqdn for record in self.records],
        )
        self.arn = self.validation.certificate_arn

    def alarm(self, name: str, days: int) -> Alarm:
        """The certificate expires in fewer than ``days`` days, by when ACM should have renewed it."""
        return Alarm(
            name=name,
            kind="certificate-ends",
            meaning=f"A certificate is good for less than {days} days: ACM could not renew it",
            metrics={
                "days": Metric("AWS/CertificateManager", "DaysToExpiry", "Minimum", {"CertificateArn": self.arn}, DAY)
            },
            bound=days,
            below=True,
            missing=Missing.SAYS_NOTHING,
        )

    def _record(self, number: int, name: str, zone_id: str) -> Route53Record:
        return Route53Record(
            self,
            f"record-{number}" if number else "record",
            zone_id=zone_id,
            name=self._proof(name, "resource_record_name"),
            type=self._proof(name, "resource_record_type"),
            records=[self._proof(name, "resource_record_value")],
            ttl=RECORD_SECONDS,
            allow_overwrite=True,  # both regions' certificates validate a shared name by the same record
        )

    def _proof(self, name: str, attribute: str) -> str:
        """An attribute of a name's validation option: options are a set, whose order changes with the names."""
        options = f"{self.certificate.fqn}.domain_validation_options"
        return f'${{one([for option in {options} : option.{attribute} if option.domain_name == "{name}"])}}'
