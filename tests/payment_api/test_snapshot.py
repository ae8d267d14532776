"""docs/snapshot is what the payment API's templates are."""

from __future__ import annotations

from payment_api.settings import load
from policy.closed_world.worlds import PAYMENT_API, templates_reader
from policy.snapshot import files
from policy.snapshot.blocks import blocks
from tests.mutation.changes import TEMPLATES, sample
from tests.mutation.seen import unseen
from tests.mutation.worlds import PAYMENT_API as WORLD
from tests.mutation.worlds import World
from tests.payment_api.conftest import Synthesize
from tests.payment_api.support import Template

LEAST = 40  # changes: fewer are no sample of all kinds
WRITE = "docs/snapshot is not what is synthesized: run `make snapshot`, and look at what has changed"


def test_each_change_of_a_sample_is_seen_in_it(templates: dict[str, Template]) -> None:
    tree = {region: template.content for region, template in templates.items()}
    world = World(WORLD, "staging", tree, TEMPLATES)
    drawn = [one for one in sample(world.changes(), share=0.01, seed=11) if one.of(tree) != tree]
    assert len(drawn) >= LEAST
    assert list(map(str, unseen(world, drawn))) == []


def test_committed_snapshot_is_what_is_synthesized(synthesize: Synthesize) -> None:
    environments = {}
    for name in files.ENVIRONMENTS:
        settings = load(name).model_dump()
        templates = {region: template.content for region, template in synthesize(load(name)).items()}
        environments[name] = blocks(PAYMENT_API, templates_reader(settings).resources(templates), settings)
    wanted = files.expected(PAYMENT_API, environments)
    assert {subject for one in environments.values() for subject in one if "of_no_table" in subject.noun} == set()
    found = list(files.difference(files.committed(PAYMENT_API), wanted))
    assert not found, "\n".join([WRITE, *found])
