"""Load balancers: trust stores, and the mutual authentication of listeners, which ministack lacks."""

from __future__ import annotations

import uuid
from typing import Any
from xml.sax.saxutils import escape

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import alb, s3

from emulator.cloudformation.registry import Created, Properties, add_type

STORES: Any = AccountRegionScopedDict()
NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"


def install() -> None:
    """Register these additions with ministack."""
    add_type("AWS::ElasticLoadBalancingV2::TrustStore", create=_create, delete=lambda arn, _: STORES.pop(arn, None))
    if "DescribeTrustStores" in alb._ACTION_MAP:
        raise RuntimeError("ministack describes trust stores by itself")
    alb._ACTION_MAP["DescribeTrustStores"] = _describe


def _create(_logical_id: str, properties: Properties, _stack: str) -> Created:
    """The object that it is read from must exist, in the version that is named."""
    bucket, key = properties["CaCertificatesBundleS3Bucket"], properties["CaCertificatesBundleS3Key"]
    version = properties.get("CaCertificatesBundleS3ObjectVersion")
    versions = s3._object_versions.get((bucket, key)) or []
    if version not in {one["version_id"] if isinstance(one, dict) else one[0] for one in versions}:
        raise ValueError(f"CaCertificatesBundleNotFound: {bucket}/{key} has no version {version}")
    place = f"{get_region()}:{get_account_id()}"
    arn = f"arn:aws:elasticloadbalancing:{place}:truststore/{properties['Name']}/{uuid.uuid4().hex[:16]}"
    STORES[arn] = {"Name": properties["Name"], "TrustStoreArn": arn, "Status": "ACTIVE"}
    return arn, {"TrustStoreArn": arn, "Status": "ACTIVE"}


def _describe(_parameters: Any) -> tuple[int, dict[str, str], bytes]:
    members = "".join(
        "<member>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in store.items()) + "</member>"
        for store in STORES.values()
    )
    result = f"<DescribeTrustStoresResult><TrustStores>{members}</TrustStores></DescribeTrustStoresResult>"
    text = f'<DescribeTrustStoresResponse xmlns="{NAMESPACE}">{result}</DescribeTrustStoresResponse>'
    return 200, {"Content-Type": "text/xml"}, text.encode()
