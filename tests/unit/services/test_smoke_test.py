"""The smoke test (W2.3): it knows every critical service's checks."""

from __future__ import annotations

import json

import pytest

from settings import Settings
from tests.synthesized import Synthesized, path_of
from tests.unit.services.support import CRITICAL, REGIONS


@pytest.mark.requirement("W2.3")
@pytest.mark.requirement("Q2")
@pytest.mark.parametrize("region", REGIONS)
def test_smoke_test_knows_the_checks_of_every_critical_service(
    platform: Synthesized, local_settings: Settings, region: str
) -> None:
    function = platform.resource("aws_lambda_function", f"{region}/services/smoke-test/function")
    variables = function["environment"]["variables"]
    checks = json.loads(variables["CHECKS"])
    assert set(checks) == {local_settings.names.of(name) for name in CRITICAL}
    for name in CRITICAL:
        (check,) = checks[local_settings.names.of(name)]
        assert check["path"] == local_settings.services[name].health_check.path
    name = {"primary": "us-east-2", "recovery": "us-west-2"}[region]
    assert variables["TEST_LISTENER_URL"] == f"https://origin-local-{name}.pay.example.com:8443"
    assert function["architectures"] == ["arm64"]
    assert all("private-subnet" in path_of(platform.by_id(s)) for s in function["vpc_config"]["subnet_ids"])
