"""Writes the tables of docs/ that are generated from code: `python -m payment_api.tables`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from payment_api.demands import DECIDED_BY_AWS, DEMANDS
from payment_api.faults import FAULTS
from payment_api.owasp import TOP_10
from payment_api.pci import CONTROLS
from payment_api.settings import ENVIRONMENTS, known_environments, load
from payment_api.settings.sizing import CONCURRENT_TRANSACTIONS

DOCS = Path(__file__).parents[1] / "docs"
WRITTEN = "Written by `python -m payment_api.tables`; a test fails where it differs from the code."


def owasp() -> str:
    """docs/payment-api-owasp.md."""
    rows = (
        f"| {one.id} {one.name} | {'<br>'.join(one.rules)} | {one.beyond} | {'<br>'.join(one.resources)} |"
        for one in TOP_10
    )
    return _page(
        "# The OWASP Top 10:2025 at the payment API's edge",
        f"Each risk with the rules of both web ACLs that block it, and the other controls. {WRITTEN} "
        "tests/payment_api/test_tables.py tests each row.",
        "| risk | rules of the web ACLs | other controls | resources |",
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
        "Controls that infrastructure can implement, in both systems, without organizational ones. cdk-nag's pack, "
        f"which the payment API is synthesized with, is of PCI DSS 3.2.1: there is no newer one. {WRITTEN}",
        "| control | requirement | payment platform | payment API | tests |",
        rows,
    )


def demands() -> str:
    """docs/payment-api-demands.md."""
    rows = (
        f"| {one.asks} | {'<br>'.join(one.resources)} | {'<br>'.join(one.tests)} | {one.open or '-'} |"
        for one in DEMANDS
    )
    questions = (f"| {' | '.join(row)} |" for row in DECIDED_BY_AWS)
    return "\n".join(
        [
            _page(
                "# The payment API, demand by demand",
                "Each demand with the types of the resources that keep it, the tests that would notice its loss, and "
                f"what they do not show. {WRITTEN}",
                "| demand | resources | tests | not shown |",
                rows,
            ),
            _page(
                "## What only a real account decides",
                "Try these after the first deployment, before anybody depends on it.",
                "| question | try | result |",
                questions,
            ),
        ]
    )


def faults() -> str:
    """docs/payment-api-faults.md."""
    rows = (f"| {one.id} | {one.was} | {one.outcome} | {'<br>'.join(one.tests) or '-'} |" for one in FAULTS)
    return _page(
        "# What a review of the payment API has found",
        f"Each fault, what came of it, and the tests that would notice its kind today. {WRITTEN}",
        "| id | fault | outcome | tests |",
        rows,
    )


def sizing() -> str:
    """docs/payment-api-sizing.md."""
    return "\n".join([SIZING, *(_environment(name) for name in known_environments(ENVIRONMENTS))])


SIZING = f"""\
# Sized for {CONCURRENT_TRANSACTIONS:,} concurrent transactions

A transaction is in flight from its acceptance by API Gateway until the acquirer's decision is stored. By Little's law
the number in flight is the arrival rate times the duration: at the gateway's 1,000 requests a second, 10,000 are in
flight when each takes ten seconds, the threshold of the processing-time alarm.

All cases lie between two extremes. Either all transactions are open requests at once, which the tasks must serve; or
they arrive at the throttled rate, which the functions must keep up with, or the queue grows. The queue itself has no
limit, and loses nothing. Settings that violate one of the limits below are refused (`payment_api/settings/sizing.py`),
with a line that names it. `seconds_per_batch` and `requests_in_flight_per_task` are assumptions: measure them with the
payments service's load test, and set the measured values.

AWS's own limits: an account has 10,000 requests a second in API Gateway, far above the throttle; the functions'
concurrency is reserved from the account's (1,000 unless raised); SQS allows 120,000 messages in flight.

{WRITTEN}
"""


def _environment(name: str) -> str:
    rows = (
        f"| {one.what} | {one.available:,g} | {one.available_from} | {one.needed:,g} | {one.needed_from} |"
        for one in load(name).bounds
    )
    return _page(f"## {name}", "", "| limit | available | from | required | from |", rows)


def _page(title: str, about: str, head: str, rows: Iterator[str]) -> str:
    rule = "|" + "---|" * (head.count("|") - 1)
    return "\n".join([title, "", *([about, ""] if about else []), head, rule, *rows, ""])


PAGES = {
    "payment-api-demands.md": demands,
    "payment-api-faults.md": faults,
    "payment-api-owasp.md": owasp,
    "pci-dss.md": pci,
    "payment-api-sizing.md": sizing,
}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page(), encoding="utf-8")
