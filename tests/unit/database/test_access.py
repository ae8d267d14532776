"""Access to the database (W3.3, W5.4): who reaches it and logs in."""

from __future__ import annotations

import pytest

from settings import Settings, load
from tests.synthesized import Synthesized, decoded, path_of, synthesize
from tests.unit.database.support import REGIONS, SERVICES, cluster

ZONES = {"primary": "us-east-2", "recovery": "us-west-2"}


@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("region", REGIONS)
def test_only_database_clients_reach_the_database(platform: Synthesized, region: str) -> None:
    (group,) = [platform.by_id(one) for one in cluster(platform, region)["vpc_security_group_ids"]]
    rules = [
        rule
        for rule in platform.resources("aws_vpc_security_group_ingress_rule").values()
        if platform.by_id(rule["security_group_id"]) == group
    ]
    assert {(rule["from_port"], rule["to_port"]) for rule in rules} == {(5432, 5432)}
    own = [rule for rule in rules if "referenced_security_group_id" in rule]
    groups = {path_of(platform.by_id(rule["referenced_security_group_id"])) for rule in own}
    sources = {path.split(f"/{region}/")[1].removesuffix("/group/security-group") for path in groups}
    expected = {f"services/{name}-task" for name in SERVICES}
    expected |= {f"payments-processing/{name}" for name in ("process-payment", "reconcile-payments")}
    expected |= {"database-rotation/function", "payments-schema/function", "operator-access"}
    expected |= {"merchant-administration/function"}
    assert sources == expected
    others = {(path_of(rule).split("/")[-1], rule["cidr_ipv4"]) for rule in rules if rule not in own}
    block = {"primary": "10.11.0.0/17", "recovery": "10.10.0.0/17"}[region]  # the other region's private tier
    assert others == {("ingress-from-the-other-region", block)}  # one: all would be the same rule
    leaving = platform.resources("aws_vpc_security_group_egress_rule").values()
    assert not [rule for rule in leaving if platform.by_id(rule["security_group_id"]) == group]


@pytest.mark.requirement("W5.4")
def test_service_without_connections_has_no_flow_and_no_login() -> None:
    values = load("local").model_dump()
    values["services"]["reports"]["connections_per_task"] = 0
    other = synthesize(Settings.model_validate(values))
    assert not [path for path in map(path_of, other.resources("aws_vpc_security_group_egress_rule").values())
                if "reports-to-database" in path]  # fmt: skip
    task = other.resource("aws_ecs_task_definition", "primary/services/reports-task/definition")
    assert "DATABASE" not in task["container_definitions"]


@pytest.mark.requirement("W3.5")
@pytest.mark.requirement("W1.5")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", SERVICES)
def test_tasks_get_their_regions_reader_secret_and_size_of_the_pool(
    platform: Synthesized, local_settings: Settings, region: str, name: str
) -> None:
    task = platform.resource("aws_ecs_task_definition", f"{region}/services/{name}-task/definition")
    (container,) = decoded(task["container_definitions"])
    variables = {one["name"]: one["value"] for one in container["environment"]}
    assert platform.by_id(variables["DATABASE_READER_HOST"]) == cluster(platform, region)
    assert variables["DATABASE_READER_HOST"].endswith(".reader_endpoint}")
    secret = f"arn:aws:secretsmanager:{ZONES[region]}:123456789012:secret:payments/local/database/application"
    assert variables["DATABASE_SECRET_ARN"] == secret
    assert variables["DATABASE_CONNECTIONS"] == str(local_settings.services[name].connections_per_task)
    document = next(
        block
        for _, type_, block in platform.blocks
        if type_ == "aws_iam_policy_document"
        and path_of(block).endswith(f"{region}/services/{name}-task/database-permissions")
    )
    read, decrypt = document["statement"]
    assert read["actions"] == ["secretsmanager:GetSecretValue"]
    secrets = [secret]
    if name == "payments":  # its publisher has a login of its own
        secrets.append(secret.replace("/application", "/publishing"))
    assert variables.get("DATABASE_PUBLISHER_SECRET_ARN", secret) == secrets[-1]
    assert read["resources"] == [f"{one}-??????" for one in secrets]
    assert path_of(platform.by_id(decrypt["resources"][0])).endswith(f"{region}/keys/secrets")
