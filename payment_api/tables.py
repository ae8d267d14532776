"""Writes the tables of docs/ that are made from code: `python -m payment_api.tables`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from payment_api.owasp import TOP_10
from payment_api.pci import CONTROLS
from payment_api.settings import ENVIRONMENTS, known_environments, load
from payment_api.settings.sizing import CONCURRENT_TRANSACTIONS

DOCS = Path(__file__).parents[1] / "docs"
WRITTEN = "Written by `python -m payment_api.tables`; a test fails where the code says otherwise."


def owasp() -> str:
    """docs/payment-api-owasp.md."""
    rows = (
        f"| {one.id} {one.name} | {'<br>'.join(one.rules)} | {one.beyond} | {'<br>'.join(one.resources)} |"
        for one in TOP_10
    )
    return _page(
        "# The OWASP Top 10 at the payment API's edge",
        f"Each row, the firewall's rules that block it, in both web ACLs, and what else answers it. {WRITTEN} The test "
        "is tests/payment_api/test_tables.py, of each row.",
        "| risk | rules of the firewall | beyond the firewall | made of |",
        rows,
    )


def pci() -> str:
    """docs/pci-dss.md."""
    rows = (
        f"| {one.id} | {one.asks} | {'<br>'.join(one.platform) or '-'} | {'<br>'.join(one.api)} | "
        f"{'<br>'.join(test.removeprefix('tests/') for test in one.tests)} |"
        for one in CONTROLS
    )
    return _page(
        "# PCI DSS 4.0.1",
        f"The controls that infrastructure can keep, in both systems. {WRITTEN} What people must do is not here.",
        "| control | asks | payment platform | payment API | tests |",
        rows,
    )


def sizing() -> str:
    """docs/payment-api-sizing.md."""
    return "\n".join([SIZING, *(_environment(name) for name in known_environments(ENVIRONMENTS))])


SIZING = f"""\
# Sized for {CONCURRENT_TRANSACTIONS:,} concurrent transactions

A transaction is under way from the moment that API Gateway lets it in until the acquirer's answer is stored. By
Little's law the number under way is the rate at which they come, times the time that each takes: at the gateway's
1,000 requests a second, 10,000 are under way when each takes ten seconds, the bound of the processing-time alarm.

Two extremes bound everything between them. Either all of them are open requests at once, which the tasks must hold; or
they arrive at the throttled rate, which the functions must keep up with, or the queue grows. The queue itself holds any
number, and nothing is lost meanwhile. Settings that miss one of the bounds below are refused
(`payment_api/settings/sizing.py`), with a line that says which. `seconds_per_batch` and `requests_in_flight_per_task`
are assumptions of the arithmetic: measure them with the payments service's load test, and set what was measured.

What AWS itself bounds: a stage takes 10,000 requests a second of an account, which the throttle keeps well below; the
functions' concurrency is reserved from the account's (1,000 unless raised); SQS lets 120,000 messages be held at once.

{WRITTEN}
"""


def _environment(name: str) -> str:
    rows = (
        f"| {one.what} | {one.available:,g} | {one.available_from} | {one.needed:,g} | {one.needed_from} |"
        for one in load(name).bounds
    )
    return _page(f"## {name}", "", "| what | there are | from | needed | from |", rows)


def _page(title: str, about: str, head: str, rows: Iterator[str]) -> str:
    rule = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([title, "", *([about, ""] if about else []), head, rule, *rows, ""])


PAGES = {"payment-api-owasp.md": owasp, "pci-dss.md": pci, "payment-api-sizing.md": sizing}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page(), encoding="utf-8")
