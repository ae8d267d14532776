"""What is drawn of a platform: everything that is known here, each in its place, and the rest in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from operations.picture.compute import functions, queues, repositories, services, workflows
from operations.picture.edge import certificates, distributions, entries, names_of_the_world
from operations.picture.firewalls import edge_firewall, regional_firewall
from operations.picture.links import links
from operations.picture.model import TIERS, Box, Column, Link, Picture, Slot, View, counted
from operations.picture.network import clusters, endpoints, load_balancers, network, subnets, tier, ways_out
from operations.picture.plan import Platform, Resource
from operations.picture.storage import buckets, keys, secrets, vaults
from operations.picture.watch import account, alarms, audit, logs

COLUMNS = 2  # places that have a network and stand side by side


def picture(platform: Platform) -> Picture:
    """What is drawn of a platform."""
    networked = {one.place for one in platform.of("aws_vpc")}
    order = [place for place in platform.regions if place in networked][:COLUMNS]
    columns = tuple(_column(View(platform=platform, place=place)) for place in order)
    elsewhere = [View(platform=platform, place=place) for place in platform.regions if place not in order]
    everywhere = View(platform=platform, place=None)
    edge = (*_edge(everywhere), *(box for view in elsewhere for box in _all_beside_a_network(view)))
    of_account = tuple(account(everywhere))
    in_columns = {one for column in columns for one in _shown_in(column)}
    arrows = tuple(links(platform, in_columns))
    drawn = in_columns | {one for box in (*edge, *of_account) for one in box.of}
    drawn |= {one for arrow in arrows for one in arrow.of}
    return Picture(
        title=_title(platform),
        edge_title=", ".join(["Edge", *(view.region for view in elsewhere)]),
        edge=edge,
        entries=dict(entries(platform, order)),
        columns=tuple(_side_by_side(column, arrows) for column in columns),
        links=arrows,
        account=of_account,
        rest=Counter(sorted(one.type for one in platform.resources if one not in drawn)),
    )


def _title(platform: Platform) -> str:
    name, suffix = (platform.tags.get(tag) for tag in ("platform", "environment_suffix"))
    types = len({one.type for one in platform.resources})
    of_what = f"{name}, environment {suffix}: " if name and suffix else ""
    return f"{of_what}{counted(len(platform.resources), 'resource')} of {counted(types, 'type')}"


def _side_by_side(column: Column, arrows: Iterable[Link]) -> Column:
    """The column with what arrows lead to or from above what has none, so that both ends of an arrow are as high."""
    ends = {end for arrow in arrows for end in (arrow.source, arrow.target)}
    stored = sorted(column.boxes[Slot.STORED], key=lambda box: ends.isdisjoint(box.of))
    return replace(column, boxes={**column.boxes, Slot.STORED: tuple(stored)})


def _shown_in(column: Column) -> Iterator[Resource]:
    for frame in (column.network, *column.tiers.values()):
        yield from frame.of
    for box in (box for boxes in column.boxes.values() for box in boxes):
        yield from box.of


def _edge(view: View) -> Iterator[Box]:
    yield from names_of_the_world(view)
    yield from distributions(view)
    yield from edge_firewall(view)
    yield from certificates(view)


def _column(view: View) -> Column:
    primary = view.place == next(iter(view.platform.regions))
    boxes = {
        Slot.PUBLIC: (*regional_firewall(view), *load_balancers(view), *ways_out(view)),
        Slot.PRIVATE: (*services(view), *functions(view, in_network=True), *endpoints(view)),
        Slot.DATABASE: tuple(clusters(view)),
        **_beside_a_network(view),
    }
    return Column(
        place=view.place or "",
        title=f"{'Primary' if primary else 'Recovery'} region, {view.region}",
        network=network(view),
        tiers={slot: tier(view, slot) for slot in TIERS if boxes[slot] or subnets(view, slot)},
        boxes=boxes,
    )


def _beside_a_network(view: View) -> dict[Slot, tuple[Box, ...]]:
    return {
        Slot.STORED: (*buckets(view), *vaults(view)),
        Slot.KEPT: (*secrets(view), *keys(view), *repositories(view)),
        Slot.WORK: (*queues(view), *functions(view, in_network=False), *workflows(view)),
        Slot.WATCH: (*alarms(view), *logs(view), *audit(view)),
    }


def _all_beside_a_network(view: View) -> list[Box]:
    return [box for boxes in _beside_a_network(view).values() for box in boxes]
