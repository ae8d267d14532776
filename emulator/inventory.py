"""Remaining resources in the local AWS: the proof that a destruction left nothing.

Resources that AWS creates in every account are excluded: the default VPC of each region with its parts, and roles and
keys of AWS. A key or secret that is scheduled for deletion counts as deleted: AWS never deletes it at once.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import botocore.session
from botocore.config import Config

from emulator.address import environment
from emulator.finders import GLOBAL, REGIONAL, Clients, Finder
from emulator.finders.listing import GLOBAL_REGION

REGIONS = ("us-east-2", "us-west-2", "us-east-1")


@dataclass(frozen=True, order=True)
class Leftover:
    """A remaining resource: its region ("global" if none), its type and its id, name or ARN."""

    region: str
    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.region})"


def leftovers(
    url: str, *, state_bucket: str | None = None, except_for: Collection[str] = (), regions: Iterable[str] = REGIONS
) -> list[Leftover]:
    """All remaining resources in the local AWS at ``url``, sorted.

    Args:
        url: of the local AWS.
        state_bucket: may remain, as may its replica and the role of its replication (which have one name), with the
            keys that encrypt them and the aliases of these keys.
        except_for: ids, names or ARNs of other resources that may remain.
        regions: to search.
    """
    found = [leftover for region in regions for leftover in _find(region, REGIONAL, _clients(url, region))]
    found += _find("global", GLOBAL, _clients(url, GLOBAL_REGION))
    expected = {
        *except_for,
        *(
            identifier
            for bucket in ((state_bucket, f"{state_bucket}-replica") if state_bucket else ())
            for identifier in _of_state_bucket(_clients(url, GLOBAL_REGION), url, bucket)
        ),
    }
    return sorted(leftover for leftover in found if leftover.id not in expected)


def _find(region: str, finders: Mapping[str, Finder], clients: Clients) -> Iterator[Leftover]:
    for kind, find in finders.items():
        for identifier in find(clients):
            yield Leftover(region, kind, identifier)


def _of_state_bucket(clients: Clients, url: str, bucket: str) -> Iterator[str]:
    """The state bucket, the key that encrypts it, and the aliases of that key."""
    yield bucket
    s3 = clients("s3")
    if bucket not in {entry["Name"] for entry in s3.list_buckets()["Buckets"]}:
        return
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    key = rules[0]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")
    if key:
        # An ARN names its region; an id or alias is of the bucket's.
        region = key.split(":")[3] if ":" in key else s3.head_bucket(Bucket=bucket)["BucketRegion"]
        kms = _clients(url, region)("kms")
        key_id = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyId"]
        yield key_id
        yield from (alias["AliasName"] for alias in kms.list_aliases(KeyId=key_id)["Aliases"])


@functools.cache
def _session() -> botocore.session.Session:
    # One for all clients: it holds the models, of which EC2's takes most of a second to load.
    variables = environment("")
    session = botocore.session.get_session()
    session.set_credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    return session


@functools.lru_cache(maxsize=len(REGIONS) + 1)
def _clients(url: str, region: str) -> Clients:
    # Those of the last local AWS are kept: to create the clients of all services takes a second.
    session = _session()
    # The local AWS itself is the proxy, not the user's: the host of S3 Control begins with the account,
    # which no resolver knows. No retries: a local AWS that fails once fails again.
    config = Config(proxies={"http": url}, retries={"total_max_attempts": 1})
    return functools.cache(lambda service: session.create_client(service, region, endpoint_url=url, config=config))
