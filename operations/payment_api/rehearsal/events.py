"""What happens to the payment API in a rehearsal."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from emulator import process, running
from emulator.clock import DEFAULT_SECONDS_PER_MINUTE
from emulator.runtime import stand_in
from operations.outcome import Failed
from operations.payment_api.local import LocalPaymentApi, changed
from operations.payment_api.pay import MERCHANT, Client, DeployedApi
from operations.payment_api.rehearsal import by_hand, changes
from operations.payment_api.rehearsal.doors import KeyedDoor
from operations.payment_api.rehearsal.environments import beside
from operations.rehearsal import credential
from operations.rehearsal.course import Event
from operations.rehearsal.events import CURRENT, SECONDS_BETWEEN_MOVES, SERVER_ERROR, until

ROTATIONS = 2
SECONDS_PER_MINUTE_OF_A_CANARY = 4.0
"""Of few clients a tenth is too little for a minute that is a second: the alarm needs ten answers in each."""
SUCCESSFUL, ROLLED_BACK = "SUCCESSFUL", "ROLLBACK_SUCCESSFUL"
UPDATE_ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
SHIFTING = "PRODUCTION_TRAFFIC_SHIFT"
SECONDS_OF_A_FAILED_CREATION = 300.0
PULL_REQUEST, FAILED_CREATION = "pr7", "pr8"


@dataclass(kw_only=True)
class Operator:
    """Operates the payment API that deploy-api-local made."""

    local: LocalPaymentApi
    api: DeployedApi
    deployed: dict[str, str]
    """The physical ids of all resources."""
    toml: str = ""
    """The changes so far, as lines of TOML over the settings of the rehearsal."""

    @functools.cached_property
    def client(self) -> Client:
        """The client that pays all the time."""
        return self.api.client(MERCHANT)

    def update(self, toml: str) -> set[str]:
        """Deploy with further changes; what was replaced.

        Raises:
            Failed: the CDK failed, or something was replaced that may not be.
        """
        before, wanted = self.deployed, changed(self.toml, toml)
        self.deployed = self.local.update(wanted)
        self.toml = wanted
        replaced = changes.replaced(before, self.deployed)
        if lost := changes.lost(replaced):
            raise Failed(f"replaced: {', '.join(lost)}")
        return replaced

    def latest_deployment(self) -> dict[str, Any]:
        """The latest deployment of the service, as ECS describes it; empty where there was none."""
        name, ecs = self.api.settings.names.of("payments"), self.api.api("ecs")
        found = ecs.list_service_deployments(service=name, cluster=name)["serviceDeployments"]
        if not found:
            return {}
        arns = [found[0]["serviceDeploymentArn"]]
        (one,) = ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
        return dict(one)

    def stack_status(self) -> str:
        """The status of the stack."""
        name = self.api.settings.names.of("api")
        return str(self.api.api("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def _nothing(_operator: Operator) -> str:
    time.sleep(SECONDS_BETWEEN_MOVES)
    return ""


def _rotate(operator: Operator) -> str:
    """Rotate every secret that rotates, twice, and wait until the new version is current."""
    manager, own = operator.api.api("secretsmanager"), operator.api.settings.secrets

    def current(name: str) -> str:
        versions = manager.list_secret_version_ids(SecretId=name)["Versions"]
        (found,) = [one["VersionId"] for one in versions if CURRENT in one["VersionStages"]]
        return str(found)

    rotating = [name for name in (own.database, own.api_key, own.acquirer, own.peppers) if _rotates(manager, name)]
    if not rotating:
        raise Failed("no secret rotates")
    for _ in range(ROTATIONS):
        for name in rotating:
            before = current(name)
            manager.rotate_secret(SecretId=name)
            until(functools.partial(_is_new, current, name, before), f"a new version of {name} is current")
    return f"{ROTATIONS} rotations of {', '.join(rotating)}"


def _replace_secrets(operator: Operator) -> str:
    return by_hand.replace_secrets(operator.api, operator.client)


def _rotate_and_revoke_a_key(operator: Operator) -> str:
    """The life of the key of another merchant, which comes with its own certificate."""
    client = operator.api.client(f"{MERCHANT}-{uuid.uuid4().hex[:12]}")
    return credential.live(KeyedDoor.of(client), operator.api.administration(), client.merchant)


def _is_new(current: Callable[[str], str], name: str, before: str) -> bool:
    return current(name) != before


def _rotates(manager: Any, name: str) -> bool:
    return bool(manager.describe_secret(SecretId=name).get("RotationEnabled"))


def _digest() -> str:
    return os.urandom(32).hex()


def _pass(operator: Operator) -> str:
    """Deploy another image by the canary; it must succeed."""
    operator.update(changes.image(_digest()))
    last = operator.latest_deployment()
    if last.get("status") != SUCCESSFUL:
        raise Failed(f"the deployment ended with {last.get('status')}: {last.get('statusReason', '')}")
    return f"service deployment {last['status']}"


def _roll_back(operator: Operator) -> str:
    """Deploy an image whose tasks answer 500 once a share of the traffic comes to them: an alarm rolls it back."""
    server, digest = operator.api.server, _digest()
    image = changes.image(digest).partition('"')[2].partition('"')[0]
    with _slow_clock(server), contextlib.ExitStack() as until_the_end:
        before = operator.latest_deployment().get("serviceDeploymentArn", "")

        def fail() -> None:
            until(lambda: _is_shifting(operator, before), "the canary gets a share of the traffic")
            until_the_end.enter_context(stand_in.serving(server, image, status=SERVER_ERROR))

        watcher = threading.Thread(target=fail, daemon=True)
        watcher.start()
        try:
            operator.update(changes.image(digest))
        except Failed:
            watcher.join()
        else:
            raise Failed("an image that answers 500 was deployed")
    last, stack = operator.latest_deployment(), operator.stack_status()
    triggered = (last.get("alarms") or {}).get("triggeredAlarmNames", [])
    if (last.get("status"), stack) != (ROLLED_BACK, UPDATE_ROLLED_BACK) or not triggered:
        raise Failed(f"the deployment ended with {last.get('status')}, the stack with {stack}: {triggered}")
    return f"service deployment {last['status']} by {', '.join(triggered)}; stack {stack}"


@contextlib.contextmanager
def _slow_clock(server: process.Server) -> Iterator[None]:
    process.set_clock(server, SECONDS_PER_MINUTE_OF_A_CANARY)
    running.ring_alarms(server)
    try:
        yield
    finally:
        process.set_clock(server, DEFAULT_SECONDS_PER_MINUTE)


def _is_shifting(operator: Operator, before: str) -> bool:
    last = operator.latest_deployment()
    return last.get("serviceDeploymentArn", "") != before and last.get("lifecycleStage") == SHIFTING


def _update(operator: Operator) -> str:
    """Change one setting of each kind."""
    replaced = operator.update(changes.CHANGES.format(digest=_digest()))
    return f"{len(replaced)} of {len(operator.deployed)} resources replaced, none of them stateful"


def _pull_request(operator: Operator) -> str:
    """An environment beside the first, and its end; the first does not change."""
    one = beside(operator.local, operator.api, PULL_REQUEST)
    made = one.create()
    one.destroy()
    cdk = operator.local.cdk(operator.local.directory / "changed.toml", operator.api.server, operator.api.settings)
    if operator.local.deployed(operator.api.server, cdk) != operator.deployed:
        raise Failed("the first environment has changed")
    return f"{made} resources created and destroyed, the first environment's unchanged"


def _fail_to_create(operator: Operator) -> str:
    """The creation of an environment whose secret is missing, which is rolled back by itself."""
    one = beside(operator.local, operator.api, FAILED_CREATION, lacks="api_key")
    reason = one.fail(SECONDS_OF_A_FAILED_CREATION)
    one.destroy()
    return f"rolled back: {reason[:100]}"


EVENTS = (
    Event(name="quiet", meaning="nothing happens", happen=_nothing),
    Event(name="rotation", meaning="each secret that rotates does, twice", happen=_rotate),
    Event(name="secrets", meaning="peppers and the acquirer's key are replaced, twice", happen=_replace_secrets),
    Event(name="credential", meaning="a merchant's key rotates, and is revoked", happen=_rotate_and_revoke_a_key),
    Event(name="canary", meaning="an image is deployed by a canary", happen=_pass),
    Event(name="rollback", meaning="a canary that fails is rolled back by its alarm", happen=_roll_back),
    Event(name="update", meaning="one setting of each kind changes", happen=_update),
    Event(name="pull-request", meaning="an environment comes and goes beside it", happen=_pull_request),
    Event(name="failed-creation", meaning="a creation fails, and is rolled back", happen=_fail_to_create),
)
"""All events, in the order in which they happen."""
