"""The drawn picture: it shows what the stack is, and a reader can read it on the page of a repository."""

from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest

from operations.picture.command import PICTURE
from operations.picture.contents import picture
from operations.picture.graph import PADDING, graph
from operations.picture.graphviz import FONT
from operations.picture.model import Icon
from operations.picture.plan import read
from operations.picture.svg import FONTS, ICONS, svg
from tests.operations.picture_layout import Layout, check, laid_out
from tests.operations.pictures import LINK, SVG, drawn, graphed, stated, without
from tests.operations.support import REPOSITORY
from tests.operations.test_picture import ADDED, BARE, of_one_region
from tests.operations.two_regions import TWO_REGIONS
from tests.synthesized import Block, Synthesized

pytestmark = pytest.mark.requirement("W0.1")

MIN_PIXELS, PAGE_PIXELS = 12, 900


@pytest.fixture(scope="module")
def layout(platform: Synthesized) -> Layout:
    return laid_out(graphed(platform.configuration))


@pytest.fixture(scope="module")
def kept() -> ET.Element:
    return ET.fromstring(PICTURE.read_text(encoding="utf-8"))


# What it shows


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_picture_is_shown_on_the_page(page: str) -> None:
    path = PICTURE.relative_to((REPOSITORY / page).parent)
    assert f"]({path})" in (REPOSITORY / page).read_text(encoding="utf-8")


def test_the_picture_shows_the_stack(platform: Synthesized) -> None:
    assert drawn(PICTURE.read_text(encoding="utf-8")) == stated(graphed(platform.configuration)), "run make picture"


def test_drawn_nodes_and_edges_equal_the_stated_ones() -> None:
    two = graphed(TWO_REGIONS)
    assert drawn(svg(two)) == stated(two)
    assert drawn(svg(two)) != stated(graphed(without(TWO_REGIONS, "aws_sqs_queue")))


def test_resources_that_share_an_address_are_two_nodes() -> None:
    """As in a plan, where `count` makes several of one block."""
    platform = read(json.dumps(TWO_REGIONS), "test")
    again = [replace(service) for service in platform.of("aws_ecs_service")]
    doubled = graph(picture(replace(platform, resources=(*platform.resources, *again))))
    names = [node.name for row in doubled.rows for node in row.nodes if node.title == ("web",)]
    assert names == ["aws_ecs_service.web", "aws_ecs_service.web 2"]
    assert drawn(svg(doubled)) == stated(doubled)


# That it can be read


def added(configuration: Block) -> Block:
    changed = copy.deepcopy(configuration)
    for type_, (values, _) in ADDED.items():
        for place in ("aws", "aws.recovery", "aws.global"):
            changed["resource"].setdefault(type_, {})[f"added-{place}"] = {**values, "provider": place}
    return changed


def with_long_names(configuration: Block, kind: str) -> Block:
    attribute = {"aws_lambda_function": "function_name", "aws_s3_bucket": "bucket"}.get(kind, "name")
    changed = copy.deepcopy(configuration)
    for number in range(7):
        like = copy.deepcopy(next(iter(changed["resource"][kind].values())))
        changed["resource"][kind][f"more-{number}"] = {**like, attribute: f"payments-{'WideName' * number * 2}-local"}
    return changed


VARIANTS: dict[str, Callable[[Block], Block]] = {
    "one region": of_one_region,
    "everything that may be added": added,
    "long names of services": lambda whole: with_long_names(whole, "aws_ecs_service"),
    "long names of functions": lambda whole: with_long_names(whole, "aws_lambda_function"),
    "long names of queues": lambda whole: with_long_names(whole, "aws_sqs_queue"),
    "long names of buckets": lambda whole: with_long_names(whole, "aws_s3_bucket"),
    "no edge": lambda whole: without(whole, "aws_cloudfront_distribution", "aws_wafv2_web_acl", "aws_route53_record"),
    "no network": lambda whole: without(whole, "aws_vpc"),
    "no subnets": lambda whole: without(whole, "aws_subnet"),
    "no web ACL in the primary region": lambda whole: without(whole, "aws_wafv2_web_acl", place="aws"),
    "no load balancer in the recovery region": lambda whole: without(whole, "aws_lb", place="aws.recovery"),
    "no cluster in the recovery region": lambda whole: without(whole, "aws_rds_cluster", place="aws.recovery"),
    "no buckets in the primary region": lambda whole: without(whole, "aws_s3_bucket", place="aws"),
    "two small regions": lambda _: TWO_REGIONS,
    "a network without anything": lambda _: BARE,
}


def test_nothing_overlaps_and_no_text_leaves_its_box(platform: Synthesized, layout: Layout) -> None:
    check(graphed(platform.configuration), layout)
    assert len(layout.texts) > 200
    assert len(layout.arrows) == 13


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_overlaps_in_another_plan(platform: Synthesized, variant: str) -> None:
    other = graphed(VARIANTS[variant](platform.configuration))
    check(other, laid_out(other))


def shifted(layout: Layout, part: str) -> Layout:
    """The layout with one part of it where it should not be."""
    changed = copy.deepcopy(layout)
    if part == "text":
        text = changed.texts[-1]
        wider = replace(text.extent, right=text.extent.right + 200)
        changed.texts[-1] = replace(text, extent=wider)
    elif part == "node":
        one, other = [name for name in layout.nodes if name.startswith("aws_ecs_service")][:2]
        changed.nodes[one] = layout.nodes[other]
    elif part == "group":
        changed.groups["cluster aws.recovery"] = layout.groups["cluster aws"]
    else:
        changed.arrows[next(iter(changed.arrows))] = [(200.0, float(y)) for y in range(0, 1500, 3)]
    return changed


@pytest.mark.parametrize("part", ["text", "node", "group", "arrow"])
def test_layout_check_reports_misplaced_nodes(platform: Synthesized, layout: Layout, part: str) -> None:
    with pytest.raises(AssertionError):
        check(graphed(platform.configuration), shifted(layout, part))


@pytest.mark.parametrize("font", [font.strip("' ") for font in FONTS.split(",")[:-1]])
def test_each_text_has_room_in_whichever_font_a_machine_has(platform: Synthesized, layout: Layout, font: str) -> None:
    """Verdana is what is laid out; a machine without it shows the next one that it has."""
    narrowest = {"Helvetica", "Arial"}
    other = laid_out(graphed(platform.configuration), font)
    widths = [
        (one.text, one.extent.right - one.extent.left, same.extent.right - same.extent.left)
        for one, same in zip(layout.texts, other.texts, strict=True)
    ]
    assert [text for text, wide, same in widths if same > wide + PADDING] == []
    assert (sum(same for _, _, same in widths) < 0.95 * sum(wide for _, wide, _ in widths)) == (font in narrowest)


def test_letters_are_high_enough_at_the_width_of_a_page(kept: ET.Element) -> None:
    sizes = {float(text.get("font-size", "0")) for text in kept.iter(f"{SVG}text")}
    width = float(kept.get("viewBox", "").split()[2])
    assert min(sizes) * min(1, PAGE_PIXELS / width) >= MIN_PIXELS
    assert float(kept.get("width", "0")) == width  # a page shows it in pixels, not in points


def test_each_text_is_shown_in_the_fonts_that_it_has_room_for(kept: ET.Element) -> None:
    assert {text.get("font-family") for text in kept.iter(f"{SVG}text")} == {FONTS}
    assert FONTS.startswith(FONT)


def test_it_has_a_background_of_its_own(kept: ET.Element) -> None:
    """So that it can be read on a dark page."""
    background = kept.find(f"{SVG}g/{SVG}polygon")
    assert background is not None
    assert background.get("fill") == "white"
    points = [tuple(map(float, point.split(","))) for point in background.get("points", "").split()]
    _, _, width, height = map(float, kept.get("viewBox", "").split())
    for axis, size in ((0, width), (1, height)):
        extent = [point[axis] for point in points]
        assert max(extent) - min(extent) >= size - 1


def test_it_needs_nothing_from_elsewhere(kept: ET.Element) -> None:
    """A page that shows it as an image lets it load nothing."""
    symbols = {f"#{symbol.get('id')}" for symbol in kept.iter(f"{SVG}symbol")}
    used = [use.get(LINK) for use in kept.iter(f"{SVG}use")]
    assert used
    assert set(used) == symbols
    assert not list(kept.iter(f"{SVG}image"))
    links = [value for part in kept.iter() for value in part.attrib.values() if "url(" in value or "//" in value]
    assert links == []


@pytest.mark.parametrize("icon", Icon)
def test_each_icon_is_one_of_aws(icon: Icon) -> None:
    assert [path.name for path in ICONS.glob(f"*/{icon}.svg")] == [f"{icon}.svg"]
