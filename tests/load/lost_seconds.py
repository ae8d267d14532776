"""The database loses its last seconds, as by a failover to a region that was behind, or by a restore.

The server is replaced by a copy of itself from some seconds ago: a physical one, so that every row is as it was, at the
same address. Merchants then repeat what they had accepted meanwhile, with the same keys, as they are told to
(docs/runbooks/region-failover.md).
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emulator.runtime.postgresql import give_away, run
from tests.load.customers import Customers
from tests.load.world import World
from tests.postgresql import Postgresql


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What was lost."""

    repeated: int
    """Payments that merchants repeated: those accepted since the copy."""
    payments: int
    """Those of them whose rows were lost."""
    charged: int
    """Those of the lost that the acquirer had charged already."""

    def problems(self) -> Iterator[str]:
        """Why a run shows nothing."""
        if not self.payments:
            yield "no payment was lost"
        if not self.charged:
            yield "nothing that was lost had been charged"


async def lose(world: World, customers: Customers, seconds: float) -> Lost:
    """Put the database back by so many seconds, and let merchants repeat; customers go on to pay all the time."""
    since = time.monotonic()
    copy = await asyncio.to_thread(_copied, world.database)
    await asyncio.sleep(seconds)
    charged = await asyncio.to_thread(_put_back, world, copy)
    again = [one for one in customers.accepted if one.first_sent_at + one.seconds >= since]
    before = {one.number: one.payment for one in again}
    await customers.repeat(again)
    lost = [one for one in again if one.payment != before[one.number]]
    return Lost(repeated=len(again), payments=len(lost), charged=sum(1 for one in lost if one.token in charged))


def _copied(database: Postgresql) -> Path:
    """A copy of the server's files, by its own protocol for that.

    https://www.postgresql.org/docs/17/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
    """
    data, copy = database.folder / "data", database.folder / "copy"
    with database.connect() as connection:
        connection.execute("SELECT pg_backup_start('lost seconds', fast => true)")
        # A file that is gone meanwhile is one of those that the log makes again.
        run(["sh", "-c", f"cp -a {data} {copy} || true"])
        row = connection.execute("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)").fetchone()
        assert row
    run(["sh", "-c", f"cp -a {data}/pg_wal {copy} || true"])
    (copy / "postmaster.pid").unlink()
    label = copy / "backup_label"
    label.write_text(row[0], encoding="utf-8")
    give_away(label)
    return copy


def _put_back(world: World, copy: Path) -> set[str]:
    """Replace the server by its copy; returns the tokens that the acquirer had charged by then."""
    with world.one_at_a_time:
        world.database.stop()
        charged = {entry["subject"] for entry in world.book("/_book/entries") if entry["status"] == "approved"}
        data = world.database.folder / "data"
        old = data.rename(data.with_name("lost"))
        copy.rename(data)
        world.database.start()
    shutil.rmtree(old)
    return charged
