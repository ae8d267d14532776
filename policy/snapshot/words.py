"""The words of the tables in the place of values: what means the same in two regions or environments reads the same."""

from __future__ import annotations

import re

from policy.closed_world.terms import Terms

SERVING = ("primary", "recovery")
# Terms whose values stand within names and ARNs of every environment.
OF_NAMES = ("account", "suffix", "domain.name")
OF_REGIONS = ("region", "other_region")
DIGEST = re.compile(r"\b(?:[0-9a-fA-F]{32,64}\b|[A-Za-z0-9+/]{43}=)")
# What CDKTF and CDK end ids with: a digest of the path before it, and for a deployment of an API one of the API.
END_OF_ID = re.compile(r"(?<=[a-z])_?[0-9A-F]{8}(?:[0-9a-f]{32})?\b")
REFERENCE = re.compile(r"<[\w.]+ ([^<>]+)")


class Words:
    """The words of an environment's resources in one region."""

    def __init__(self, here: str, terms: Terms) -> None:
        """``here`` is what their construct paths begin with."""
        values = terms.of(f"{here}/").values
        serves = here in SERVING
        names = [name for name in values if serves and name.startswith(("here.", "there."))]
        wholes = {str(values[name]): name for name in (*names, *OF_NAMES) if values.get(name)}
        beginnings = {str(values[name]): name for name in OF_REGIONS if serves}
        self._words = {value: f"{{{name}}}" for value, name in {**beginnings, **wholes}.items()}
        patterns = [rf"{re.escape(value)}(?![a-zA-Z0-9])" for value in wholes] + [*map(re.escape, beginnings)]
        self._pattern = re.compile(rf"(?<![a-zA-Z0-9])(?:{'|'.join(sorted(patterns, key=len, reverse=True))})")
        self._places = {here: "{here}", SERVING[here == SERVING[0]]: "{there}"} if serves else {}

    def said(self, text: str, path: str) -> str:
        """A text of the resource that has this construct path, with the words in it, and no digest."""
        text = DIGEST.sub("{digest}", END_OF_ID.sub("", text))
        text = self._pattern.sub(lambda found: self._words[found[0]], text)
        parent = f"{path.rpartition('/')[0]}/"
        return REFERENCE.sub(lambda found: f"<{self._place(found[1], parent)}", text)

    def _place(self, path: str, parent: str) -> str:
        if path.startswith(parent) and parent.count("/") > 1:
            return f"{{parent}}/{path.removeprefix(parent)}"
        here, slash, rest = path.partition("/")
        return f"{self._places.get(here, here)}{slash}{rest}"
