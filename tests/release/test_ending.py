"""The endings that the local AWS does not play: rollbacks that fail, and answers that contradict each other."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from rich.console import Console

from operations.outcome import Failed
from operations.release.command import _Release
from operations.release.progress import Look, Plan
from operations.release.request import Request
from operations.release.service import BlueGreenService, Place
from tests.release.support import NEW, OLD

pytestmark = [pytest.mark.requirement("W2.4")]
PLACE = Place(service="web", name="payments-web-prod", cluster="main", region="us-east-2", hook_arn="h")
NOW = datetime.now(UTC)


def plan(*, rolls_back: bool = True) -> Plan:
    return Plan(shift=timedelta(), bake=timedelta(), alarms=(), rolls_back=rolls_back)


def look(**changes: Any) -> Look:
    values: dict[str, Any] = {"deployment_id": "d-1", "status": "Failed", "began": NOW, "ended": NOW}
    return Look(**{**values, **changes})


def ending(seen: Look, planned: Plan, runs: str = OLD) -> int:
    service = cast(
        "BlueGreenService", SimpleNamespace(running=lambda: SimpleNamespace(image=runs), resume_scaling=lambda _: None)
    )
    console = Console(file=io.StringIO(), width=200)
    release = _Release(Request(service="web", environment="local"), PLACE, service, console, 0.0)
    return release._ending(seen, planned, wanted=NEW)


def test_results_of_a_release_are_distinguished() -> None:
    assert ending(look(status="Succeeded"), plan(), runs=NEW) == 0
    assert ending(look(rollback_id="d-2", rollback_status="Succeeded"), plan()) == 3
    assert ending(look(green_percent=0.0), plan()) == 3
    assert ending(look(), plan()) == 3


@pytest.mark.parametrize(
    ("seen", "planned", "said"),
    [
        (look(status="Succeeded"), plan(), f"d-1 has succeeded, but web in us-east-2 runs {OLD}"),
        (look(rollback_id="d-2", rollback_status="Failed"), plan(), "its rollback d-2 Failed"),
        (look(rollback_id="d-2", rollback_status="Stopped", green_percent=0.0), plan(), "its rollback d-2 Stopped"),
        (look(green_percent=10.0), plan(), "no rollback: Failed\ngreen 10 %"),
        (look(), plan(rolls_back=False), "no rollback: Failed\ngreen never had traffic"),
        (look(green_percent=0.0), plan(rolls_back=False), "no rollback: Failed\ngreen 0 %"),
    ],
)
def test_unknown_status_is_a_failure(seen: Look, planned: Plan, said: str) -> None:
    with pytest.raises(Failed) as failed:
        ending(seen, planned)

    assert said in str(failed.value)


def test_a_deployment_that_has_not_begun_has_no_target_yet() -> None:
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-2")
    service = BlueGreenService(PLACE, session)

    with Stubber(service._codedeploy) as stub:
        for code in ("DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"):
            asked = {"deploymentId": "d-1", "targetId": "main:payments-web-prod"}
            stub.add_client_error("get_deployment_target", code, expected_params=asked)
            assert service._target("d-1") == {}
        stub.add_client_error("get_deployment_target", "DeploymentDoesNotExistException")
        with pytest.raises(ClientError):
            service._target("d-1")
