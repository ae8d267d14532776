"""What the payment API and the service that it runs must agree on: paths, methods, models, port and variables.

The service's own process is asked for every path that a template of the payment API or the platform's configuration
names. None of the parts is held against a constant of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from typing import Any
from uuid import uuid4

import jsonschema
import pytest

from payment_api.settings import load
from payments.migrate import migrate
from payments.settings import DatabaseSettings, ServiceSettings
from tests.payment_api.support import Template
from tests.payments import support
from tests.payments.conftest import database_of, local_aws, platform_of
from tests.payments.defaults import unsaid
from tests.payments.logins import create_logins, logins
from tests.payments.support import Running
from tests.postgresql import Postgresql
from tests.synthesized import Synthesized, path_of

PAYMENT_ID = "{payment_id}"
CONTRACT = json.loads((support.SERVICE / "openapi.json").read_text())
OF_OPERATORS = {"health", "ready"}
VALID = {"amount": 1000, "currency": "USD", "token": "tok_visa_1"}

Call = tuple[str, str]
"""An HTTP method and a path of the contract."""


@pytest.fixture(scope="module")
def service(postgresql: Postgresql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        database = stack.enter_context(database_of(postgresql))
        with postgresql.connect() as connection:
            create_logins(connection)
        migrate(database.connect, logins=logins())
        platform = platform_of(database, stack.enter_context(local_aws()))
        yield stack.enter_context(support.running(tmp_path_factory.mktemp("service"), platform.environment))


def contract() -> set[Call]:
    """What a client may call."""
    return {
        (method.upper(), path)
        for path, methods in CONTRACT["paths"].items()
        for method, described in methods.items()
        if described["operationId"] not in OF_OPERATORS
    }


def gateway(api: Template) -> dict[Call, dict[str, Any]]:
    """What the gateway serves, by method and the whole path that a client asks for."""
    resources = api.of("AWS::ApiGateway::Resource")

    def path(id_: Any) -> str:
        if "Ref" not in id_:  # the root
            return ""
        one = resources[id_["Ref"]]
        return f"{path(one['ParentId'])}/{one['PathPart']}"

    (mapping,) = api.of("AWS::ApiGateway::BasePathMapping").values()
    base = f"/{mapping['BasePath']}" if mapping.get("BasePath") else ""
    return {
        (one["HttpMethod"], base + path(one["ResourceId"])): one for one in api.of("AWS::ApiGateway::Method").values()
    }


def rules(api: Template) -> dict[str, list[tuple[str, str]]]:
    """By listener, the path patterns that it forwards, and what a target is then asked for."""
    found: dict[str, list[tuple[str, str]]] = {}
    for rule in api.of("AWS::ElasticLoadBalancingV2::ListenerRule").values():
        patterns = [pattern for one in rule["Conditions"] for pattern in one["PathPatternConfig"]["Values"]]
        forwarded = [(pattern, _rewritten(rule, pattern)) for pattern in patterns]
        found.setdefault(str(rule["ListenerArn"]), []).extend(forwarded)
    return found


def _rewritten(rule: dict[str, Any], path: str) -> str:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-transforms.html"""
    for transform in rule.get("Transforms", []):
        for one in transform["UrlRewriteConfig"]["Rewrites"]:
            path = re.sub(one["Regex"], one["Replace"], path)
    return path


def backend_path(method: dict[str, Any]) -> str:
    found = re.fullmatch(r"https://[^/]+(/.*)", method["Integration"]["Uri"])
    assert found
    return found[1]


@pytest.mark.requirement("P2.2", "Q1")
def test_the_gateway_serves_every_operation_of_the_contract_under_its_own_path(api: Template) -> None:
    assert contract()
    served = gateway(api)
    assert set(served) == contract()
    assert {call: backend_path(method) for call, method in served.items()} == {call: call[1] for call in served}


@pytest.mark.requirement("P2.1", "Q1")
def test_every_listener_forwards_every_path_of_the_contract_and_no_other(api: Template) -> None:
    listeners = rules(api)
    assert len(listeners) == len(api.of("AWS::ElasticLoadBalancingV2::Listener"))
    for patterns in listeners.values():
        for _, path in contract():
            assert any(fnmatchcase(path, pattern) for pattern, _ in patterns), path
        for pattern, asked in patterns:
            assert any(fnmatchcase(path, asked) for _, path in contract()), pattern


@pytest.mark.requirement("P2.2")
def test_load_balancer_forwards_the_same_path_with_or_without_the_stage(
    api: Template,
) -> None:
    """AWS's guide says that it does, the CDK's test of such an integration that it does not."""
    (rule,) = (one for one in api.of("AWS::ElasticLoadBalancingV2::ListenerRule").values() if "Transforms" in one)
    (patterns,) = ([pattern for pattern, _ in found] for found in rules(api).values() if len(found) == 4)
    stage = api.one("AWS::ApiGateway::Stage")["StageName"]
    for _, path in contract():
        for sent in (path, f"/{stage}{path}"):
            assert any(fnmatchcase(sent, pattern) for pattern in patterns)
            assert _rewritten(rule, sent) == path


@pytest.mark.requirement("P2.1", "P3.1", "Q1")
def test_health_check_path_is_a_path_of_the_service(api: Template, service: Running) -> None:
    groups = api.of("AWS::ElasticLoadBalancingV2::TargetGroup").values()
    assert len(groups) == 2 * len(api.of("AWS::ElasticLoadBalancingV2::LoadBalancer"))
    for group in groups:
        answered = service.client.get(group["HealthCheckPath"])
        assert str(answered.status_code) == group["Matcher"]["HttpCode"], group["HealthCheckPath"]


@pytest.mark.requirement("P2.2", "Q1")
def test_the_service_answers_every_method_that_the_gateway_passes_on(api: Template, service: Running) -> None:
    payment = service.create().json()["id"]
    served = gateway(api)
    assert served
    for (verb, _), method in served.items():
        path = backend_path(method).replace(PAYMENT_ID, payment)
        answered = service.client.request(verb, path, headers=support.keyed(), json={} if verb == "POST" else None)
        assert answered.status_code not in {404, 405}, f"{verb} {path}"


@pytest.mark.requirement("P2.2", "Q1")
def test_gateway_serves_the_services_payment_location(api: Template, service: Running) -> None:
    created = service.create()
    location = created.headers["Location"]
    assert service.client.get(location).status_code == 200
    assert ("GET", location.replace(created.json()["id"], PAYMENT_ID)) in gateway(api)


@pytest.mark.requirement("W2.2", "Q1")
def test_the_platform_checks_and_forwards_paths_that_the_service_answers(
    platform: Synthesized, service: Running
) -> None:
    groups = [one for one in platform.resources("aws_lb_target_group").values() if "/payments/" in path_of(one)]
    assert groups
    for group in groups:
        assert service.client.get(group["health_check"]["path"]).status_code == 200
    patterns = [
        pattern
        for rule in platform.resources("aws_lb_listener_rule").values()
        for condition in rule["condition"]
        for pattern in condition.get("path_pattern", {}).get("values", [])
    ]
    for _, path in contract():
        assert any(fnmatchcase(path, pattern) for pattern in patterns), path


BODIES = [
    VALID,
    {**VALID, "reference": None},
    {**VALID, "reference": "order-1"},
    {**VALID, "capture": "manual"},
    {**VALID, "amount": 1000.0},
    {**VALID, "amount": 1000.5},
    {**VALID, "amount": 0},
    {**VALID, "amount": 999_999_999_999},
    {**VALID, "amount": 1_000_000_000_000},
    {**VALID, "currency": "usd"},
    {**VALID, "currency": "XYZ"},
    {**VALID, "token": "short"},
    {**VALID, "reference": "no spaces"},
    {**VALID, "capture": "later"},
    {**VALID, "unknown": 1},
    {"amount": 1000},
    [],
    None,
]


@pytest.mark.requirement("P2.2", "Q1")
@pytest.mark.parametrize("body", BODIES, ids=json.dumps)
def test_the_gateway_takes_and_refuses_the_bodies_that_the_service_does(
    api: Template, service: Running, body: Any
) -> None:
    method = gateway(api)[("POST", "/api/v1/payments")]
    schema = api.of("AWS::ApiGateway::Model")[method["RequestModels"]["application/json"]["Ref"]]["Schema"]
    taken = jsonschema.Draft4Validator(schema).is_valid(body)
    answered = service.client.post("/api/v1/payments", json=body, headers=support.keyed(str(uuid4())))
    assert taken is (answered.status_code == 202), answered.text


@pytest.mark.requirement("P3.1", "Q1")
def test_the_service_understands_the_variables_and_the_port_of_its_task(
    api: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = api.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    variables = {one["Name"]: one["Value"] for one in container["Environment"]}
    for name, value in variables.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "set-by-cloudformation")
    service, database = ServiceSettings(), DatabaseSettings()
    read = {
        *ServiceSettings.model_fields,
        *(f"database_{field}" for field in DatabaseSettings.model_fields),
    }
    assert {name.lower() for name in variables} <= read, "a variable that nobody reads"
    assert not unsaid(set(variables), by_default={"trusted_proxies"})  # one load balancer is in front of a task
    assert service.lifetimes.audit_months == load("staging").service.audit_months
    assert database.user
    (mapping,) = container["PortMappings"]
    groups = api.of("AWS::ElasticLoadBalancingV2::TargetGroup").values()
    assert {service.https_port} == {mapping["ContainerPort"]} == {group["Port"] for group in groups}


@pytest.mark.requirement("P3.1", "Q1")
def test_whatever_a_task_mounts_is_a_volume_of_the_image(api: Template) -> None:
    """Elsewhere a volume of Fargate's belongs to root, and the service writes its TLS key to /tmp as another user.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
    """
    (container,) = api.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    mounted = {one["ContainerPath"] for one in container["MountPoints"] if not one["ReadOnly"]}
    lines = (support.SERVICE / "Dockerfile").read_text().splitlines()
    volumes = {path for line in lines if line.startswith("VOLUME ") for path in json.loads(line.partition(" ")[2])}
    assert container["User"] != "0"
    assert mounted
    assert mounted <= volumes
