"""How large a load is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Size:
    """Numbers, seconds and shares of a run."""

    payments: int = 15_000
    """How many payments are taken altogether."""
    in_flight: int = 10_000
    """How many are to be in flight at the same time: their request open, or accepted and not completed."""
    clients: int = 160
    """Connections of customers; each sends one request at a time."""
    merchants: int = 1
    """How many pay; the limits of each are the service's own where there are several."""
    services: int = 2
    workers: int = 2
    at_once: int = 64
    """Messages that a worker processes at the same time."""
    seconds_between_kills: float = 6.0
    """On average; each kills one process of the service or a worker."""
    outage: bool = True
    """Whether the acquirer is out of order until the wanted number is in flight and a process was killed."""
    outage_seconds: float = 0.0
    """Of the acquirer, once a third is accepted."""
    brown_out_seconds: float = 0.0
    """How long each call to the queue takes seconds, once a third is accepted."""
    lost_seconds: float = 0.0
    """How many of its last seconds the database loses, once a third is accepted; merchants repeat."""
    migrate: bool = False
    """Whether the schema is migrated, by two at once, beside a transaction that is open."""
    release: bool = False
    """Whether a new version with a migration replaces the old one."""
    rows: int = 0
    """How many payments of years ago are in the database before."""
    failing_percent: float = 5.0
    slow_percent: float = 5.0
    lost_percent: float = 1.0
    silent_percent: float = 1.0
    twice_percent: float = 1.0
    declined_percent: float = 3.0
    broken_percent: float = 0.1
    acquirer_seconds: float = 0.1
    slow_seconds: float = 1.0
    bare: int = 200
    """How many inserts, sends and requests are measured by themselves."""
    tries: int = 5
    """Requests without a decision before an operation is given up. What always fails is alone at the end of a run."""
    durable: bool = True
    """Whether PostgreSQL writes to disk for good."""
    seconds: float = 1800.0
    """After so long the run has failed."""
    seed: int = 1


QUICK = Size(
    payments=300,
    in_flight=200,
    clients=40,
    seconds_between_kills=2.5,
    broken_percent=1.0,
    tries=2,
    bare=20,
    durable=False,
    seconds=400.0,
)
