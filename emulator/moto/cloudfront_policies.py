"""CloudFront: cache, origin request and response headers policies as they were sent. moto keeps none."""

from __future__ import annotations

from functools import partial
from typing import Any

from moto.cloudfront import urls
from moto.cloudfront.models import CloudFrontBackend
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

from emulator.moto.cloudfront_stored import Kept, error
from emulator.moto.extend import Method, add, override

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


def policies_of(backend: Any, kind: str) -> dict[str, Kept]:
    """The policies of a kind, by their ids."""
    found: dict[str, Kept] = backend.policies[kind]
    return found


def _policy(self: Any, kind: str) -> Kept:
    found = policies_of(self.backend, kind).get(self._get_param("Id"))
    if found is None:
        raise error(f"NoSuch{kind}", f"The {kind} does not exist.")
    return found


def _described(kind: str, policy: Kept) -> dict[str, Any]:
    return {"Id": policy.id, "LastModifiedTime": policy.changed, f"{kind}Config": policy.config}


def _create_policy(self: Any, *, kind: str) -> ActionResult:
    config = self._get_param(f"{kind}Config")
    if any(one.config["Name"] == config["Name"] for one in policies_of(self.backend, kind).values()):
        raise error(f"{kind}AlreadyExists", f"A {kind} with this name already exists.")
    made = Kept(id=str(mock_random.uuid4()), config=config)
    policies_of(self.backend, kind)[made.id] = made
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
    del policies_of(self.backend, kind)[found.id]
    return EmptyResult()


def _list_policies(self: Any, *, kind: str) -> ActionResult:
    asked = self._get_param("Type")
    listed = [
        {"Type": "managed" if one.managed else "custom", kind: _described(kind, one)}
        for one in policies_of(self.backend, kind).values()
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


def _addpolicies_of() -> None:
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


_addpolicies_of()
