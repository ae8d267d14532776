"""The generated tables of docs/architecture.md: permitted network flows, and the users of each key.

They are between two HTML comments; the text around them is written by hand.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from operations.outcome import Refused
from operations.picture.model import View
from operations.picture.plan import Block, Platform, Resource, read

RULES = ("aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule")
NOT_ENCRYPTED = {"aws_kms_alias", "aws_s3_bucket_replication_configuration"}
"""Resources that name a key without storing anything with it; a replica is stored by its own bucket."""


def page_with_tables(page: str, configuration: str, source: str) -> str:
    """The page with its tables generated from the text of a cdk.tf.json.

    Raises:
        Refused: the page has no place for a table, or the configuration cannot be read.
    """
    platform, document = read(configuration, source), json.loads(configuration)
    for name, table in (("flows", flows(platform, document)), ("keys", keys(platform, document))):
        begin, end = f"<!-- {name}, written by make picture -->\n", f"<!-- end of {name} -->\n"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise Refused(f"docs/architecture.md: {begin.strip()} and {end.strip()} are needed once, around the table")
        page = f"{page.partition(begin)[0]}{begin}\n{table}\n{end}{page.partition(end)[2]}"
    return page


def flows(platform: Platform, document: Block) -> str:
    """The permitted flows: the security group rules, with both ends of a flow in one row."""
    found: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for rule in platform.of(*RULES):
        own = _ends(platform, document, rule, "security_group_id")
        other = _ends(platform, document, rule, "referenced_security_group_id", "prefix_list_id", "cidr_ipv4")
        source, target = (own, other) if rule.type == RULES[0] else (other, own)
        ports = " to ".join(dict.fromkeys(str(rule.values.get(end, "any")) for end in ("from_port", "to_port")))
        found[source, target, ports, rule.text("description")].add(platform.regions[rule.place])
    rows = [(source, target, port, why, _places(places)) for (source, target, port, why), places in found.items()]
    return _table(("from", "to", "port", "why", "in"), sorted(rows))


def _ends(platform: Platform, document: Block, rule: Resource, *attributes: str) -> str:
    """The other end of a rule, from the first of these attributes that it has."""
    attribute = next(one for one in attributes if rule.values.get(one))
    value = str(rule.values[attribute])
    view = View(platform=platform, place=rule.place)
    for other in (one for one in platform.resources if rule.names(attribute, one)):
        if other.type == "aws_vpc_endpoint":
            return f"{other.text('service_name').rpartition('.')[2]} (gateway)"
        return f"`{view.name(other)}`"
    if named := re.fullmatch(r"\$\{data\.([\w-]+)\.([\w-]+)\.\w+\}", value):
        name = document["data"][named[1]][named[2]]["name"].removeprefix("com.amazonaws.")
        return f"`{name.removeprefix(f'{view.region}.')}`"
    return value


def keys(platform: Platform, document: Block) -> str:
    """The resources that each key encrypts, and the statements of its policy that allow its use."""
    aliases = {one: alias for alias in platform.of("aws_kms_alias") for one in _named(platform, alias, "target_key_id")}
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for key in platform.of("aws_kms_key"):
        name = View(platform=platform, place=key.place).name(aliases.get(key, key))
        found[name]["regions"].add(platform.regions[key.place])
        found[name]["statements"].update(_uses(document, key))
        found[name]["types"].update(
            one.type
            for one in platform.resources
            if any(key.address in named for named in one.references.values()) and one.type not in NOT_ENCRYPTED
        )
    rows = [
        (name, _code(one["types"]), _code(one["statements"]), _places(one["regions"])) for name, one in found.items()
    ]
    return _table(("key", "encrypts", "may be used by", "in"), sorted(rows))


def _named(platform: Platform, resource: Resource, attribute: str) -> list[Resource]:
    return [one for one in platform.resources if resource.names(attribute, one)]


def _uses(document: Block, key: Resource) -> Iterator[str]:
    """The statements of a key's policy, without the one for administration."""
    policy = re.search(r"data\.aws_iam_policy_document\.([\w-]+)", str(key.values.get("policy")))
    documents: Mapping[str, Block] = document.get("data", {}).get("aws_iam_policy_document", {})
    for statement in documents.get(policy[1], {}).get("statement", []) if policy else []:
        if not statement["sid"].startswith("Administration"):
            yield statement["sid"]


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name.removeprefix('aws_')}`" for name in sorted(names))


def _places(regions: Iterable[str]) -> str:
    return ", ".join(sorted(regions))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
