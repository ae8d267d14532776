"""`make redrive`: shows the messages of a queue's dead-letter queue, returns them to the queue, or discards them.

Without --return or --discard it only shows. A message is deleted from the dead-letter queue only after the queue has it
(or, for a discard, after it is in the record file): after an interruption in between it is in both, and its consumer
processes it twice, which is idempotent. SQS's own redrive has no filter.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import boto3
from rich.console import Console
from rich.table import Table

from operations.account import aws_errors_in_words, refuse_account_other_than
from operations.interruption import deferred
from operations.outcome import Failed, Refused
from operations.question import agreed, refuse_silence
from operations.redrive.dead_letters import AT_ONCE, DeadLetters, Letter
from operations.redrive.facts import PENDING, Facts, facts_of
from operations.redrive.request import Filter, Place, Request, Task
from shared import json_lines

MOST_ROWS = 200


def run(request: Request, console: Console) -> None:
    """Show, return or discard the requested messages.

    Raises:
        Refused: bad input; nothing was received.
        Failed: an AWS call failed, or some messages could not be returned or deleted: they are still there.
        KeyboardInterrupt: messages that were not processed are visible again.
    """
    task = request.task
    if task is Task.DISCARD:
        refuse_silence(request.approve)
    with aws_errors_in_words():
        session = boto3.Session(region_name=request.place.region)
        refuse_account_other_than(request.place.account_id, session, request.place.region)
        letters = DeadLetters(request.queue, session)
        held: list[Letter] = []
        try:
            chosen, facts = _choose(request, letters, session, held)
            console.print(_table(chosen, facts))
            _say_what_is_there(console, letters, chosen, held, request.place)
            if task is not Task.SHOW and chosen:
                _ask_before_deletion(request, letters, len(chosen))
                _act(request, letters, chosen, held, console)
            elif chosen:
                console.print(
                    "nothing was changed: --return gives them back to the queue, --discard REASON deletes them"
                )
        finally:
            with deferred():
                letters.give_back(held)


def _choose(
    request: Request, letters: DeadLetters, session: boto3.Session, held: list[Letter]
) -> tuple[list[Letter], dict[str, Facts]]:
    """The messages that match, oldest first, up to the limit; ``held`` gets all that were received."""
    for received in letters.receive(request.limit):
        held += received  # also those that do not match: all received messages are made visible again
    now = datetime.now(UTC)
    facts = facts_of((one.operation for one in held), session) if request.database else {}
    chosen = [one for one in held if fits(request.filter, one, facts.get(one.operation), now)]
    return sorted(chosen, key=lambda one: one.sent_at), facts


def _ask_before_deletion(request: Request, letters: DeadLetters, count: int) -> None:
    if request.task is not Task.DISCARD or request.approve:
        return
    if not agreed(f"Delete {count} messages of {letters.name} ({request.place})?"):
        raise Refused("nothing was changed")


def fits(wanted: Filter, letter: Letter, facts: Facts | None, now: datetime) -> bool:
    """Whether a message matches; an unknown attribute matches no filter."""
    age = now - letter.sent_at
    if wanted.older_than is not None and age < wanted.older_than:
        return False
    if wanted.newer_than is not None and age > wanted.newer_than:
        return False
    if wanted.payment is not None and letter.payment != wanted.payment:
        return False
    return not wanted.needs_database or (facts is not None and _facts_fit(wanted, facts))


def _facts_fit(wanted: Filter, facts: Facts) -> bool:
    return (
        (wanted.reason is None or wanted.reason in facts.reason)
        and (wanted.currency is None or wanted.currency == facts.currency)
        and (wanted.min_amount is None or facts.amount >= wanted.min_amount)
        and (wanted.max_amount is None or facts.amount <= wanted.max_amount)
        and (not wanted.completed or facts.status != PENDING)
    )


def _act(
    request: Request, letters: DeadLetters, chosen: Sequence[Letter], held: list[Letter], console: Console
) -> None:
    done = 0
    try:
        for start in range(0, len(chosen), AT_ONCE):
            batch = chosen[start : start + AT_ONCE]
            with deferred():  # an interruption between the two calls would leave an unknown state
                safe = letters.send_to_source(batch) if request.task is Task.RETURN else _recorded(request, batch)
                gone = letters.delete(safe)
                done += len(gone)
                # A message that was sent but not deleted is in both queues: it counts as still dead.
                held[:] = [one for one in held if one not in gone]
    finally:
        word = "returned to the queue" if request.task is Task.RETURN else f"discarded, and kept in {request.record}"
        console.print(f"{done} of {len(chosen)} {word}", markup=False)
    if done < len(chosen):
        raise Failed(f"{len(chosen) - done} are still dead letters; the same command goes on with them")


def _recorded(request: Request, batch: Sequence[Letter]) -> Sequence[Letter]:
    """Write the messages to the record file; only what is on disk may be deleted."""
    lines = [
        {
            "discarded_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "reason": request.discard,
            "message_id": one.id,
            "sent_at": one.sent_at.isoformat(timespec="seconds"),
            "body": one.body,
            "attributes": one.attributes,
        }
        for one in batch
    ]
    file = os.open(request.record, json_lines.APPENDING, 0o666)
    try:
        json_lines.append(file, lines)
        os.fsync(file)
    finally:
        os.close(file)
    return batch


def _say_what_is_there(
    console: Console, letters: DeadLetters, chosen: Sequence[Letter], held: Sequence[Letter], place: Place
) -> None:
    if len(chosen) > MOST_ROWS:
        console.print(f"... and {len(chosen) - MOST_ROWS} more")
    console.print(f"{letters.name} ({place}): {len(held)} looked at, {len(chosen)} of them fit", markup=False)


def _table(chosen: Sequence[Letter], facts: dict[str, Facts]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("age", "receives", "payment", "operation"):
        table.add_column(heading, justify="right" if heading in {"age", "receives"} else "left", no_wrap=True)
    for heading in ("kind", "amount", "status", "attempts", "reason") if facts else ():
        table.add_column(heading, justify="right" if heading in {"amount", "attempts"} else "left", no_wrap=True)
    now = datetime.now(UTC)
    for one in chosen[:MOST_ROWS]:
        row = [age(now - one.sent_at), str(one.receives), one.payment or "(not understood)", one.operation]
        known = facts.get(one.operation)
        if known:
            row += [known.kind, f"{known.amount} {known.currency}", known.status, str(known.attempts), known.reason]
        table.add_row(*row)
    return table


def age(span: timedelta) -> str:
    """A span in its largest unit that is more than one, such as 90m."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
