"""CodeDeploy: deployment configurations, which say how traffic shifts. moto has none."""

from __future__ import annotations

import uuid
from typing import Any

from moto.codedeploy.exceptions import CodeDeployException
from moto.codedeploy.models import CodeDeployBackend, DeploymentGroup
from moto.codedeploy.responses import CodeDeployResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from emulator.moto.extend import Method, add, override

ECS = "ECS"
ECS_DEFAULT = "CodeDeployDefault.ECSAllAtOnce"


def _canary(percentage: int, minutes: int) -> dict[str, Any]:
    share = {"canaryPercentage": percentage, "canaryInterval": minutes}
    return {"type": "TimeBasedCanary", "timeBasedCanary": share}


def _linear(percentage: int, minutes: int) -> dict[str, Any]:
    share = {"linearPercentage": percentage, "linearInterval": minutes}
    return {"type": "TimeBasedLinear", "timeBasedLinear": share}


PREDEFINED = {
    ECS_DEFAULT: {"type": "AllAtOnce"},
    "CodeDeployDefault.ECSCanary10Percent5Minutes": _canary(10, 5),
    "CodeDeployDefault.ECSCanary10Percent15Minutes": _canary(10, 15),
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes": _linear(10, 1),
    "CodeDeployDefault.ECSLinear10PercentEvery3Minutes": _linear(10, 3),
}
"""AWS's own configurations for ECS (CodeDeploy user guide, "Working with deployment configurations")."""


def error(code: str, message: str) -> CodeDeployException:
    """An error of CodeDeploy."""
    return CodeDeployException(code, message)


@override(CodeDeployBackend)
def __init__(original: Method, self: Any, region_name: str, account_id: str) -> None:  # noqa: N807
    """Begin with AWS's own configurations."""
    original(self, region_name, account_id)
    self.deployment_configs = {name: _config(name, ECS, traffic) for name, traffic in PREDEFINED.items()}


def _config(name: str, platform: str, traffic: Any, hosts: Any = None, zonal: Any = None) -> dict[str, Any]:
    config = {
        "deploymentConfigId": str(uuid.uuid4()),
        "deploymentConfigName": name,
        "computePlatform": platform,
        "createTime": utcnow(),
        "trafficRoutingConfig": traffic,
        "minimumHealthyHosts": hosts,
        "zonalConfig": zonal,
    }
    return {member: value for member, value in config.items() if value is not None}


@add(CodeDeployResponse)
def create_deployment_config(self: Any) -> ActionResult:
    """Store the configuration."""
    name = self._get_param("deploymentConfigName")
    configs = self.codedeploy_backend.deployment_configs
    if name in configs:
        raise error("DeploymentConfigAlreadyExistsException", f"Deployment configuration {name} already exists.")
    configs[name] = _config(
        name,
        self._get_param("computePlatform") or "Server",
        self._get_param("trafficRoutingConfig"),
        self._get_param("minimumHealthyHosts"),
        self._get_param("zonalConfig"),
    )
    return ActionResult({"deploymentConfigId": configs[name]["deploymentConfigId"]})


@add(CodeDeployResponse)
def get_deployment_config(self: Any) -> ActionResult:
    """Answer the configuration as it was sent."""
    return ActionResult({"deploymentConfigInfo": config_named(self.codedeploy_backend, _config_name(self))})


@add(CodeDeployResponse)
def list_deployment_configs(self: Any) -> ActionResult:
    """Answer the names of all."""
    return ActionResult({"deploymentConfigsList": sorted(self.codedeploy_backend.deployment_configs)})


@add(CodeDeployResponse)
def delete_deployment_config(self: Any) -> EmptyResult:
    """Delete a configuration that no group uses; a missing one is no error."""
    name = _config_name(self)
    if name in PREDEFINED:
        raise error("InvalidOperationException", f"{name} cannot be deleted.")
    if name in {group.deployment_config_name for group in _groups(self.codedeploy_backend)}:
        raise error("DeploymentConfigInUseException", f"Deployment configuration {name} is in use.")
    self.codedeploy_backend.deployment_configs.pop(name, None)
    return EmptyResult()


def config_named(backend: Any, name: str) -> dict[str, Any]:
    """The configuration of that name."""
    if name not in backend.deployment_configs:
        raise error("DeploymentConfigDoesNotExistException", f"No deployment configuration found for name: {name}")
    return backend.deployment_configs[name]  # type: ignore[no-any-return]


def _config_name(self: Any) -> str:
    return str(self._get_param("deploymentConfigName"))


def _groups(backend: Any) -> list[DeploymentGroup]:
    return [group for groups in backend.deployment_groups.values() for group in groups.values()]
