"""CloudFront: distributions and policies as they were sent, functions in both their stages, and what holds what in use.

moto keeps a part of a distribution's configuration, no policies, and functions that are never published. A distribution
here must name what exists, must be disabled before it is deleted, and nothing that it uses can be deleted before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from moto.acm.models import acm_backends
from moto.cloudfront import urls
from moto.cloudfront.exceptions import (
    CloudFrontException,
    InvalidIfMatchVersion,
    NoSuchDistribution,
    NoSuchOriginAccessControl,
)
from moto.cloudfront.models import CloudFrontBackend, random_id
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random
from moto.wafv2.models import wafv2_backends

from emulator.moto.extend import Method, add, override

CERTIFICATE_REGION = "us-east-1"
LIVE, DEVELOPMENT = "LIVE", "DEVELOPMENT"


def error(code: str, message: str) -> CloudFrontException:
    """An error of CloudFront."""
    return CloudFrontException(code, message)


@dataclass
class Kept:
    """A thing with the configuration that was sent, and the tag (ETag) of its last change."""

    id: str
    config: dict[str, Any]
    managed: bool = False
    changed: Any = field(default_factory=utcnow)
    etag: str = field(default_factory=random_id)

    def change(self, config: dict[str, Any], if_match: str | None) -> None:
        """Store another configuration, if nobody else has in between."""
        self.expect(if_match)
        self.config, self.changed, self.etag = config, utcnow(), random_id()

    def expect(self, if_match: str | None) -> None:
        """Refuse what does not know the last change."""
        if not if_match:
            raise InvalidIfMatchVersion
        if if_match != self.etag:
            raise error("PreconditionFailed", "The request failed because it didn't meet the preconditions.")


# --- distributions ---------------------------------------------------------------------------------------------------


@dataclass
class KeptDistribution(Kept):
    """A distribution; the attributes are those that moto looks at elsewhere."""

    account_id: str = ""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cloudfront::{self.account_id}:distribution/{self.id}"

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
    location = f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{made.id}"
    return ActionResult({"Distribution": made.answer(), "ETag": made.etag, "Location": location})


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
    """Answer what is stored."""
    found = _distribution(self)
    return ActionResult({"Distribution": found.answer(), "ETag": found.etag})


@override(CloudFrontResponse)
def get_distribution_config(_original: Method, self: Any) -> ActionResult:
    """Answer what is stored."""
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
            if policy and policy not in _policies(backend, kind):
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


# --- policies --------------------------------------------------------------------------------------------------------

KINDS = {
    "CachePolicy": "cache-policy",
    "OriginRequestPolicy": "origin-request-policy",
    "ResponseHeadersPolicy": "response-headers-policy",
}
"""The kinds of policy, and their paths."""

_NONE = {
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}
MANAGED = {
    "CachePolicy": {
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": {
            "Name": "Managed-CachingDisabled",
            "Comment": "Policy with caching disabled",
            "DefaultTTL": 0,
            "MaxTTL": 0,
            "MinTTL": 0,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": False,
                "EnableAcceptEncodingBrotli": False,
                **_NONE,
            },
        }
    },
    "OriginRequestPolicy": {},
    "ResponseHeadersPolicy": {},
}
"""AWS's own policies that the stack looks up (CloudFront developer guide, "Use managed cache policies")."""


@override(CloudFrontBackend)
def __init__(original: Method, self: Any, region_name: str, account_id: str) -> None:  # noqa: N807
    """Begin with AWS's own policies."""
    original(self, region_name, account_id)
    self.policies = {
        kind: {id_: Kept(id=id_, config=config, managed=True) for id_, config in MANAGED[kind].items()}
        for kind in KINDS
    }


def _policies(backend: Any, kind: str) -> dict[str, Kept]:
    found: dict[str, Kept] = backend.policies[kind]
    return found


def _policy(self: Any, kind: str) -> Kept:
    found = _policies(self.backend, kind).get(self._get_param("Id"))
    if found is None:
        raise error(f"NoSuch{kind}", f"The {kind} does not exist.")
    return found


def _described(kind: str, policy: Kept) -> dict[str, Any]:
    return {"Id": policy.id, "LastModifiedTime": policy.changed, f"{kind}Config": policy.config}


def _create_policy(self: Any, *, kind: str) -> ActionResult:
    config = self._get_param(f"{kind}Config")
    if any(one.config["Name"] == config["Name"] for one in _policies(self.backend, kind).values()):
        raise error(f"{kind}AlreadyExists", f"A {kind} with this name already exists.")
    made = Kept(id=str(mock_random.uuid4()), config=config)
    _policies(self.backend, kind)[made.id] = made
    location = f"https://cloudfront.amazonaws.com/2020-05-31/{KINDS[kind]}/{made.id}"
    return ActionResult({kind: _described(kind, made), "ETag": made.etag, "Location": location})


def _get_policy(self: Any, *, kind: str) -> ActionResult:
    found = _policy(self, kind)
    return ActionResult({kind: _described(kind, found), "ETag": found.etag})


def _get_policy_config(self: Any, *, kind: str) -> ActionResult:
    found = _policy(self, kind)
    return ActionResult({f"{kind}Config": found.config, "ETag": found.etag})


def _update_policy(self: Any, *, kind: str) -> ActionResult:
    found = _policy(self, kind)
    found.change(self._get_param(f"{kind}Config"), self._get_param("IfMatch"))
    return ActionResult({kind: _described(kind, found), "ETag": found.etag})


def _delete_policy(self: Any, *, kind: str) -> EmptyResult:
    found = _policy(self, kind)
    found.expect(self._get_param("IfMatch"))
    if any(one.uses(f"{kind}Id", found.id) for one in self.backend.distributions.values()):
        raise error(f"{kind}InUse", f"Cannot delete the {kind} because it is attached to one or more cache behaviors.")
    del _policies(self.backend, kind)[found.id]
    return EmptyResult()


def _list_policies(self: Any, *, kind: str) -> ActionResult:
    asked = self._get_param("Type")
    listed = [
        {"Type": "managed" if one.managed else "custom", kind: _described(kind, one)}
        for one in _policies(self.backend, kind).values()
        if asked in (None, "managed" if one.managed else "custom")
    ]
    return ActionResult({f"{kind}List": {"MaxItems": 100, "Quantity": len(listed), "Items": listed}})


OPERATIONS = {
    "create_{}": _create_policy,
    "get_{}": _get_policy,
    "get_{}_config": _get_policy_config,
    "update_{}": _update_policy,
    "delete_{}": _delete_policy,
}


def _add_policies() -> None:
    for kind, path in KINDS.items():
        name = path.replace("-", "_")
        operations = {form.format(name): operation for form, operation in OPERATIONS.items()}
        operations[f"list_{name.removesuffix('policy')}policies"] = _list_policies
        for operation_name, operation in operations.items():
            _add_operation(operation_name, operation, kind)
        for end in ("$", "/(?P<policy_id>[^/]+)$", "/(?P<policy_id>[^/]+)/config$"):
            urls.url_paths[f"{{0}}/2020-05-31/{path}{end}"] = CloudFrontResponse.dispatch


def _add_operation(name: str, operation: Method, kind: str) -> None:
    def answer(self: Any) -> Any:
        return partial(operation, kind=kind)(self)

    answer.__name__ = name
    add(CloudFrontResponse)(answer)


_add_policies()


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


# --- functions -------------------------------------------------------------------------------------------------------


@override(CloudFrontBackend)
def create_function(original: Method, self: Any, **sent: Any) -> Any:
    """In the stage of development alone."""
    function = original(self, **sent)
    function.live_code, function.live_config, function.live_etag = None, None, None
    return function


def _function(self: Any, stage: str) -> Any:
    function = self.backend.describe_function(name=self._get_param("Name"))
    if stage == LIVE and function.live_code is None:
        raise error("NoSuchFunctionExists", "The function does not exist in this stage.")
    return function


def _summary(function: Any, stage: str) -> dict[str, Any]:
    summary: dict[str, Any] = function.function_summary
    metadata = summary["FunctionMetadata"] | {"Stage": stage}
    config = function.live_config if stage == LIVE else function.config
    return summary | {"FunctionMetadata": metadata, "FunctionConfig": config}


@override(CloudFrontResponse)
def describe_function(_original: Method, self: Any) -> ActionResult:
    """Answer the stage that is asked for."""
    stage = self._get_param("Stage") or DEVELOPMENT
    function = _function(self, stage)
    etag = function.live_etag if stage == LIVE else function.etag
    return ActionResult({"FunctionSummary": _summary(function, stage), "ETag": etag})


@override(CloudFrontResponse)
def get_function(_original: Method, self: Any) -> ActionResult:
    """Answer the code of the stage that is asked for."""
    stage = self._get_param("Stage") or DEVELOPMENT
    function = _function(self, stage)
    code, etag = (function.live_code, function.live_etag) if stage == LIVE else (function.code, function.etag)
    return ActionResult({"FunctionCode": code, "ETag": etag, "ContentType": "application/octet-stream"})


def _expect_function(self: Any) -> Any:
    function, if_match = _function(self, DEVELOPMENT), self._get_param("IfMatch")
    Kept(id=function.name, config={}, etag=function.etag).expect(if_match)
    return function


@add(CloudFrontResponse)
def update_function(self: Any) -> ActionResult:
    """Store configuration and code, in the stage of development."""
    function = _expect_function(self)
    function.config, function.code = self._get_param("FunctionConfig"), self._get_param("FunctionCode")
    function.etag, function.last_modified_time = random_id(), utcnow()
    return ActionResult({"FunctionSummary": _summary(function, DEVELOPMENT), "ETag": function.etag})


@add(CloudFrontResponse)
def publish_function(self: Any) -> ActionResult:
    """Copy it from development to where distributions call it."""
    function = _expect_function(self)
    function.live_code, function.live_config, function.live_etag = function.code, function.config, function.etag
    return ActionResult({"FunctionSummary": _summary(function, LIVE)})


@override(CloudFrontResponse)
def delete_function(original: Method, self: Any) -> EmptyResult:
    """Only one that no distribution calls."""
    function = _expect_function(self)
    if any(one.calls(function.arn) for one in self.backend.distributions.values()):
        raise error("FunctionInUse", "Cannot delete the function because it's attached to one or more cache behaviors.")
    result: EmptyResult = original(self)
    return result


urls.url_paths["{0}/2020-05-31/function/(?P<function_name>[^/]+)/publish$"] = CloudFrontResponse.dispatch
