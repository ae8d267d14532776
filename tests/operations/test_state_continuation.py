"""The state goes on in the recovery region while the primary one is lost, and comes back; no change is lost (W0.3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from rich.console import Console

from operations.deployment.state_replica import Replica, refuse_the_other_state
from operations.outcome import Refused
from tests.operations.state_bucket import OTHER_REGION, World
from tests.synthesized import synthesize

pytestmark = pytest.mark.requirement("W0.3")
LINEAGE = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"


def state(serial: int, lineage: str = LINEAGE) -> bytes:
    return json.dumps({"version": 4, "serial": serial, "lineage": lineage, "resources": []}).encode()


class Regions:
    """Both regions' buckets, as they are after `make bootstrap`, with serial 7 in each."""

    def __init__(self, world: World) -> None:
        self.settings = world.settings
        self.primary, self.recovery = world.client("s3"), world.client("s3", OTHER_REGION)
        for client, bucket in ((self.primary, self.own), (self.recovery, self.there)):
            place = {"LocationConstraint": client.meta.region_name}
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
            self.put(client, bucket, self.settings.state_key, state(7))
        self.replica = Replica(self.settings, self.primary, self.recovery, Console(quiet=True))

    @property
    def own(self) -> str:
        return self.settings.state.bucket

    @property
    def there(self) -> str:
        return self.settings.state.replica

    @staticmethod
    def put(client: Any, bucket: str, key: str, body: bytes) -> None:
        client.put_object(Bucket=bucket, Key=key, Body=body)

    def lock(self, client: Any, bucket: str, key: str) -> None:
        said = {"ID": "1", "Operation": "OperationTypeApply", "Who": "runner@ci", "Created": "2026-11-29T10:00:00Z"}
        self.put(client, bucket, f"{key}.tflock", json.dumps(said).encode())

    def objects(self) -> set[str]:
        return {one["Key"] for one in self.recovery.list_objects_v2(Bucket=self.there)["Contents"]}

    def read(self, client: Any, bucket: str, key: str) -> bytes:
        body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def go_on(self, *, accept_behind: bool = False) -> None:
        self.replica.continue_(approve=True, accept_behind=accept_behind)

    def change(self, serial: int) -> None:
        """What a deployment writes that uses the continued state."""
        self.put(self.recovery, self.there, self.settings.continued_state_key, state(serial))


@pytest.fixture
def regions(world: World) -> Regions:
    return Regions(world)


@pytest.fixture
def lose_primary(regions: Regions, intercepted: Callable[..., None]) -> Callable[[], None]:
    def lost(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://s3.us-east-2.amazonaws.com")

    return lambda: intercepted(regions.primary, "before-call.s3", lost)


def test_state_goes_on_from_the_replica_while_the_primary_region_does_not_answer(
    regions: Regions, lose_primary: Callable[[], None]
) -> None:
    lose_primary()
    regions.go_on()
    assert regions.read(regions.recovery, regions.there, regions.settings.continued_state_key) == state(7)


def test_to_continue_twice_changes_nothing(regions: Regions) -> None:
    regions.go_on()
    regions.change(8)
    regions.go_on()
    assert regions.read(regions.recovery, regions.there, regions.settings.continued_state_key) == state(8)


def test_what_is_replicated_late_does_not_replace_what_goes_on(regions: Regions) -> None:
    regions.go_on()
    regions.change(8)
    regions.put(regions.recovery, regions.there, regions.settings.state_key, state(8, "late"))
    assert regions.read(regions.recovery, regions.there, regions.settings.continued_state_key) == state(8)


def _behind(regions: Regions) -> None:
    regions.put(regions.primary, regions.own, regions.settings.state_key, state(9))


def _of_another_lineage(regions: Regions) -> None:
    regions.put(regions.primary, regions.own, regions.settings.state_key, state(7, "another"))


def _locked(regions: Regions) -> None:
    regions.lock(regions.recovery, regions.there, regions.settings.state_key)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_behind, r"it is behind: serial 7; us-east-2 answers, and has 9"),
        (_of_another_lineage, r"it is of another lineage than the state in us-east-2"),
        (
            _locked,
            r"it is behind: OperationTypeApply, by runner@ci, began 2026-11-29 10:00 UTC, and how it ended has not",
        ),
    ],
)
def test_replica_that_is_not_the_last_state_is_refused_unless_that_is_accepted(
    regions: Regions, make: Callable[[Regions], None], why: str
) -> None:
    make(regions)
    for ask in (regions.replica.show, regions.go_on):
        with pytest.raises(Refused, match=why):
            ask()
    assert regions.settings.continued_state_key not in regions.objects()
    regions.go_on(accept_behind=True)
    assert regions.settings.continued_state_key in regions.objects()


def test_region_without_a_replica_is_refused_whatever_is_accepted(regions: Regions) -> None:
    regions.recovery.delete_object(Bucket=regions.there, Key=regions.settings.state_key)
    with pytest.raises(Refused, match="there is no state; make bootstrap sets replication up"):
        regions.go_on(accept_behind=True)


def test_what_went_on_returns_and_leaves_nothing_to_continue(regions: Regions) -> None:
    before = regions.objects()
    regions.go_on()
    regions.change(9)
    regions.replica.return_(approve=True)
    assert regions.read(regions.primary, regions.own, regions.settings.state_key) == state(9)
    assert regions.objects() == before
    with pytest.raises(Refused, match="there is no s3://"):
        regions.replica.return_(approve=True)


def _went_on_too(regions: Regions) -> None:
    """The last write before the loss had not been replicated."""
    regions.put(regions.primary, regions.own, regions.settings.state_key, state(8))


def _is_deployed_to(regions: Regions) -> None:
    regions.lock(regions.primary, regions.own, regions.settings.state_key)


def _is_continued(regions: Regions) -> None:
    regions.lock(regions.recovery, regions.there, regions.settings.continued_state_key)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_went_on_too, r"it has serial 8, and what continues began from 7: changes of both must be put together"),
        (_of_another_lineage, r"it is of another lineage"),
        (_is_deployed_to, r"terraform\.tfstate: it is locked: OperationTypeApply, by runner@ci"),
        (_is_continued, r"continued/terraform\.tfstate: it is locked: OperationTypeApply, by runner@ci"),
    ],
)
def test_return_that_would_lose_a_change_is_refused(
    regions: Regions, make: Callable[[Regions], None], why: str
) -> None:
    regions.go_on()
    regions.change(9)
    make(regions)
    before = regions.read(regions.primary, regions.own, regions.settings.state_key)
    with pytest.raises(Refused, match=why):
        regions.replica.return_(approve=True)
    assert regions.read(regions.primary, regions.own, regions.settings.state_key) == before
    assert regions.settings.continued_state_key in regions.objects()


def test_interrupted_return_is_completed_by_the_next(regions: Regions, intercepted: Callable[..., None]) -> None:
    regions.go_on()
    regions.change(9)

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    intercepted(regions.recovery, "before-call.s3.DeleteObject", interrupted)
    with pytest.raises(KeyboardInterrupt):
        regions.replica.return_(approve=True)
    regions.recovery.meta.events.unregister("before-call.s3.DeleteObject", interrupted)
    regions.replica.return_(approve=True)
    assert regions.read(regions.primary, regions.own, regions.settings.state_key) == state(9)
    assert regions.settings.continued_state_key not in regions.objects()


def test_deployment_uses_the_state_that_goes_on_or_is_refused(regions: Regions) -> None:
    own = regions.settings
    moved = own.model_copy(update={"state": own.state.model_copy(update={"in_recovery_region": True})})
    refuse_the_other_state(own, regions.recovery)
    with pytest.raises(Refused, match=r"state\.in_recovery_region: true is not allowed; there is no s3://"):
        refuse_the_other_state(moved, regions.recovery)
    regions.go_on()
    refuse_the_other_state(moved, regions.recovery)
    with pytest.raises(Refused, match=r"state\.in_recovery_region: false is not allowed; the state continues in s3://"):
        refuse_the_other_state(own, regions.recovery)


def test_backend_is_the_continued_state_where_settings_say_so(regions: Regions) -> None:
    own = regions.settings
    moved = own.model_copy(update={"state": own.state.model_copy(update={"in_recovery_region": True})})
    backend = synthesize(moved).configuration["terraform"]["backend"]["s3"]
    assert backend == {
        "bucket": regions.there,
        "key": own.continued_state_key,
        "region": OTHER_REGION,
        "use_lockfile": True,
    }
