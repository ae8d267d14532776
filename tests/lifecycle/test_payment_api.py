"""The whole life of the payment API on the local AWS, with the real CDK CLI, and a payment. Takes some minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.outcome import console
from operations.payment_api.local import LocalPaymentApi
from operations.payment_api.pay import DeployedApi, pay
from operations.payment_api.rehearsal import changes
from operations.payment_api.rehearsal.events import SUCCESSFUL, Operator

pytestmark = pytest.mark.lifecycle

DIGEST = "0" * 63 + "2"


@pytest.mark.requirement("P6.1", "P6.3", "P6.4", "P6.5", "P6.7", "P2.1", "P2.2", "P3.1", "P4.1", "P4.3", "P5.1", "P5.2")
def test_deploy_verify_update_and_destroy(tmp_path: Path) -> None:
    api = LocalPaymentApi(console(), directory=tmp_path / "local-api", outputs=tmp_path / "cfn-outputs")
    try:
        before = api.deploy(None)
        pay(1200, "EUR", console(), api.directory)
        api.verify()
        after = api.update(changes.CHANGES.format(digest=DIGEST))
        replaced = changes.replaced(before, after)
        assert not changes.lost(replaced)
        assert len(replaced) < len(before) / 10
        operator = Operator(local=api, api=DeployedApi.find(api.directory), deployed=after)
        assert operator.latest_deployment()["status"] == SUCCESSFUL, "the new image came by a canary"
        api.verify()
        api.destroy()
    finally:
        api.abandon()
