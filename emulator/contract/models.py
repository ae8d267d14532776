"""Which published service model, and which of its operations, a request is for.

The models are those that botocore ships (``botocore/data/*/*/service-2.json``), the same that generate the AWS SDKs.
A request names its service by the credential scope of its signature, and several services may share one signing name
(elb and elbv2, s3 and s3control, rds, neptune and docdb): the operation then decides.
"""

from __future__ import annotations

import functools
import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.loaders
from moto.core.model import OperationModel, ServiceModel
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import ServiceOperationRouter
from werkzeug.exceptions import NotFound

IAM_PREFIXES = {"email": "ses", "monitoring": "cloudwatch", "tagging": "tag"}
"""Signing names whose IAM actions carry another prefix (Service Authorization Reference)."""

# The metadata of a model is at its beginning; no model has more bytes than this up to its end.
_METADATA_BYTES = 8192


@dataclass(frozen=True)
class Target:
    """The operation a request is for, the protocol it speaks, and the values bound in its path or host."""

    service: ServiceModel
    operation: OperationModel
    protocol: str
    path_values: dict[str, str]


@functools.cache
def services_by_signing_name() -> dict[str, tuple[str, ...]]:
    """Names of the services of each signing name, the service of the same name first."""
    names: dict[str, set[str]] = defaultdict(set)
    for service, metadata in _all_metadata():
        names[metadata.get("signingName", metadata["endpointPrefix"])].add(service)
    return {signing: tuple(sorted(found, key=lambda name: (name != signing, name))) for signing, found in names.items()}


def _all_metadata() -> Iterator[tuple[str, dict[str, Any]]]:
    decoder = json.JSONDecoder()
    root = Path(botocore.loaders.__file__).parent / "data"
    for path in root.glob("*/*/service-2.json*"):
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            text = file.read(_METADATA_BYTES).decode("utf-8", errors="ignore")
        start = text.index('"metadata":') + len('"metadata":')
        metadata, _ = decoder.raw_decode(text[start:].lstrip())
        yield path.parent.parent.name, metadata


@functools.cache
def _service_model(name: str) -> ServiceModel:
    # AWS's own description: not moto's loader, which adds defaults and inputs of moto's own.
    return ServiceModel(botocore.loaders.create_loader().load_service_model(name, "service-2"), name)


@functools.cache
def _router(name: str) -> ServiceOperationRouter:
    return ServiceOperationRouter(_service_model(name))


# Loading a model takes up to a second; without the lock thirty first requests to EC2 would each do it. A router is
# built by its first match, from operations that a thread beside it would see half made (moto's operation_model keeps
# botocore's under the same name first).
_reading = threading.Lock()


def service_model(name: str) -> ServiceModel:
    """The published model of the service that botocore knows by ``name``."""
    with _reading:
        return _service_model(name)


def find_target(signing_name: str, request: Request) -> Target | None:
    """The operation ``request`` is for, or None if no operation of any service of that signing name matches."""
    for name in _candidates(signing_name, request):
        model = service_model(name)
        _complete_json_target(model, request)
        try:
            protocol = determine_request_protocol(model, request.content_type)
            with _reading:
                operation, values = _router(name).match(request)
        except (NotFound, NotImplementedError):
            continue
        if protocol in ("query", "ec2") and request.values.get("Version", model.api_version) != model.api_version:
            continue
        return Target(model, operation, protocol, values)
    return None


def _complete_json_target(model: ServiceModel, request: Request) -> None:
    # Some models have a prefix with a namespace (com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101), of which
    # some SDKs send, and AWS takes, the last part only.
    prefix, _, operation = request.headers.get("X-Amz-Target", "").rpartition(".")
    full_prefix = model.metadata.get("targetPrefix", "")
    if prefix and full_prefix.endswith(f".{prefix}"):
        request.environ["HTTP_X_AMZ_TARGET"] = f"{full_prefix}.{operation}"


def _candidates(signing_name: str, request: Request) -> tuple[str, ...]:
    # S3 takes any path for a bucket and a key, so the paths of S3 Control, which begin with its version, come first.
    if signing_name == "s3" and request.raw_path.startswith("/v20180820/"):
        return ("s3control",)
    return services_by_signing_name().get(signing_name, ())


def iam_action(signing_name: str, operation: str) -> str:
    """The IAM action that carries the name of ``operation``, e.g. ``cloudwatch:PutMetricAlarm``."""
    return f"{IAM_PREFIXES.get(signing_name, signing_name)}:{operation}"
