"""The longest chain of waits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.deployment.waits import Chain, longest_chain

pytestmark = pytest.mark.requirement("W8.2")


def test_independent_resource_is_no_chain() -> None:
    assert longest_chain({}, {}) == Chain(0.0, ())
    assert longest_chain({"a.b": 3, "a.c": 5}, {}) == Chain(5.0, ("a.c",))


def test_waits_of_a_chain_add_up() -> None:
    seconds = {"aws_vpc.v": 10.0, "aws_subnet.s": 1.0, "aws_lb.l": 60.0, "aws_sqs_queue.q": 65.0}
    chain = longest_chain(seconds, {"aws_subnet.s": ["aws_vpc.v"], "aws_lb.l": ["aws_subnet.s", "data.aws_x.y"]})
    assert chain.addresses == ("aws_vpc.v", "aws_subnet.s", "aws_lb.l")
    assert chain.text == "71 s: vpc > subnet > lb"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_no_other_chain_is_longer(times: list[int], pairs: set[tuple[int, int]]) -> None:
    seconds = {f"t.{number}": float(time) for number, time in enumerate(times)}
    edges = {(a, b) for a, b in pairs if a < b < len(times)}  # b waits for a
    depends_on = {f"t.{b}": [f"t.{a}" for a, other in edges if other == b] for b in range(len(times))}
    paths = (
        path
        for length in range(1, len(times) + 1)
        for path in itertools.combinations(range(len(times)), length)
        if all(step in edges for step in itertools.pairwise(path))
    )
    assert longest_chain(seconds, depends_on).seconds == max(sum(times[one] for one in path) for path in paths)
