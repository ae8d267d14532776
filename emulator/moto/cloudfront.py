"""CloudFront: distributions as they were sent, and references that prevent deletion.

moto stores a part of a distribution's configuration. A distribution here must reference existing resources, must be
disabled before its deletion, and no resource that it references can be deleted before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from moto.acm.models import acm_backends
from moto.cloudfront.exceptions import NoSuchDistribution, NoSuchOriginAccessControl
from moto.cloudfront.models import random_id
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.wafv2.models import wafv2_backends

from emulator.moto.cloudfront_policies import KINDS, policies_of
from emulator.moto.cloudfront_stored import Kept, error
from emulator.moto.extend import Method, override
from emulator.runtime.edge.cache import CACHE

CERTIFICATE_REGION = "us-east-1"


@dataclass
class KeptDistribution(Kept):
    """A distribution; the attributes are those that moto reads elsewhere."""

    account_id: str = ""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cloudfront::{self.account_id}:distribution/{self.id}"

    @property
    def location(self) -> str:
        """Its URL in the API."""
        return f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{self.id}"

    def advance(self) -> None:
        """It is deployed at once."""

    def answer(self) -> dict[str, Any]:
        """It, as CloudFront describes it."""
        none = {"Enabled": False, "Quantity": 0}
        return {
            "Id": self.id,
            "ARN": self.arn,
            "Status": "Deployed",
            "LastModifiedTime": self.changed,
            "InProgressInvalidationBatches": 0,
            "DomainName": f"{self.id.lower()}.cloudfront.net",
            "ActiveTrustedSigners": none,
            "ActiveTrustedKeyGroups": none,
            "DistributionConfig": self.config,
        }

    def behaviours(self) -> Iterator[dict[str, Any]]:
        """All of its behaviours."""
        yield self.config["DefaultCacheBehavior"]
        yield from _items(self.config, "CacheBehaviors")

    def uses(self, member: str, value: str) -> bool:
        """Whether one of its behaviours or origins names ``value`` as ``member``."""
        named = [*self.behaviours(), *_items(self.config, "Origins")]
        return any(one.get(member) == value for one in named)

    def calls(self, function_arn: str) -> bool:
        """Whether one of its behaviours calls a function."""
        return function_arn in set(self.functions())

    def functions(self) -> Iterator[str]:
        """The functions that its behaviours call."""
        for behaviour in self.behaviours():
            yield from (one["FunctionARN"] for one in _items(behaviour, "FunctionAssociations"))


def _items(config: Mapping[str, Any], member: str) -> list[dict[str, Any]]:
    return (config.get(member) or {}).get("Items") or []


def _create_distribution(self: Any, config: dict[str, Any], tags: list[dict[str, str]]) -> ActionResult:
    backend = self.backend
    for other in backend.distributions.values():
        if other.config["CallerReference"] == config["CallerReference"]:
            raise error("DistributionAlreadyExists", f"The caller reference is associated with {other.id}.")
    _refuse_what_does_not_exist(backend, config)
    _refuse_names_in_use(backend, config)
    made = KeptDistribution(id="E" + random_id(length=13), config=config, account_id=backend.account_id)
    backend.distributions[made.id] = made
    backend.tagger.tag_resource(made.arn, tags or [])
    return ActionResult({"Distribution": made.answer(), "ETag": made.etag, "Location": made.location})


@override(CloudFrontResponse)
def create_distribution(_original: Method, self: Any) -> ActionResult:
    """Store the whole configuration."""
    return _create_distribution(self, self._get_param("DistributionConfig", {}), [])


@override(CloudFrontResponse)
def create_distribution_with_tags(_original: Method, self: Any) -> ActionResult:
    """Store the whole configuration, and the tags."""
    sent = self._get_param("DistributionConfigWithTags", {})
    return _create_distribution(self, sent["DistributionConfig"], sent["Tags"].get("Items", []))


@override(CloudFrontResponse)
def get_distribution(_original: Method, self: Any) -> ActionResult:
    """Return what is stored."""
    found = _distribution(self)
    return ActionResult({"Distribution": found.answer(), "ETag": found.etag})


@override(CloudFrontResponse)
def get_distribution_config(_original: Method, self: Any) -> ActionResult:
    """Return what is stored."""
    found = _distribution(self)
    return ActionResult({"DistributionConfig": found.config, "ETag": found.etag})


@override(CloudFrontResponse)
def update_distribution(_original: Method, self: Any) -> ActionResult:
    """Store the whole configuration."""
    found, config = _distribution(self), self._get_param("DistributionConfig", {})
    _refuse_what_does_not_exist(self.backend, config)
    _refuse_names_in_use(self.backend, config, but_for=found.id)
    found.change(config, self._get_param("IfMatch"))
    return ActionResult({"Distribution": found.answer(), "ETag": found.etag})


@override(CloudFrontResponse)
def delete_distribution(_original: Method, self: Any) -> EmptyResult:
    """Only one that is disabled."""
    found = _distribution(self)
    found.expect(self._get_param("IfMatch"))
    if found.config["Enabled"]:
        raise error("DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.")
    del self.backend.distributions[found.id]
    return EmptyResult()


@override(CloudFrontResponse)
def list_distributions(_original: Method, self: Any) -> ActionResult:
    """A summary of each, all on one page."""
    listed = [one.answer() | one.config for one in self.backend.distributions.values()]
    page = {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": len(listed), "Items": listed}
    return ActionResult({"DistributionList": page})


@override(CloudFrontResponse)
def create_invalidation(original: Method, self: Any) -> ActionResult:
    """The edge forgets what it has for the paths, at once; a path may end with an asterisk."""
    result: ActionResult = original(self)
    paths = [str(one) for one in self._get_param("InvalidationBatch.Paths.Items", [])]

    def matches(path: str) -> bool:
        return any(path.startswith(one[:-1]) if one.endswith("*") else path == one for one in paths)

    CACHE.invalidate(self._get_param("DistributionId"), matches)
    return result


def _distribution(self: Any) -> KeptDistribution:
    found: KeptDistribution | None = self.backend.distributions.get(self._get_param("Id"))
    if found is None:
        raise NoSuchDistribution
    return found


def _refuse_what_does_not_exist(backend: Any, config: Mapping[str, Any]) -> None:
    distribution = KeptDistribution(id="", config=dict(config))
    for behaviour in distribution.behaviours():
        for kind in KINDS:
            policy = behaviour.get(f"{kind}Id")
            if policy and policy not in policies_of(backend, kind):
                raise error(f"NoSuch{kind}", f"The {kind} {policy} does not exist.")
    for arn in distribution.functions():
        function = backend.functions.get(arn.rpartition("/")[2])
        if function is None or function.live_code is None:
            raise error("InvalidFunctionAssociation", f"The function {arn} does not exist or is not published.")
    for origin in _items(config, "Origins"):
        control = origin.get("OriginAccessControlId")
        if control and control not in backend.origin_access_controls:
            raise error("InvalidOriginAccessControl", f"The origin access control {control} does not exist.")
    _refuse_unknown_certificate(backend, config)
    _refuse_unknown_web_acl(backend, config)


def _refuse_unknown_certificate(backend: Any, config: Mapping[str, Any]) -> None:
    arn = (config.get("ViewerCertificate") or {}).get("ACMCertificateArn")
    if not arn:
        return
    certificate = acm_backends[backend.account_id][CERTIFICATE_REGION]._certificates.get(arn)  # noqa: SLF001
    if certificate is None:
        raise error("InvalidViewerCertificate", f"{arn} does not exist, or is not in {CERTIFICATE_REGION}.")
    covered = _names(certificate)
    for alias in (config.get("Aliases") or {}).get("Items") or []:
        if alias not in covered:
            raise error("InvalidViewerCertificate", f"{arn} does not cover {alias}.")


def _names(certificate: Any) -> set[str]:
    described = certificate.describe()["Certificate"]
    return {described["DomainName"], *described.get("SubjectAlternativeNames", [])}


def _refuse_unknown_web_acl(backend: Any, config: Mapping[str, Any]) -> None:
    arn = config.get("WebACLId")
    if arn and arn not in wafv2_backends[backend.account_id]["global"].wacls:
        raise error("InvalidWebACLId", f"The web ACL {arn} does not exist.")


def _refuse_names_in_use(backend: Any, config: Mapping[str, Any], but_for: str = "") -> None:
    names = set((config.get("Aliases") or {}).get("Items") or [])
    for other in backend.distributions.values():
        if other.id != but_for and names & set((other.config.get("Aliases") or {}).get("Items") or []):
            raise error("CNAMEAlreadyExists", "One or more of the CNAMEs are already associated with a distribution.")


@override(CloudFrontResponse)
def delete_origin_access_control(original: Method, self: Any) -> EmptyResult:
    """Only one that no distribution uses."""
    id_ = self._get_param("Id")
    if id_ not in self.backend.origin_access_controls:
        raise NoSuchOriginAccessControl
    if any(one.uses("OriginAccessControlId", id_) for one in self.backend.distributions.values()):
        raise error("OriginAccessControlInUse", "Cannot delete the origin access control because it's in use.")
    result: EmptyResult = original(self)
    return result
