"""Other environments of the payment API beside the one that deploy-api-local made, as for pull requests."""

from __future__ import annotations

import time
from dataclasses import replace

from emulator.ministack import existing, inventory
from operations.outcome import Failed
from operations.payment_api.local import LocalPaymentApi, changed
from operations.payment_api.pay import DeployedApi
from payment_api.settings import Settings, load

ROLLED_BACK = "ROLLBACK_COMPLETE"


def beside(local: LocalPaymentApi, api: DeployedApi, suffix: str, *, lacks: str = "") -> Environment:
    """An environment of another suffix in the same account, which extends the settings of the first.

    What must exist before is made of its own, but for the secret of the purpose ``lacks``.
    """
    text = (local.directory / "settings.toml").read_text(encoding="utf-8")
    path = local.directory / f"{suffix}.toml"
    path.write_text(changed(text, f'environment_suffix = "{suffix}"'), encoding="utf-8")
    own = existing.make_beside(api.server.url, load(str(path)), lacks=lacks)
    path.write_text(changed(path.read_text(encoding="utf-8"), own), encoding="utf-8")
    return Environment(local=local, first=api, settings=load(str(path)), suffix=suffix)


class Environment:
    """An environment beside another one."""

    def __init__(self, *, local: LocalPaymentApi, first: DeployedApi, settings: Settings, suffix: str) -> None:
        """``first`` is the environment that it is beside."""
        api = replace(first, settings=settings)
        self._first, self._api, self._suffix = first, api, suffix
        self._cdk = replace(
            local.cdk(local.directory / f"{suffix}.toml", api.server, api.settings),
            assembly=local.directory / f"cdk.out.{suffix}",
        )
        self._local = local

    def create(self) -> int:
        """Create it; the number of its resources.

        Raises:
            Failed: the creation failed.
        """
        self._cdk.synth(validate=False)
        self._local.execute(self._api.server, self._cdk)
        return len(self._local.deployed(self._api.server, self._cdk))

    def fail(self, seconds: float) -> str:
        """Create it, which must fail, and be rolled back by itself within so many seconds; the reason of the failure.

        Raises:
            Failed: it was created, or the rollback did not end.
        """
        began = time.monotonic()
        try:
            self.create()
        except Failed:
            status, reason = self._status(), self._reason()
            if status != ROLLED_BACK:
                raise Failed(f"the creation's rollback ended with {status}: {reason}") from None
            if (took := time.monotonic() - began) > seconds:
                raise Failed(f"the creation and its rollback took {took:.0f} s") from None
            return reason
        raise Failed(f"{self._suffix} was created although a secret is missing")

    def destroy(self) -> None:
        """Destroy it, and then what had to exist before.

        Raises:
            Failed: something of it is left.
        """
        self._cdk.destroy()
        existing.unmake_beside(self._api.server.url, self._api.settings)
        named = f"-{self._suffix}"
        own = f"{self._api.settings.names.prefix}/{self._suffix}/"
        # By the first environment's settings: by its own, what had to exist before it would not count.
        found = inventory.leftovers(self._api.server.url, self._first.settings)
        left = [one for one in found if named in one or own in one]
        if left:
            raise Failed(f"left of {self._suffix}: {', '.join(left)}")

    def _status(self) -> str:
        name = self._api.settings.names.of("api")
        (stack,) = self._api.api("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return str(stack["StackStatus"])

    def _reason(self) -> str:
        """Of the first resource that failed."""
        name = self._api.settings.names.of("api")
        pages = self._api.api("cloudformation").get_paginator("describe_stack_events").paginate(StackName=name)
        events = [one for page in pages for one in page["StackEvents"]]
        failed = [one for one in events if one["ResourceStatus"] == "CREATE_FAILED"]
        first = min(failed, key=lambda one: one["Timestamp"], default=None)
        return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', '')}" if first else "no reason"
