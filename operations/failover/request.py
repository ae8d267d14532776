"""Request of the failover command, from the command line."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from operations.region import Region
from operations.watching import is_silence


@dataclass(frozen=True, kw_only=True)
class Request:
    """Where the platform is to serve from, and how."""

    to: Region
    environment: str
    lost_region: bool = False
    """The other region is lost: its unreplicated data may be lost, and its calls may fail."""
    accept_data_loss: bool = False
    """More may be lost than the recovery point objective, ``database.recovery_point_seconds``."""
    without_epoch: bool = False
    """No epoch is begun by this run: the service begins one itself, by its first operation."""
    approve: bool = False
    take_over: bool = False
    """Another run's lock is taken: that run has ended without a word."""

    @property
    def origin(self) -> Region:
        """The region that the platform leaves."""
        return Region.PRIMARY if self.to is Region.RECOVERY else Region.RECOVERY

    def again(self, *more: str) -> str:
        """The command that continues after this one."""
        options = ["--approve"] if self.approve else []
        options += ["--lost-region"] if self.lost_region else []
        options += ["--accept-data-loss"] if self.accept_data_loss else []
        options += ["--without-epoch"] if self.without_epoch else []
        options += [one for one in more if one not in options]
        words = [f"ENV={self.environment}", f"TO={self.to}"] + ([f"ARGS={' '.join(options)}"] if options else [])
        return "make failover " + shlex.join(words)

    def silence_of(self, place: Region, region: str, error: Exception) -> str:
        """The line that refuses to continue where a region does not answer, or denies a call.

        Only for the first it names --lost-region, which loses unreplicated data.
        """
        if not (is_silence(error) or is_silence(error.__cause__)):
            return f"{place}: {region} refused a call, which a region that is lost does not: {error}"
        if place is not self.origin:
            return f"{place}: {region} does not answer, so the platform cannot go there: {error}"
        return (
            f"{place}: {region} does not answer: {error}; if it is lost, say so, and what it has not replicated is "
            f"lost too: {self.again('--lost-region')}"
        )
