"""IAM policies of the drift role: what a refresh reads, and no secret value.

They are the reading actions of the deploy role's policies, on the same resources; the state is read by the plan role's
policy, which denies secrets. What `make drift` refreshes needs no secret (operations/deployment/drift.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from modules.delivery.permissions.deploy import DEPLOY
from modules.delivery.permissions.grants import Grant

READING = re.compile(r"(Describe|Get|List|View)\w+")
SECRET = {"GetSecretValue"}
NO_REFRESH = {"state", "fail-over"}
"""The state is in the plan role's policy, and a failover refreshes nothing."""


def _reading(grant: Grant) -> Iterator[Grant]:
    def kept(actions: str) -> str:
        return " ".join(one for one in actions.split() if READING.fullmatch(one) and one not in SECRET)

    unrehearsed = {reason: found for reason, actions in grant.unrehearsed.items() if (found := kept(actions))}
    if (rehearsed := kept(grant.rehearsed)) or unrehearsed:
        yield replace(grant, rehearsed=rehearsed, unrehearsed=unrehearsed)


DRIFT: Mapping[str, tuple[Grant, ...]] = MappingProxyType(
    {
        domain: tuple(one for grant in grants for one in _reading(grant))
        for domain, grants in DEPLOY.items()
        if domain not in NO_REFRESH
    }
)
