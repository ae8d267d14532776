"""What happens to a run beside killed processes: an outage of the acquirer, a brown-out of the queue, lost seconds of
the database, a migration, and a release.

Each begins once a third of the payments is accepted, one after the other, while customers go on to pay.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from payments.migrate import MIGRATIONS, migrate
from tests.load.customers import Customers
from tests.load.lost_seconds import lose
from tests.load.world import World

BROWN_OUT_SECONDS_A_CALL = 3.4
"""With it, ten calls take longer than a transaction may be idle."""
OPEN_TRANSACTION_SECONDS = 12.0
STEP = '''
"""A step as a release has them: a column, a constraint, and an index on a table in use."""

from alembic import op

revision = "load"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE payments.operations ADD COLUMN IF NOT EXISTS load_note text")
    op.execute("ALTER TABLE payments.operations DROP CONSTRAINT IF EXISTS operations_load_note")
    op.execute(
        "ALTER TABLE payments.operations ADD CONSTRAINT operations_load_note CHECK (length(load_note) < 9) NOT VALID"
    )
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE payments.operations VALIDATE CONSTRAINT operations_load_note")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS operations_load ON payments.operations (created_at, load_note)"
        )
'''
# Rows of years ago: their identifiers are below those of the run, and their currency is left out of its sums.
FILL = """
INSERT INTO payments.payments
    (id, merchant_id, state, status, amount, currency, captured_amount, created_at, updated_at)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, %s, 'captured', 'captured', 100, 'GBP', 100,
    now() - interval '1 year', now()
FROM generate_series(%s::bigint, %s::bigint) AS n;
"""
FILL_OPERATIONS = """
INSERT INTO payments.operations (id, merchant_id, payment_id, kind, amount, state, status, correlation_id,
    next_attempt_at, created_at, settled_at, completed_at)
SELECT id, merchant_id, id, 'sale', 100, 'succeeded', 'succeeded', 'bare', now(), now(), now(), now()
FROM payments.payments WHERE id BETWEEN %s AND %s;
"""
ROWS_AT_ONCE = 250_000


@dataclass(frozen=True)
class Window:
    """The time of a fault, from the beginning of the run, and what was seen of it."""

    name: str
    begins: float
    ends: float
    seen: str = ""


def fill(world: World, rows: int, say: Callable[[str], None]) -> None:
    """Fill the tables with rows of years ago."""
    began = time.monotonic()
    merchant = UUID(int=0)
    with world.connect() as connection:
        connection.execute("SET session_replication_role = replica")  # without triggers and foreign keys
        connection.execute("SET statement_timeout = 0")
        for first in range(1, rows + 1, ROWS_AT_ONCE):
            last = min(first + ROWS_AT_ONCE - 1, rows)
            connection.execute(FILL, (merchant, first, last))
            ids = [UUID(f"00000000-0000-7000-8000-{number:012x}") for number in (first, last)]
            connection.execute(FILL_OPERATIONS, ids)
        connection.execute("ANALYZE payments.payments, payments.operations")
    say(f"{rows:,} payments of years ago are there after {time.monotonic() - began:.0f} s")


class Faults:
    """The faults of a run."""

    def __init__(self, world: World, customers: Customers, say: Callable[[str], None]) -> None:
        self.world, self.customers, self.say = world, customers, say
        self.windows: list[Window] = []
        self.problems: list[str] = []
        self._began = time.monotonic()

    async def run(self, over: Callable[[], bool]) -> None:
        """Wait for a third of the payments, and let happen what the size says."""
        size = self.world.size
        while len(self.customers.accepted) < size.payments / 3 and not over():
            await asyncio.sleep(0.1)
        if size.outage_seconds:
            await self._in_window("outage of the acquirer", self._outage)
        if size.brown_out_seconds:
            await self._in_window("brown-out of the queue", self._brown_out)
        if size.lost_seconds:
            await self._in_window("lost seconds of the database", self._lose)
        if size.migrate:
            await self._in_window("migration", self._migrate)
        if size.release:
            await self._in_window("release", self._release)

    async def _in_window(self, name: str, happen: Callable[[], Awaitable[str]]) -> None:
        begins = time.monotonic() - self._began
        self.say(f"{begins:4.0f} s: {name}")
        seen = await happen()
        self.windows.append(Window(name, begins, time.monotonic() - self._began, seen))
        self.say(f"{self.windows[-1].ends:4.0f} s: {name} is over; {seen}")

    async def _outage(self) -> str:
        before = await asyncio.to_thread(self._requests)
        await asyncio.to_thread(self.world.behave, down=True)
        await asyncio.sleep(self.world.size.outage_seconds)
        after = await asyncio.to_thread(self._requests)
        await asyncio.to_thread(self.world.behave)
        return f"{after - before} requests to the acquirer in it"

    def _requests(self) -> int:
        return int(self.world.book()["requests"])

    async def _brown_out(self) -> str:
        self.world.proxy.seconds = BROWN_OUT_SECONDS_A_CALL
        waiting = []
        until = time.monotonic() + self.world.size.brown_out_seconds
        while time.monotonic() < until:
            waiting.append(await asyncio.to_thread(self._outbox))
            await asyncio.sleep(1)
        self.world.proxy.seconds = 0.0
        return f"{waiting[0]} letters in the outbox at its beginning, {max(waiting)} at most, {waiting[-1]} at its end"

    def _outbox(self) -> int:
        with self.world.connect() as connection:
            row = connection.execute("SELECT count(*) FROM payments.outbox").fetchone()
        return int(row[0]) if row else 0

    async def _lose(self) -> str:
        lost = await lose(self.world, self.customers, self.world.size.lost_seconds)
        self.problems += lost.problems()
        return (
            f"{lost.repeated} accepted in it repeated, {lost.payments} of them lost, of which {lost.charged} were "
            "charged already"
        )

    async def _migrate(self) -> str:
        """Two migrators at once, while a transaction is open that has read the table."""
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(3) as threads:
            directory = _with_a_step(Path(folder))
            loop = asyncio.get_running_loop()
            reader = loop.run_in_executor(threads, self._read_in_a_transaction)
            await asyncio.sleep(0.5)
            took = await asyncio.gather(
                *(loop.run_in_executor(threads, self._migrate_once, directory) for _ in range(2)),
                return_exceptions=True,
            )
            await reader
        failed = [type(one).__name__ for one in took if isinstance(one, BaseException)]
        self.problems += [f"a migrator ended with {name}" for name in failed]
        with self.world.connect() as connection:
            valid = connection.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('payments.operations_load')"
            ).fetchone()
        if valid != (True,):
            self.problems.append("the migration's index is missing or invalid")
        times = ", ".join(f"{one:.1f} s" for one in took if isinstance(one, float))
        return f"the two migrators took {times}; a transaction was open for {OPEN_TRANSACTION_SECONDS:.0f} s"

    async def _release(self) -> str:
        """A new version migrates, and then its processes replace those of the old one, one after the other."""
        return await asyncio.to_thread(self._released)

    def _released(self) -> str:
        folder = Path(tempfile.mkdtemp(prefix="release-", dir=self.world.services[0].log.parent))
        without = shutil.ignore_patterns("__pycache__", MIGRATIONS.name)
        shutil.copytree(MIGRATIONS.parent, folder / "payments", ignore=without)
        seconds = self._migrate_once(_with_a_step(folder / "payments"))
        processes = [*self.world.services, *self.world.workers]
        statuses = [self.world.replace(one, folder) for one in processes]
        self.problems += [f"a process of the version before ended with {one}" for one in statuses if one]
        return f"the migration took {seconds:.1f} s; {len(processes)} processes replaced"

    def _read_in_a_transaction(self) -> None:
        with self.world.connect() as connection, connection.transaction():
            connection.execute("SELECT id FROM payments.operations LIMIT 1")
            time.sleep(OPEN_TRANSACTION_SECONDS)

    def _migrate_once(self, directory: Path) -> float:
        began = time.monotonic()
        migrate(self.world.database.connect, directory=directory)
        return time.monotonic() - began

    def latencies(self) -> Iterator[tuple[str, list[float]]]:
        """The seconds of each accepted request, by the window that it was sent in."""
        inside: set[int] = set()
        for window in self.windows:
            found = [
                one for one in self.customers.accepted if window.begins <= one.first_sent_at - self._began < window.ends
            ]
            inside |= {one.number for one in found}
            yield window.name, [one.seconds for one in found]
        yield "at other times", [one.seconds for one in self.customers.accepted if one.number not in inside]

    def medians(self) -> dict[str, float]:
        """The median of each of them, in seconds."""
        return {name: statistics.median(values) for name, values in self.latencies() if values}


def _with_a_step(folder: Path) -> Path:
    """The migrations, and a step more."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    directory = folder / "migrations"
    shutil.copytree(MIGRATIONS, directory, ignore=shutil.ignore_patterns("__pycache__"))
    configuration = Config()
    configuration.set_main_option("script_location", str(directory))
    head = ScriptDirectory.from_config(configuration).get_current_head()
    (directory / "versions" / "load.py").write_text(STEP.format(head=head), encoding="utf-8")
    return directory
