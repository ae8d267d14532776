"""A custom domain with its API, as API Gateway's own API describes it.

An API changes for its clients with a deployment of its stage, so that each deployment is read once; names, keys and
plans are read anew after a second.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.address import HOST, environment

SECONDS_KEPT = 1.0
PAGE = 500


class UnknownNameError(Exception):
    """No custom domain has a name; the message is one line for the user."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """A deployment of an API: its methods by path and HTTP method, and what they refer to by id."""

    id: str
    name: str
    stage: str
    methods: Mapping[str, Mapping[str, Any]]
    authorizers: Mapping[str, Any]
    models: Mapping[str, Any]
    validators: Mapping[str, Any]
    rate: float
    burst: int


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A custom domain."""

    name: str
    region: str
    certificate: str
    trust_store: bytes
    """The CA certificates of clients as PEM; empty without mutual TLS."""
    api: Api


@dataclass(frozen=True, kw_only=True)
class Key:
    """An API key in a usage plan."""

    id: str
    plan: str
    is_enabled: bool
    rate: float
    burst: int
    quota: int
    """Requests a day; 0 without a quota."""


_clients: dict[tuple[str, str], Any] = {}
_kept: dict[tuple[str, ...], tuple[float, Any]] = {}
_lock = threading.RLock()


def client(service: str, region: str) -> Any:
    """A client of the account's administrator, for this local AWS itself."""
    with _lock:
        if (service, region) not in _clients:
            url = f"http://{HOST}:{os.environ['MOTO_PORT']}"
            variables = environment(url, region)
            make: Any = boto3.client
            _clients[service, region] = make(
                service,
                region_name=region,
                endpoint_url=url,
                aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
                config=Config(proxies={}),
            )
        return _clients[service, region]


def _for_a_while(key: tuple[str, ...], read: Any, seconds: float = SECONDS_KEPT) -> Any:
    with _lock:
        until, value = _kept.get(key, (0.0, None))
    if time.monotonic() < until:
        return value
    value = read()
    with _lock:
        _kept[key] = (time.monotonic() + seconds, value)
    return value


def domain(region: str, name: str) -> Domain:
    """The custom domain of a name.

    Raises:
        UnknownNameError: there is none, or no API is mapped to it.
    """
    found: Domain = _for_a_while((region, "domain", name), lambda: _domain(region, name))
    return found


def _domain(region: str, name: str) -> Domain:
    gateway = client("apigateway", region)
    try:
        described = gateway.get_domain_name(domainName=name)
        mappings = gateway.get_base_path_mappings(domainName=name)["items"]
    except ClientError as error:
        raise UnknownNameError(f"{name} is no custom domain of API Gateway in {region}: {error}") from None
    mapped = next((one for one in mappings if one.get("basePath") in {None, "", "(none)"}), None)
    if mapped is None:
        raise UnknownNameError(f"no API is mapped to {name}")
    mutual = described.get("mutualTlsAuthentication") or {}
    return Domain(
        name=name,
        region=region,
        certificate=str(described["regionalCertificateArn"]),
        trust_store=_trust_store(region, mutual) if mutual else b"",
        api=_api(region, mapped["restApiId"], mapped["stage"]),
    )


def _trust_store(region: str, mutual: Mapping[str, Any]) -> bytes:
    bucket, _, key = str(mutual["truststoreUri"]).removeprefix("s3://").partition("/")
    version = {"VersionId": mutual["truststoreVersion"]} if mutual.get("truststoreVersion") else {}

    def read() -> bytes:
        return bytes(client("s3", region).get_object(Bucket=bucket, Key=key, **version)["Body"].read())

    found: bytes = _for_a_while((region, "store", bucket, key, str(version)), read, 60.0 if version else SECONDS_KEPT)
    return found


def _api(region: str, id_: str, stage: str) -> Api:
    described = client("apigateway", region).get_stage(restApiId=id_, stageName=stage)
    key = (region, "api", id_, stage, str(described["deploymentId"]))
    found: Api = _for_a_while(key, lambda: _read(region, id_, described), 3600.0)
    return found


def _read(region: str, id_: str, stage: Mapping[str, Any]) -> Api:
    gateway = client("apigateway", region)
    resources = gateway.get_resources(restApiId=id_, limit=PAGE, embed=["methods"])["items"]
    settings = (stage.get("methodSettings") or {}).get("*/*") or {}
    return Api(
        id=id_,
        name=str(gateway.get_rest_api(restApiId=id_)["name"]),
        stage=str(stage["stageName"]),
        methods={one["path"]: one["resourceMethods"] for one in resources if one.get("resourceMethods")},
        authorizers={one["id"]: one for one in gateway.get_authorizers(restApiId=id_, limit=PAGE)["items"]},
        models={one["name"]: one for one in gateway.get_models(restApiId=id_, limit=PAGE)["items"]},
        validators={one["id"]: one for one in gateway.get_request_validators(restApiId=id_, limit=PAGE)["items"]},
        rate=float(settings.get("throttlingRateLimit") or 0),
        burst=int(settings.get("throttlingBurstLimit") or 0),
    )


def key_of(region: str, api: Api, value: str) -> Key | None:
    """The key of a value in a usage plan of the stage; None where there is none."""
    keys: dict[str, Key] = _for_a_while((region, "keys", api.id, api.stage), lambda: _keys(region, api))
    return keys.get(value)


def _keys(region: str, api: Api) -> dict[str, Key]:
    gateway = client("apigateway", region)
    values = {one["id"]: one for one in gateway.get_api_keys(includeValues=True, limit=PAGE)["items"]}
    found = {}
    for plan in gateway.get_usage_plans(limit=PAGE)["items"]:
        if not any((one["apiId"], one["stage"]) == (api.id, api.stage) for one in plan.get("apiStages") or ()):
            continue
        throttle, quota = plan.get("throttle") or {}, plan.get("quota") or {}
        for one in gateway.get_usage_plan_keys(usagePlanId=plan["id"], limit=PAGE)["items"]:
            known = values.get(one["id"])
            if known is None:
                continue
            found[str(known["value"])] = Key(
                id=str(one["id"]),
                plan=str(plan["name"]),
                is_enabled=bool(known.get("enabled")),
                rate=float(throttle.get("rateLimit") or 0),
                burst=int(throttle.get("burstLimit") or 0),
                quota=int(quota.get("limit") or 0) if quota.get("period") == "DAY" else 0,
            )
    return found


def link(region: str, id_: str) -> Mapping[str, Any]:
    """A VPC link V2: its subnets and security groups."""
    gateway = client("apigatewayv2", region)
    found: Mapping[str, Any] = _for_a_while((region, "link", id_), lambda: gateway.get_vpc_link(VpcLinkId=id_), 60.0)
    return found
