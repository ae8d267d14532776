"""What environments cost before anything is used: arithmetic by hand beside that of the command (W9.1)."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from operations.estimate import command
from operations.estimate.command import PAGE, Estimate, of_environments, page, table
from operations.estimate.items import PRICES, Item, Prices, items, unknown
from operations.estimate.levers import levers
from operations.outcome import Refused
from tests.operations.support import REPOSITORY, environment_file
from tests.synthesized import Synthesized, kept_stack

pytestmark = pytest.mark.requirement("W9.1")

HOURS = 730


@pytest.fixture(scope="module")
def estimates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Estimate]:
    """The shipped local environment, and one like it with other choices."""
    changed = tmp_path_factory.mktemp("settings") / "frugal.toml"
    changed.write_text(
        'extends = "local"\n[network]\nnat_gateways = "one"\ninterface_endpoint_zones = 1\n'
        '[services.payments]\narchitecture = "X86_64"\nmin_tasks = 3\n'
        '[database]\nrecovery = "snapshots"\nrecovery_instances = 0\n'
        'instance_class = "db.serverless"\nmin_serverless_units = 2.0\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "synthesize", kept_stack)
        return {one.environment: one for one in of_environments(["local", str(changed)], Prices(PRICES))}


@pytest.fixture
def kept_syntheses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own process is started by one test, which asks for no figure of a shipped environment."""
    monkeypatch.setattr(command, "synthesize", kept_stack)


def usd(estimate: Estimate, thing: str) -> float:
    (found,) = [usd for (_, name), (_, usd) in estimate.things().items() if name == thing]
    return round(found, 2)


def count(estimate: Estimate, thing: str) -> float:
    return sum(count for (_, name), (count, _) in estimate.things().items() if name == thing)


def test_task_price_is_by_size_architecture_and_count(estimates: dict[str, Estimate]) -> None:
    # Two tasks in one region, and one that stands by in the other, of half a vCPU and a gigabyte.
    assert usd(estimates["local"], "task of 0.5 vCPU, 1 GB, arm64") == round(
        3 * HOURS * (0.5 * 0.03238 + 1 * 0.00356), 2
    )
    assert usd(estimates["frugal"], "task of 0.5 vCPU, 1 GB, x86_64") == round(
        5 * HOURS * (0.5 * 0.04048 + 1 * 0.004445), 2
    )


def test_the_database_costs_its_instances_in_both_regions_or_its_least_capacity(estimates: dict[str, Estimate]) -> None:
    instances = count(estimates["local"], "db.r8g.large instance")
    assert instances >= 3
    assert usd(estimates["local"], "db.r8g.large instance") == round(instances * HOURS * 0.276, 2)
    assert usd(estimates["frugal"], "capacity unit (the least)") == round(3 * 2 * HOURS * 0.12, 2)


def test_the_network_costs_by_zone(estimates: dict[str, Estimate]) -> None:
    assert count(estimates["local"], "NAT gateway") == 6
    assert count(estimates["frugal"], "NAT gateway") == 2
    endpoints = count(estimates["local"], "interface endpoint in a zone")
    assert count(estimates["frugal"], "interface endpoint in a zone") == endpoints / 3
    # A load balancer has an address in each zone, and each NAT gateway one.
    assert count(estimates["local"], "public address") == 2 * 3 + 6


def test_alarm_price_is_by_its_metrics(estimates: dict[str, Estimate], platform: Synthesized) -> None:
    expected = sum(
        max(1, sum("metric" in one for one in alarm.get("metric_query", [])))
        * (3 if "threshold_metric_id" in alarm else 1)  # https://aws.amazon.com/cloudwatch/pricing/, anomaly detection
        for alarm in platform.resources("aws_cloudwatch_metric_alarm").values()
    )
    assert count(estimates["local"], "metric of an alarm") == expected


def test_every_resource_of_the_platform_is_priced_or_listed(platform: Synthesized) -> None:
    assert unknown(platform.configuration) == []
    assert unknown({"resource": {"aws_gamelift_fleet": {}, "aws_vpc": {}}}) == ["aws_gamelift_fleet"]


def test_resources_priced_by_use_are_listed(estimates: dict[str, Estimate]) -> None:
    named = " ".join(estimates["local"].by_use)
    for what in ("nat_gateway", "s3_bucket", "cloudwatch_log_group", "rds_cluster"):
        assert f"{what}:" in named


def test_environments_are_columns_and_their_parts_add_up(estimates: dict[str, Estimate]) -> None:
    said = io.StringIO()
    Console(file=said, width=160).print(table(list(estimates.values())))
    last = next(line for line in said.getvalue().splitlines() if "together" in line)
    for one in estimates.values():
        assert f"{one.total:,.2f}" in last
        assert one.total == pytest.approx(sum(usd for _, usd in one.things().values()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'as_of'; a table like operations/estimate/prices.toml is allowed"),
        ("as_of = ", "a table like operations/estimate/prices.toml is allowed"),
        (
            'as_of = "x"\nregions = []\nhours_per_month = "many"\n',
            "a table like operations/estimate/prices.toml is allowed",
        ),
    ],
)
def test_a_bad_table_of_prices_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(Refused) as refused:
        Prices(path)
    assert str(refused.value).startswith(f"--prices: {path}: ")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_price_and_a_region_without_prices_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES.read_text().replace("nat_gateway_hour", "another_hour"))
    with pytest.raises(Refused, match="nat_gateway_hour is missing"):
        of_environments(["local"], Prices(path))
    path.write_text(PRICES.read_text().replace('"us-west-2"', '"eu-west-1"'))
    with pytest.raises(Refused, match=r"recovery\.name: there are no prices for us-west-2; the table has eu-west-1"):
        of_environments(["local"], Prices(path))


def test_estimate_reports_wrong_settings(tmp_path: Path) -> None:
    path = environment_file(tmp_path, "bad", account_id='"1"')
    arguments = [sys.executable, "-m", "operations", "estimate", str(path)]
    ended = subprocess.run(arguments, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "account_id" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.usefixtures("kept_syntheses")
def test_committed_page_equals_the_output_of_the_command() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make estimate ARGS=--write`"


def test_high_resolution_alarm_costs_more() -> None:
    plain, quick = {"period": 60}, {"metric_query": [{"metric": {"period": 10}}, {"metric": {"period": 60}}]}
    configuration = {"resource": {"aws_cloudwatch_metric_alarm": {"plain": plain, "quick": quick}}}
    assert [one.total for one in items(configuration, Prices(PRICES))] == pytest.approx([0.10, 0.60])


def test_savings_are_those_of_the_items() -> None:
    gateway = Item(group="network", thing="NAT gateway", count=6, usd_per_month=HOURS * 0.045)
    task = Item(
        group="tasks", thing="task of 1 vCPU, 2 GB, arm64", count=3, usd_per_month=HOURS * (0.03238 + 2 * 0.00356)
    )
    worker = Item(group="tasks", thing="task of 1 vCPU, 2 GB, arm64 (Spot costs less)", count=1, usd_per_month=100.0)
    endpoint = Item(group="network", thing="interface endpoint in a zone", count=30, usd_per_month=HOURS * 0.01)
    saved = {one.choice: one.saves for one in levers([gateway, task, worker, endpoint], Prices(PRICES))}
    of_tasks = 3 * HOURS * (0.04048 + 2 * 0.004445 - 0.03238 - 2 * 0.00356)
    of_worker = HOURS * (0.04048 + 2 * 0.004445) - 100
    assert saved["Graviton in place of x86"] == f"{of_tasks + of_worker:,.2f}"
    assert saved["Spot for workers"].startswith("up to 70.00")
    assert saved["one NAT gateway a region in place of one a zone"].startswith(f"{4 * HOURS * 0.05:,.2f}")
    assert saved["interface endpoints in one zone in place of three"].startswith(f"{20 * HOURS * 0.01:,.2f}")


@pytest.mark.usefixtures("kept_syntheses")
def test_shipped_budgets_are_above_the_cost_without_use() -> None:
    for one in of_environments(["local", "staging", "production"], Prices(PRICES)):
        assert one.budget_usd is not None
        assert one.total * 1.2 < one.budget_usd < one.total * 3
