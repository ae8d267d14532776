"""The state bucket's lifecycle: old versions go after a while, the state itself never does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

RULE_ID = "remove-what-state-leaves-behind"
UNFINISHED_UPLOAD_DAYS = 7

Rule = Mapping[str, Any]


def rule(versions: Mapping[str, int]) -> dict[str, Any]:
    """Our rule: expires old versions and delete markers of locks after some days, incomplete uploads after a week.

    ``versions`` is how long and optionally how many old versions are kept (NoncurrentVersionExpiration).
    """
    return {
        "ID": RULE_ID,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": dict(versions),
        # Each run of Terraform deletes its lock file, which leaves a marker.
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_UPLOAD_DAYS},
    }


def merged(existing: Sequence[Rule], noncurrent_version_days: int) -> list[Rule]:
    """``existing`` with our rule; no old version expires earlier than before or than the settings say.

    Where rules overlap the shortest time applies, so ours has the longest time of all
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-conflicts.html).
    """
    others = [_keeping_versions_for(noncurrent_version_days, one) for one in existing if one.get("ID") != RULE_ID]
    wanted = [*others, rule(_most_kept([{"NoncurrentDays": noncurrent_version_days}, *_expirations(existing)]))]
    unchanged = len(wanted) == len(existing) and all(_normal(one) in map(_normal, existing) for one in wanted)
    return list(existing) if unchanged else wanted


def removes_state(existing: Sequence[Rule]) -> Iterator[str]:
    """The id of each enabled rule that would remove the state itself: one that expires current objects."""
    for one in existing:
        if one["Status"] == "Enabled" and {"Days", "Date"} & set(one.get("Expiration", {})):
            yield str(one.get("ID", "without an id"))


def _expirations(rules: Sequence[Rule]) -> list[Mapping[str, int]]:
    return [
        one["NoncurrentVersionExpiration"]
        for one in rules
        if one["Status"] == "Enabled" and "NoncurrentVersionExpiration" in one
    ]


def _most_kept(expirations: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The longest time, and the most versions (NewerNoncurrentVersions), that any of them keeps."""
    names = {name for one in expirations for name in one}
    return {name: max(one[name] for one in expirations if name in one) for name in sorted(names)}


def _keeping_versions_for(days: int, one: Rule) -> Rule:
    expiration = one.get("NoncurrentVersionExpiration")
    if one["Status"] != "Enabled" or expiration is None or expiration["NoncurrentDays"] >= days:
        return one
    return {**one, "NoncurrentVersionExpiration": {**expiration, "NoncurrentDays": days}}


def _normal(one: Rule) -> dict[str, Any]:
    """A rule in the one form that S3's spellings of it share: no filter, and a filter by the empty prefix."""
    bare = {key: value for key, value in one.items() if key not in {"Filter", "Prefix"}}
    return bare | {"Filter": one.get("Filter") or {"Prefix": one.get("Prefix", "")}}
