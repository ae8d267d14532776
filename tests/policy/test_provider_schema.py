"""The synthesized configuration against the provider's own schema: what CDKTF does not check, and secrets (W0.5)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.synthesized import Synthesized

Schema = dict[str, Any]
# What Terraform takes in every resource beside the provider's attributes.
META_ARGUMENTS = {"//", "provider", "depends_on", "lifecycle", "count", "for_each", "connection", "provisioner"}


@pytest.fixture(scope="module")
def schemas(
    platform: Synthesized, terraform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Schema]:
    """The block schema of each type, with ``data.`` or ``ephemeral.`` before it where it is no resource's."""
    directory = tmp_path_factory.mktemp("schema")
    required = {"required_providers": platform.configuration["terraform"]["required_providers"]}
    (directory / "main.tf.json").write_text(json.dumps({"terraform": required}))
    found = json.loads(_terraform(directory, terraform_environment, "providers", "schema", "-json"))
    (provider,) = found["provider_schemas"].values()
    return {
        f"{prefix}{type_}": schema["block"]
        for prefix, kind in (("", "resource"), ("data.", "data_source"), ("ephemeral.", "ephemeral_resource"))
        for type_, schema in provider[f"{kind}_schemas"].items()
    }


def _terraform(directory: Path, environment: dict[str, str], *arguments: str) -> str:
    for command in (["init", "-input=false"], list(arguments)):
        ended = subprocess.run(
            ["terraform", *command], cwd=directory, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
    return ended.stdout


def schema_of(schemas: dict[str, Schema], address: str, type_: str) -> Schema:
    return schemas[address.partition(type_)[0] + type_]


def sensitive_paths(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """The paths within a block that are set although the provider calls them sensitive."""
    for blocks in value if isinstance(value, list) else [value]:
        for name, inner in blocks.items():
            attribute = schema.get("attributes", {}).get(name, {})
            if attribute.get("sensitive") and not attribute.get("write_only"):
                yield f"{path}{name}"
            if nested := schema.get("block_types", {}).get(name):
                yield from sensitive_paths(inner, nested["block"], f"{path}{name}.")


@pytest.mark.requirement("W0.5")
def test_nothing_that_the_provider_calls_sensitive_is_in_the_configuration(
    platform: Synthesized, schemas: dict[str, Schema]
) -> None:
    set_in = {
        address: paths
        for address, type_, block in platform.blocks
        if (paths := list(sensitive_paths(block, schema_of(schemas, address, type_))))
    }
    assert set_in == {}


@pytest.mark.requirement("W0.5")
def test_a_sensitive_attribute_would_be_noticed(schemas: dict[str, Schema]) -> None:
    assert list(sensitive_paths({"master_password": "x"}, schemas["aws_rds_cluster"])) == ["master_password"]
    assert list(sensitive_paths({"secret_string": "x"}, schemas["aws_secretsmanager_secret_version"])) == [
        "secret_string"
    ]
    assert list(sensitive_paths({"master_password_wo": "x"}, schemas["aws_rds_cluster"])) == []


@pytest.mark.requirement("W0.1")
def test_every_attribute_and_block_is_in_the_schema_of_the_provider(
    platform: Synthesized, schemas: dict[str, Schema]
) -> None:
    unknown = {}
    for address, type_, block in platform.blocks:
        schema = schema_of(schemas, address, type_)
        names = set(block) - META_ARGUMENTS - set(schema.get("attributes", {})) - set(schema.get("block_types", {}))
        if names:
            unknown[address] = names
    assert unknown == {}


@pytest.mark.requirement("W0.1")
def test_ignored_changes_name_attributes_that_exist(platform: Synthesized, schemas: dict[str, Schema]) -> None:
    """CDKTF takes any string, and Terraform is silent about a name that ignores nothing until it is applied."""
    ignored = [
        (type_, name)
        for _, type_, block in platform.blocks
        for name in block.get("lifecycle", {}).get("ignore_changes", [])
    ]
    assert ignored
    known = {type_: {*schemas[type_]["attributes"], *schemas[type_]["block_types"]} for type_, _ in ignored}
    assert [one for one in ignored if one[1].split("[")[0] not in known[one[0]]] == []


@pytest.mark.requirement("W0.4")
def test_every_resource_that_takes_tags_gets_the_suffix(platform: Synthesized, schemas: dict[str, Schema]) -> None:
    """Default tags reach what has ``tags_all``; whatever takes tags in another way must carry them itself."""
    for _, type_, block in platform.blocks:
        attributes = schemas.get(type_, {}).get("attributes", {})
        if "tags" in attributes and "tags_all" not in attributes:
            assert block["tags"]["environment_suffix"] == "local", type_


@pytest.mark.requirement("W0.5")
def test_no_value_looks_like_a_secret(platform: Synthesized) -> None:
    """Access keys, private keys and passwords in URLs, wherever they might hide."""
    assert platform.configuration["resource"]
    text = json.dumps(platform.configuration)
    for pattern in (r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", r"-----BEGIN [A-Z ]*PRIVATE KEY", r"://[^/\s:@]+:[^/\s:@]+@"):
        assert not re.search(pattern, text), pattern
