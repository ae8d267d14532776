"""docs/snapshot is what is synthesized, and reads the same where the same is meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policy.closed_world.permissions import Grant
from policy.closed_world.resources import Terraform
from policy.closed_world.terms import terms_of_settings
from policy.closed_world.worlds import PLATFORM
from policy.snapshot import files, statements, text
from policy.snapshot.blocks import Blocks, Fact, Subject, blocks
from policy.snapshot.words import Words
from settings import Settings, load
from tests.mutation.changes import TERRAFORM_JSON, sample
from tests.mutation.seen import unseen
from tests.mutation.worlds import World
from tests.synthesized import Synthesized, synthesize

LEAST = 20  # changes: fewer are no sample of all kinds
WRITE = "docs/snapshot is not what is synthesized: run `make snapshot`, and look at what has changed"


def test_committed_snapshot_is_what_is_synthesized() -> None:
    environments = {}
    for name in files.ENVIRONMENTS:
        settings = load(name)
        configuration = synthesize(settings).configuration
        environments[name] = blocks(PLATFORM, Terraform().resources(configuration), settings.model_dump())
    wanted = files.expected(PLATFORM, environments)
    assert len(wanted) > len(files.ENVIRONMENTS)
    found = list(files.difference(files.committed(PLATFORM), wanted))
    assert not found, "\n".join([WRITE, *found])


def test_every_resource_and_document_has_a_noun(platform: Synthesized, local_settings: Settings) -> None:
    found = blocks(PLATFORM, Terraform().resources(platform.configuration), local_settings.model_dump())
    assert {subject for subject in found if "of_no_table" in subject.noun} == set()
    assert {"network", "database", "permissions/roles", "permissions/delivery"} <= {one.noun for one in found}


def test_each_change_of_a_sample_is_seen_in_it(platform: Synthesized) -> None:
    world = World(PLATFORM, "local", platform.configuration, TERRAFORM_JSON)
    drawn = [one for one in sample(world.changes(), share=0.001, seed=11) if one.of(world.tree) != world.tree]
    assert len(drawn) >= LEAST
    assert list(map(str, unseen(world, drawn))) == []


def test_no_digest_is_in_it() -> None:
    """What changes with the bytes of an archive, and not with what there is."""
    committed = [line for file in files.FOLDER.rglob("*.txt") for line in file.read_text(encoding="utf-8").splitlines()]
    assert committed
    digests = re.compile(r"\b[0-9a-fA-F]{32,64}\b|\b[A-Za-z0-9+/]{43}=|[a-z]_?[0-9A-F]{8}\b")
    assert [line for line in committed if digests.search(line)] == []


def test_readme_says_that_it_is_no_law() -> None:
    said = (files.FOLDER / "README.md").read_text(encoding="utf-8")
    assert "never stands in for a law" in said
    assert "make snapshot" in said


CONFIGURATION: dict[str, Any] = {"provider": {}, "terraform": {}, "output": {}}


def route(**attributes: Any) -> dict[str, Any]:
    return {"provider": "aws", **attributes}


def of(resources: Mapping[str, Mapping[str, Any]], environment: str = "production", type_: str = "aws_route") -> Blocks:
    """The blocks of resources, by construct path; of a type of which the tables say nothing that is so of all."""
    settings = load(environment)
    found = {
        path.replace("/", "_"): {**one, "//": {"metadata": {"path": f"payment-platform/{path}"}}}
        for path, one in resources.items()
    }
    configuration = {**CONFIGURATION, "resource": {type_: found}}
    return blocks(PLATFORM, Terraform().resources(configuration), settings.model_dump())


def test_both_regions_are_one_where_they_are_alike() -> None:
    settings = load("production")
    found = text.whole(
        of(
            {
                "primary/x/queue": route(name=f"in-{settings.primary.name}", delay_seconds=1),
                "recovery/x/queue": route(
                    name=f"in-{settings.recovery.name}", delay_seconds=2, provider="aws.recovery"
                ),
            }
        )
    )
    assert found["network"].splitlines() == [
        "## aws_route",
        "",
        "serving/x/queue",
        '  name = "in-{region}"',
        "  primary: delay_seconds = 1",
        "  recovery: delay_seconds = 2",
    ]


@pytest.mark.parametrize(("has", "said"), [({"provider": "aws"}, 'provider = "aws"'), ({}, "no provider")])
def test_provider_of_another_region_is_said(has: dict[str, Any], said: str) -> None:
    assert f"  {said}\n" in text.whole(of({"recovery/x/queue": has}))["network"]
    assert "provider" not in text.whole(of({"recovery/x/queue": {"provider": "aws.recovery"}}))["network"]


def test_what_the_tables_say_of_all_is_said_once_and_whoever_is_otherwise_says_so() -> None:
    days = 14 * 24 * 3600
    all_alike = {f"primary/{name}": route(message_retention_seconds=days) for name in "ab"}
    other = {"primary/c": route(message_retention_seconds=1), "primary/d": route()}
    assert text.whole(of(all_alike | other, type_="aws_sqs_queue"))["queues"].split("\n\n") == [
        "## aws_sqs_queue",
        f"*\n  message_retention_seconds = {days}",
        "primary/a\nprimary/b",
        "primary/c\n  message_retention_seconds = 1",
        "primary/d\n  no message_retention_seconds\n",
    ]


def test_other_environment_says_what_is_otherwise() -> None:
    base = of(
        {"primary/a": route(days=1, seconds=2), "primary/b": route(), "primary/c": route(name="payments-production")}
    )
    other = of(
        {"primary/a": route(days=3, name="x"), "primary/c": route(name="payments-staging"), "primary/d": route(days=4)},
        "staging",
    )
    assert text.differences(base, other)["network"].split("\n\n") == [
        "## aws_route",
        'primary/a\n  not here: seconds\n  days = 3, not 1\n  name = "x"',
        "primary/b\n  (not here)",
        "primary/d\n  (only here)\n  days = 4\n",
    ]


def test_environments_that_are_alike_have_no_text() -> None:
    one = of({"primary/a": route(days=1)})
    assert text.differences(one, one) == {}


def test_block_is_one_line_where_it_is_short() -> None:
    subject = Subject("n", "t", "global/a")
    long = "x" * text.MOST_JOINED
    facts = frozenset({Fact("a.b", "1"), Fact("a.c.d", "2"), Fact("e.f", long), Fact("e.g", "3"), Fact("h.i", "4")})
    assert text.whole({subject: facts})["n"].splitlines()[3:] == [
        "  a = {b = 1, c.d = 2}",
        "  e",
        f"    f = {long}",
        "    g = 3",
        "  h.i = 4",
    ]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("arn:aws:sqs:us-east-2:444455556666:payments-production", "arn:aws:sqs:{region}:{account}:payments-{suffix}"),
        ("us-west-2a", "{other_region}a"),
        ("10.30.0.0/17", "{here.private}"),
        ("110.30.0.0/17", "110.30.0.0/17"),
        ("productions", "productions"),
        ("<aws_kms_key primary/x/key>.arn", "<{parent}/key>.arn"),
        ("<aws_kms_key primary/keys/logs>.arn", "<{here}/keys/logs>.arn"),
        ("<aws_kms_key recovery/x/key>.arn", "<{there}/x/key>.arn"),
        ("<aws_kms_key global/keys/logs>.arn", "<global/keys/logs>.arn"),
        ("terraform_data.primary_rule_3ED786CF", "terraform_data.primary_rule"),
        (f"assets/{'0A' * 32}/x.zip", "assets/{digest}/x.zip"),
        ("tc/l+7FnY9zF91me1piCpaR9duMhpIXigxS9TsYLdOU=", "{digest}"),
    ],
)
def test_words_stand_for_what_an_environment_has(said: str, read: str) -> None:
    words = Words("primary", terms_of_settings(load("production").model_dump()))
    assert words.said(said, "primary/x/queue") == read


def grant(action: str, resource: str = "a", principal: str = "", *conditions: str) -> Grant:
    return Grant("Allow", action, resource, principal, conditions)


def test_what_is_granted_alike_is_one_line() -> None:
    grants = {grant(action, resource) for action in ("s3:Get", "s3:Put", "kms:Sign") for resource in ("a", "b")}
    assert statements.lines(grants) == ["allow kms:Sign, s3:{Get, Put} on a, b"]


def test_what_is_granted_otherwise_is_a_line_of_its_own() -> None:
    grants = {grant("s3:Get"), grant("s3:Get", "b", "AWS x"), grant("s3:Put", "a", "", "k Bool true", "l Bool true")}
    assert statements.lines(grants) == [
        "allow s3:Get on a",
        "allow s3:Get on b to AWS x",
        "allow s3:Put on a when k Bool true and l Bool true",
    ]


def test_files_are_written_and_those_of_no_more_use_removed(tmp_path: Path) -> None:
    files.write(PLATFORM, {"a.txt": "1\n", "staging/b.txt": "2\n"}, tmp_path)
    files.write(PLATFORM, {"a.txt": "3\n"}, tmp_path)
    assert files.committed(PLATFORM, tmp_path) == {"a.txt": "3\n"}


def test_difference_names_file_and_line() -> None:
    assert "--- a.txt" in files.difference({"a.txt": "x\n"}, {"a.txt": "y\n"})
    assert list(files.difference({}, {"a.txt": "y\n"}))[-1] == "+y"
    assert list(files.difference({"a.txt": "x\n"}, {}))[-1] == "-x"
