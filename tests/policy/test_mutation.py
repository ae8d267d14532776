"""Single changes of what is synthesized: a sample is made, and the closed world notices each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mutation.changes import TERRAFORM_JSON, Change, changes_of, sample
from tests.mutation.forks import ForkFailedError, in_fork
from tests.mutation.laws import judge_by_laws
from tests.mutation.statements import IAM, TERRAFORM, changes_of_statement
from tests.mutation.tree import ENCODED, JSON, REMOVED, at, leaves, with_value
from tests.mutation.verdict import Verdict, by_kind, score
from tests.mutation.worlds import PLATFORM, World
from tests.synthesized import Synthesized

SHARE, SEED = 0.005, 7
LEAST = 130  # changes: fewer are no sample of all kinds


def test_each_change_of_a_sample_is_noticed(platform: Synthesized) -> None:
    world = World(PLATFORM, "local", platform.configuration, TERRAFORM_JSON)
    drawn = sample(world.changes(), share=SHARE, seed=SEED)
    verdicts = list(judge_by_laws(world, drawn))
    assert [str(one.change) for one in verdicts if not one.noticed_by] == []
    assert len(verdicts) >= LEAST
    assert {kind for kind, _ in by_kind(verdicts)} >= {"condition lost", "deny dropped", "resource added", "network"}


def test_laws_that_do_not_hold_before_judge_nothing(platform: Synthesized) -> None:
    tree = Change("encryption", ("resource", "aws_kms_key"), {}).of(platform.configuration)
    assert platform.resources("aws_kms_key")
    with pytest.raises(ValueError, match="nothing is changed yet"):
        list(judge_by_laws(World(PLATFORM, "local", tree, TERRAFORM_JSON), []))


TREE: dict[str, Any] = {
    "resource": {"aws_x": {"a": {"on": True, "names": ["b"], "text": '{"c": 1}', "code": '${jsonencode({"d" = 2})}'}}}
}
A = ("resource", "aws_x", "a")


def test_leaves_are_found_within_text_of_json_too() -> None:
    assert dict(leaves(TREE)) == {
        (*A, "on"): True,
        (*A, "names"): ["b"],
        (*A, "text", JSON, "c"): 1,
        (*A, "code", ENCODED, "d"): 2,
    }


@pytest.mark.parametrize("place", [(*A, "on"), (*A, "text", JSON, "c"), (*A, "code", ENCODED, "d")])
def test_one_place_is_changed_and_the_tree_is_left_alone(place: tuple[str, ...]) -> None:
    before = str(TREE)
    assert at(with_value(TREE, place, "other"), place) == "other"
    with pytest.raises(KeyError):
        at(with_value(TREE, place, REMOVED), place)
    assert str(TREE) == before


def test_each_change_is_one() -> None:
    tree = TREE | {"provider": {}, "terraform": {}, "output": {}}
    changes = list(changes_of(tree, TERRAFORM_JSON))
    assert all(change.of(tree) != tree for change in changes)
    assert {change.kind for change in changes} >= {"resource added", "resource removed", "attribute added"}


def test_sample_has_each_kind_and_is_the_same_for_a_seed() -> None:
    changes = [Change(kind, (str(index),), 0) for kind in ("a", "b") for index in range(50)]
    drawn = sample(changes, share=0.1, seed=1)
    assert drawn == sample(changes, share=0.1, seed=1) != sample(changes, share=0.1, seed=2)
    assert len(drawn) == 10
    assert {change.kind for change in sample(changes, share=0.0, seed=1)} == {"a", "b"}


def test_statement_is_weakened_in_either_spelling() -> None:
    block = {"actions": ["s3:Get"], "resources": ["x"], "condition": [{"test": "Bool", "variable": "y", "values": [1]}]}
    json = {"Effect": "Deny", "Action": "s3:Get", "Resource": "x", "Condition": {"Bool": {"y": 1}}}
    assert {kind for kind, _, _ in changes_of_statement(block, TERRAFORM)} == {
        "action widened",
        "resource widened",
        "condition lost",
        "condition loosened",
    }
    assert {kind for kind, _, _ in changes_of_statement(json, IAM)} >= {"deny dropped", "condition lost"}


def test_score_counts_what_was_noticed() -> None:
    change = Change("network", ("x",), 0)
    assert str(score([Verdict(change, "a law"), Verdict(change, None)])).split() == ["1", "of", "2", "50.0%"]


def test_fork_says_its_lines_or_that_it_failed(capfd: pytest.CaptureFixture[str]) -> None:
    assert in_fork(lambda: ["a", "b"]) == ["a", "b"]
    with pytest.raises(ForkFailedError):
        in_fork(lambda: [str(1 // 0)])
    assert "ZeroDivisionError" in capfd.readouterr().err
