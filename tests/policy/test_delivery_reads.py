"""What plans read is allowed to the roles that plan, in every environment that ships (W8.1).

The data sources of all of them are planned by the real provider, whose calls the local AWS records. A rehearsal of one
environment does not see what only another looks up, such as a zone that exists.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from rich.console import Console

from emulator.address import environment
from emulator.process import Server
from emulator.record import Call, read_calls
from operations.deployment.synthesized import provider_installation
from operations.deployment.terraform import Terraform
from policy.delivery import Record, Role, roles
from settings import Settings, load
from tests.policy.delivery_support import asked, with_delivery
from tests.synthesized import Block, Synthesized, synthesize
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W8.1")

ENVIRONMENTS = ("local", "staging", "production")
# What the provider asks for a resource of a type that the rehearsal has not: what it is on, and the actions.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html
UNREHEARSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "aws_backup_vault_lock_configuration": (
        "arn:aws:backup:us-east-2:{account}:backup-vault:{prefix}-backups-{suffix}",
        (
            "backup:PutBackupVaultLockConfiguration",
            "backup:DescribeBackupVault",
            "backup:DeleteBackupVaultLockConfiguration",
        ),
    ),
    "aws_backup_vault_policy": (
        "arn:aws:backup:us-east-2:{account}:backup-vault:{prefix}-backups-{suffix}",
        (
            "backup:PutBackupVaultAccessPolicy",
            "backup:GetBackupVaultAccessPolicy",
            "backup:DeleteBackupVaultAccessPolicy",
        ),
    ),
}
NOT_ASKED = {"aws_iam_policy_document"}  # the provider computes it


@pytest.fixture(scope="module")
def platforms() -> dict[str, Synthesized]:
    return {name: synthesize(with_delivery(load(name))) for name in ENVIRONMENTS}


def looked_up(platforms: dict[str, Synthesized]) -> Iterator[tuple[str, str, str, Block]]:
    """Section, type, id and arguments of each data source and ephemeral value that asks AWS, each once."""
    seen: set[str] = set()
    for platform in platforms.values():
        for section in ("data", "ephemeral"):
            for type_, blocks in platform.configuration.get(section, {}).items():
                for id_, block in blocks.items() if type_ not in NOT_ASKED else ():
                    arguments = {name: value for name, value in block.items() if name not in {"//", "depends_on"}}
                    if (key := f"{section}{type_}{arguments}") not in seen:
                        seen.add(key)
                        yield section, type_, f"{id_}-{len(seen)}", arguments


def configuration_of(platforms: dict[str, Synthesized]) -> Block:
    """A configuration that looks up what any of the platforms does, and makes nothing."""
    some = platforms["staging"].configuration
    found: Block = {"terraform": {"required_providers": some["terraform"]["required_providers"]}}
    # The account that the provider is allowed is each environment's; the local AWS is another.
    providers = [{key: one[key] for key in ("alias", "region") if key in one} for one in some["provider"]["aws"]]
    found["provider"] = {"aws": providers}
    for section, type_, id_, arguments in looked_up(platforms):
        found.setdefault(section, {}).setdefault(type_, {})[id_] = arguments
    return found


@pytest.fixture(scope="module")
def calls(
    platforms: dict[str, Synthesized], empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> list[Call]:
    """What the provider asks of AWS in a plan from the state: of all platforms' data sources."""
    directory = tmp_path_factory.mktemp("plan")
    (directory / "cdk.tf.json").write_text(json.dumps(configuration_of(platforms)))
    with empty_aws(directory / "aws") as server:
        make_zones(server, platforms)
        variables = {**provider_installation(directory).environment(os.environ), **environment(server.url)}
        terraform = Terraform(directory, variables, Console(file=io.StringIO(), width=200))
        terraform.init()
        assert terraform.plan(refresh=False, lock=False) == []
        return [call for call in read_calls(server.directory) if "Terraform/" in call.user_agent]


def make_zones(server: Server, platforms: dict[str, Synthesized]) -> None:
    variables = environment(server.url)
    client: Any = boto3.client(
        "route53",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    for _, type_, id_, arguments in looked_up(platforms):
        if type_ == "aws_route53_zone":
            client.create_hosted_zone(Name=arguments["name"], CallerReference=id_)


def roles_of(platform: Synthesized, settings: Settings) -> dict[str, Role]:
    return roles(platform.configuration, account_id=settings.account_id)


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("purpose", ["plan", "deploy", "drift"])
def test_role_may_make_the_reads_of_the_provider(
    platforms: dict[str, Synthesized], calls: list[Call], name: str, purpose: str
) -> None:
    of_environment = with_delivery(load(name))
    found = roles_of(platforms[name], of_environment)
    made = Record([as_made_by(found[purpose], call) for call in calls], found, of_environment).held()
    assert made.refused == ()
    assert {call.action for call in calls} >= {"route53:ListHostedZones", "cloudfront:ListCachePolicies"}


def as_made_by(role: Role, call: Call) -> Call:
    return replace(call, assumed_role=f"arn:aws:sts::123456789012:assumed-role/{role.name}/rehearsal")


def types_of(platform: Synthesized) -> set[str]:
    return set(platform.configuration["resource"])


def test_every_resource_type_of_the_shipped_environments_is_rehearsed_or_has_known_calls(
    platforms: dict[str, Synthesized],
) -> None:
    rehearsed = types_of(platforms["local"])
    elsewhere = types_of(platforms["staging"]) | types_of(platforms["production"])
    assert elsewhere - rehearsed == set(UNREHEARSED), "say in UNREHEARSED what the provider calls for them"


@pytest.mark.parametrize("type_", UNREHEARSED)
@pytest.mark.parametrize("name", ["staging", "production"])
def test_deploy_role_manages_resource_types_that_no_rehearsal_creates(
    platforms: dict[str, Synthesized], name: str, type_: str
) -> None:
    of_environment = with_delivery(load(name))
    deploy = roles_of(platforms[name], of_environment)["deploy"]
    names, (on, actions) = of_environment.names, UNREHEARSED[type_]
    resource = on.format(account=names.account_id, prefix=names.prefix, suffix=names.suffix)
    assert [action for action in actions if not deploy.allows(asked(action, resource))] == []
