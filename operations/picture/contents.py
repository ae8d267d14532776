"""The contents of a picture: all known resources of a platform, each in its place, and counts of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from operations.picture.compute import functions, queues, repositories, services, workflows
from operations.picture.edge import certificates, distributions, names_of_the_world, routing
from operations.picture.firewalls import edge_firewall, regional_firewall
from operations.picture.links import links
from operations.picture.model import TIERS, Box, Link, Picture, Region, Slot, Strip, View, counted, with_unit
from operations.picture.network import clusters, egress, endpoints, load_balancers, network, subnets, tier
from operations.picture.plan import Platform, Resource
from operations.picture.storage import buckets, keys, secrets, vaults
from operations.picture.watch import account, alarms, audit, logs

SIDE_BY_SIDE = 2  # regions that have a network
MOST_TYPES_NAMED = 6


def picture(platform: Platform) -> Picture:
    """The picture of a platform."""
    networked = {one.place for one in platform.of("aws_vpc")}
    order = [place for place in platform.regions if place in networked][:SIDE_BY_SIDE]
    everywhere = View(platform=platform, place=None)
    regions = tuple(_region(View(platform=platform, place=place)) for place in order)
    edge = Strip(title="Edge", boxes=tuple(_edge(everywhere)))
    others = tuple(strip for strip in _others(everywhere, order) if strip.boxes)
    in_regions = {one for region in regions for one in _shown_in(region)}
    shown = in_regions | {one for strip in (edge, *others) for box in strip.boxes for one in box.of}
    arrows = tuple(link for link in links(platform, shown) if not link.label or _joins_regions(link, in_regions))
    shown |= {one for arrow in arrows for one in arrow.of}
    return Picture(
        title=_title(platform),
        edge=edge,
        regions=regions,
        links=arrows,
        others=others,
        rest=Counter(sorted(one.type for one in platform.resources if one not in shown)),
    )


def rest_in_words(rest: Mapping[str, int], most: int = MOST_TYPES_NAMED) -> str:
    """The number of resources that are not drawn, with the most frequent types."""
    ranked = sorted(rest.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(with_unit(number, type_) for type_, number in ranked[:most])
    others = "" if len(ranked) <= most else ", and others"
    number, types = counted(sum(rest.values()), "more resource"), counted(len(rest), "type")
    return f"Not drawn: {number} of {types} ({named}{others})"


def _title(platform: Platform) -> str:
    name, suffix = (platform.tags.get(tag) for tag in ("platform", "environment_suffix"))
    types = len({one.type for one in platform.resources})
    of_what = f"{name}, environment {suffix}: " if name and suffix else ""
    return f"{of_what}{counted(len(platform.resources), 'resource')} of {counted(types, 'type')}"


def _joins_regions(link: Link, in_regions: Collection[Resource]) -> bool:
    ends = [one for one in (link.source, link.target) if one in in_regions]
    return len({one.place for one in ends if one}) == SIDE_BY_SIDE


def _shown_in(region: Region) -> Iterator[Resource]:
    for frame in (region.network, *region.tiers.values()):
        yield from frame.of
    for box in (box for boxes in region.boxes.values() for box in boxes):
        yield from box.of


def _edge(view: View) -> Iterator[Box]:
    yield from names_of_the_world(view)
    yield from distributions(view)
    yield from edge_firewall(view)
    yield from certificates(view)


def _others(everywhere: View, regions: list[str]) -> Iterator[Strip]:
    for place, name in everywhere.platform.regions.items():
        if place not in regions:
            outside = _outside_the_network(View(platform=everywhere.platform, place=place))
            yield Strip(title=name, boxes=tuple(box for boxes in outside.values() for box in boxes))
    yield Strip(title="Account", boxes=tuple(account(everywhere)))


def _region(view: View) -> Region:
    primary = view.place == next(iter(view.platform.regions))
    boxes = {
        Slot.ENTRY: tuple(regional_firewall(view)),
        Slot.PUBLIC: (*egress(view), *load_balancers(view)),
        Slot.PRIVATE: (*services(view), *functions(view, in_network=True), *endpoints(view)),
        Slot.DATABASE: tuple(clusters(view)),
        **_outside_the_network(view),
    }
    return Region(
        place=view.place or "",
        title=": ".join(filter(None, [f"{'Primary' if primary else 'Recovery'} region, {view.region}", routing(view)])),
        network=network(view),
        tiers={slot: tier(view, slot) for slot in TIERS if boxes[slot] or subnets(view, slot)},
        boxes=boxes,
    )


def _outside_the_network(view: View) -> dict[Slot, tuple[Box, ...]]:
    return {
        Slot.BUCKETS: tuple(buckets(view)),
        Slot.BACKUP: tuple(vaults(view)),
        Slot.QUEUES: tuple(queues(view)),
        Slot.SERVICES: (
            *secrets(view),
            *keys(view),
            *functions(view, in_network=False),
            *workflows(view),
            *repositories(view),
            *logs(view),
            *alarms(view),
            *audit(view),
        ),
    }
