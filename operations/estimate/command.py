"""`make estimate`: the fixed monthly cost of environments, side by side, and what the figure excludes.

Exit codes: 0 success, 2 bad input.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from operations.deployment.synthesized import absolute, synthesize
from operations.estimate.items import PRICES, Item, Prices, by_use, items, unknown
from operations.estimate.levers import levers
from operations.outcome import Refused
from operations.project_root import PROJECT
from settings import Settings, SettingsError, known_environments, load

PAGE = PROJECT / "docs" / "cost.md"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimate of one environment."""

    environment: str
    budget_usd: int | None
    items: tuple[Item, ...]
    by_use: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def total(self) -> float:
        """USD a month."""
        return sum(item.total for item in self.items)

    def things(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Count and USD a month, by group and item."""
        found: dict[tuple[str, str], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        for item in self.items:
            count, usd = found[item.group, item.thing]
            found[item.group, item.thing] = count + item.count, usd + item.total
        return dict(found)


def run(environments: Sequence[str], prices: Path | None, console: Console) -> None:
    """Show the estimates of environments, or of all that settings/environments has.

    Raises:
        Refused: an environment's settings are wrong, the table of prices is, or lacks a price or a region.
    """
    table_of_prices = Prices(prices or PRICES)
    estimates = of_environments(environments or known_environments(), table_of_prices)
    console.print(table(estimates))
    console.print(f"list prices of {table_of_prices.as_of}, in USD a month; left out, as it costs by use:")
    for line in sorted({line for one in estimates for line in one.by_use}):
        console.print(f"  {line}", markup=False)
    if types := sorted({type_ for one in estimates for type_ in one.unknown}):
        console.print(f"no price is stated for: {', '.join(types)}", markup=False)


def of_environments(environments: Sequence[str], prices: Prices) -> list[Estimate]:
    """Synthesize environments, and estimate them. Raises as ``run`` does."""
    with tempfile.TemporaryDirectory() as folder:
        return [_estimate(name, prices, Path(folder) / str(index)) for index, name in enumerate(environments)]


def _estimate(environment: str, prices: Prices, output: Path) -> Estimate:
    settings = _settings(environment)
    _refuse_other_regions(settings, prices)
    stack = synthesize(absolute(environment), output)
    configuration: Mapping[str, Any] = json.loads((stack / "cdk.tf.json").read_text(encoding="utf-8"))
    whole = dict(configuration)
    return Estimate(
        environment=Path(environment).stem,
        budget_usd=settings.budget.monthly_usd,
        items=tuple(items(whole, prices)),
        by_use=tuple(by_use(whole)),
        unknown=tuple(unknown(whole)),
    )


def _settings(environment: str) -> Settings:
    try:
        return load(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error


def _refuse_other_regions(settings: Settings, prices: Prices) -> None:
    for field, name in (("primary", settings.primary.name), ("recovery", settings.recovery.name)):
        if name not in prices.regions:
            raise Refused(
                f"{field}.name: there are no prices for {name}; the table has {', '.join(sorted(prices.regions))}, and "
                "--prices takes another one"
            )


def table(estimates: Sequence[Estimate]) -> Table:
    """The environments side by side: count of each item, and USD a month."""
    made = Table(title="USD a month, before anything is used", title_justify="left")
    made.add_column("")
    for one in estimates:
        made.add_column(f"{one.environment}\nnumber", justify="right")
        made.add_column("\nUSD", justify="right")
    rows = list(dict.fromkeys(key for one in estimates for key in one.things()))
    for group in dict.fromkeys(group for group, _ in rows):
        for key in (row for row in rows if row[0] == group):
            made.add_row(key[1], *_cells(estimates, key))
        totals = [sum(item.total for item in one.items if item.group == group) for one in estimates]
        made.add_row(f"[bold]{group}", *_totals(totals), end_section=True)
    made.add_row("[bold]together", *_totals([one.total for one in estimates]))
    made.add_row("budget", *_budgets(estimates))
    return made


def _budgets(estimates: Sequence[Estimate]) -> list[str]:
    budgets = ("none" if one.budget_usd is None else f"{one.budget_usd:,.2f}" for one in estimates)
    return [cell for budget in budgets for cell in ("", budget)]


def _cells(estimates: Sequence[Estimate], key: tuple[str, str]) -> list[str]:
    cells = []
    for one in estimates:
        count, usd = one.things().get(key, (0.0, 0.0))
        cells += [f"{count:g}", f"{usd:,.2f}"] if count else ["", ""]
    return cells


def _totals(totals: Sequence[float]) -> list[str]:
    return [cell for total in totals for cell in ("", f"[bold]{total:,.2f}")]


PAGE_TEXT = """\
# What the platform costs

Written by `make estimate ARGS=--write` from the settings that ship and operations/estimate/prices.toml (list prices of
{as_of}); a test fails where it is not what that writes. It is what a month costs before anything is used; a worker on
Spot is counted at the full price. `make estimate ARGS=my.toml` does it for another settings file.

```
{drawn}
```

## Left out, as it costs by use

{left_out}

Taxes, support, discounts and savings plans are left out, too. The budgets leave room for use; look at them again after
the first month.

## What choices save

In USD a month, of production as it ships, compared with the alternative.

| choice | setting | saves |
|---|---|---|
{rows}

## The budget

`budget.monthly_usd` makes a budget of what bears the tag `environment_suffix` with the environment's suffix. The alarm
topic and `budget.email_addresses` are notified when `budget.first_alert_percent` of it is spent, when all of it is, and
when AWS forecasts that it will be.

AWS knows costs by a tag only after somebody has activated it, once, as a cost allocation tag: in the account that pays
(of an organization the management account), under Billing and Cost Management, Cost allocation tags, user-defined,
`environment_suffix`. The tag appears there up to a day after the first resource bears it, and counts from then on;
until then the budget sees nothing and says nothing.
[How to activate a tag](https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html).
Two platforms in one account whose environments have the same suffix share what their budgets see. What bears no tag,
such as some traffic, is in no environment's budget: the account needs one of its own.
"""


def page() -> str:
    """docs/cost.md: the shipped environments side by side, and what choices save."""
    prices = Prices(PRICES)
    estimates = of_environments(known_environments(), prices)
    said = io.StringIO()
    Console(file=said, width=120).print(table(estimates))
    drawn = "\n".join(line.rstrip() for line in said.getvalue().splitlines())
    left_out = "\n".join(f"- {line}" for line in sorted({line for one in estimates for line in one.by_use}))
    (production,) = [one for one in estimates if one.environment == "production"]
    rows = "\n".join(f"| {one.choice} | {one.setting} | {one.saves} |" for one in levers(production.items, prices))
    return PAGE_TEXT.format(as_of=prices.as_of, drawn=drawn, left_out=left_out, rows=rows)
