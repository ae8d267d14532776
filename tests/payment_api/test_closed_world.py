"""The payment API's closed world: its templates are what the tables say, and single changes are noticed."""

from __future__ import annotations

import pytest

from payment_api.settings import Settings, load
from policy.closed_world.templates import Names, Templates
from policy.closed_world.worlds import payment_api_problems
from tests.mutation.changes import TEMPLATES, sample
from tests.mutation.laws import judge_by_laws
from tests.mutation.worlds import PAYMENT_API, World
from tests.payment_api.conftest import Synthesize
from tests.payment_api.support import Template

LEAST = 40  # changes: fewer are no sample of all kinds


def test_templates_are_what_the_tables_say(templates: dict[str, Template], settings: Settings) -> None:
    assert all(template.resources for template in templates.values())
    contents = {region: template.content for region, template in templates.items()}
    assert payment_api_problems(contents, settings.model_dump()) == []


@pytest.mark.parametrize("environment", ["local", "production"])
def test_templates_of_other_environments_are_what_the_tables_say(synthesize: Synthesize, environment: str) -> None:
    settings = load(environment)
    templates = synthesize(settings)
    assert all(template.resources for template in templates.values())
    contents = {region: template.content for region, template in templates.items()}
    assert payment_api_problems(contents, settings.model_dump()) == []


def test_each_change_of_a_sample_is_noticed(templates: dict[str, Template]) -> None:
    assert all(template.resources for template in templates.values())
    tree = {region: template.content for region, template in templates.items()}
    world = World(PAYMENT_API, "staging", tree, TEMPLATES)
    drawn = sample(world.changes(), share=0.02, seed=7)
    verdicts = list(judge_by_laws(world, drawn))
    assert [str(one.change) for one in verdicts if not one.noticed_by] == []
    assert len(verdicts) >= LEAST


TEMPLATE = {
    "Resources": {
        "queue0A1B2C3D": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"},
        "same0A1B2C3D": {"Type": "AWS::SQS::Queue", "Properties": {"Key": {"Fn::GetAtt": ["queue0A1B2C3D", "Arn"]}}},
        "same1A1B2C3D": {"Type": "AWS::SQS::Queue"},
    }
}


def test_ids_lose_the_digest_where_they_stay_different() -> None:
    names = Names(TEMPLATE)
    assert [names.of(id_) for id_ in TEMPLATE["Resources"]] == ["queue", "same0A1B2C3D", "same1A1B2C3D"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"Ref": "queue0A1B2C3D"}, "<queue>"),
        ({"Ref": "AWS::Region"}, "<AWS::Region>"),
        ({"Fn::Join": ["", ["a:", {"Fn::GetAtt": ["queue0A1B2C3D", "Arn"]}, ":b"]]}, "a:<queue>.Arn:b"),
        ({"Fn::Sub": "x-${queue0A1B2C3D.Arn}-${AWS::Region}"}, "x-<queue>.Arn-<AWS::Region>"),
        ({"Fn::Select": [0, "x"]}, {"Fn::Select": [0, "x"]}),
        (f"{'0a' * 32}.zip", "{digest}.zip"),
    ],
)
def test_functions_read_as_text(value: object, said: object) -> None:
    assert Names(TEMPLATE).said(value) == said


def test_resource_has_its_properties_and_its_policies() -> None:
    found = list(Templates({"r": "api"}).resources({"r": TEMPLATE}))
    assert [(one.path, dict(one.attributes)) for one in found] == [
        ("api/queue", {"DeletionPolicy": "Retain"}),
        ("api/same0A1B2C3D", {"Key": "<queue>.Arn"}),
        ("api/same1A1B2C3D", {}),
    ]
