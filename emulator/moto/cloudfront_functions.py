"""CloudFront: functions in both their stages. moto never publishes one."""

from __future__ import annotations

from typing import Any

from moto.cloudfront import urls
from moto.cloudfront.models import CloudFrontBackend, random_id
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from emulator.moto.cloudfront_stored import Kept, error
from emulator.moto.extend import Method, add, override

LIVE, DEVELOPMENT = "LIVE", "DEVELOPMENT"


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
    """Return the requested stage."""
    stage = self._get_param("Stage") or DEVELOPMENT
    function = _function(self, stage)
    etag = function.live_etag if stage == LIVE else function.etag
    return ActionResult({"FunctionSummary": _summary(function, stage), "ETag": etag})


@override(CloudFrontResponse)
def get_function(_original: Method, self: Any) -> ActionResult:
    """Return the code of the requested stage."""
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
