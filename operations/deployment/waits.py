"""Critical path of a deployment: the longest chain of resources that depend on each other.

Most of a deployment's time is the provider's polling (it reads a bucket's lifecycle for nearly a minute until it is
stable). Dependent resources wait for it, others proceed in parallel: so the chain with the longest total time is the
minimum duration of a deployment, however many resources are created in parallel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter


@dataclass(frozen=True)
class Chain:
    """Resources of which each waits for the one before, by address, and the sum of their seconds."""

    seconds: float
    addresses: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sum and the chain by type, such as ``62 s: s3_bucket > s3_bucket_lifecycle_configuration``."""
        types = [address.split(".")[-2].removeprefix("aws_") for address in self.addresses]
        return f"{self.seconds:.0f} s: {' > '.join(types)}"


def longest_chain(seconds: Mapping[str, float], depends_on: Mapping[str, Collection[str]]) -> Chain:
    """The chain with the greatest sum.

    Args:
        seconds: how long each resource took, by address.
        depends_on: the resources that each depends on, directly or not; those that took no time may be missing.
    """
    graph = {address: [one for one in depends_on.get(address, ()) if one in seconds] for address in seconds}
    longest: dict[str, Chain] = {}
    for address in TopologicalSorter(graph).static_order():
        before = max((longest[one] for one in graph[address]), key=lambda chain: chain.seconds, default=Chain(0.0, ()))
        longest[address] = Chain(before.seconds + seconds[address], (*before.addresses, address))
    return max(longest.values(), key=lambda chain: chain.seconds, default=Chain(0.0, ()))
