"""Savings of choices in settings, compared with the alternative: arithmetic on an estimate's items and prices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from operations.estimate.items import Item, Prices

TASK = re.compile(r"task of (?P<vcpus>[\d.]+) vCPU, (?P<gigabytes>[\d.]+) GB, arm64(?P<spot> \(Spot costs less\))?")
# AWS publishes a limit, not the price, which changes with demand. https://aws.amazon.com/fargate/pricing/
MOST_SPOT_SAVES = 0.70
ZONES = 3
SAMPLE_GB = 1000


@dataclass(frozen=True)
class Lever:
    """A choice, its setting, and its monthly saving, in words and USD."""

    choice: str
    setting: str
    saves: str


def levers(items: Sequence[Item], prices: Prices) -> Iterator[Lever]:
    """The savings of an environment's choices.

    Raises:
        Refused: the table lacks a price.
    """
    yield Lever(
        "Graviton in place of x86",
        "`services.NAME.architecture`",
        _usd(sum(_of_graviton(one, prices) for one in items)),
    )
    spot = sum(one.total for one in items if (task := TASK.fullmatch(one.thing)) and task["spot"])
    yield Lever("Spot for workers", "`critical = false`", f"up to {_usd(spot * MOST_SPOT_SAVES)}, as AWS has capacity")
    yield Lever(
        "one NAT gateway a region in place of one a zone", '`network.nat_gateways = "one"`', _nat(items, prices)
    )
    yield Lever(
        "interface endpoints in one zone in place of three", "`network.interface_endpoint_zones = 1`", _zones(items)
    )
    yield Lever("endpoints in place of NAT for calls of AWS", "always so", _endpoints(items, prices))
    yield Lever(
        f"backups in STANDARD_IA, each {SAMPLE_GB} GB",
        "`storage.backup_infrequent_access_days`",
        _usd(SAMPLE_GB * (prices.of("storage_standard_gb_month") - prices.of("storage_infrequent_access_gb_month"))),
    )
    yield Lever(
        f"logs that expire, each {SAMPLE_GB} GB less",
        "`storage.log_expiration_days`, `audit.retention_days`",
        _usd(SAMPLE_GB * prices.of("storage_standard_gb_month")),
    )


def _of_graviton(item: Item, prices: Prices) -> float:
    task = TASK.fullmatch(item.thing)
    if task is None:
        return 0.0
    vcpus, gigabytes = float(task["vcpus"]), float(task["gigabytes"])
    x86 = vcpus * prices.of("fargate_x86_64_vcpu_hour") + gigabytes * prices.of("fargate_x86_64_gb_hour")
    return item.count * (x86 - item.usd_per_month)


def _nat(items: Sequence[Item], prices: Prices) -> str:
    gateways = sum(one.count for one in items if one.thing == "NAT gateway")
    each = prices.of("nat_gateway_hour") + prices.of("public_ipv4_address_hour")
    return f"{_usd(gateways * (1 - 1 / ZONES) * each)}, and loses the way out with its zone"


def _zones(items: Sequence[Item]) -> str:
    total = sum(one.total for one in items if one.thing == "interface endpoint in a zone")
    return f"{_usd(total * (1 - 1 / ZONES))}, and loses AWS's APIs with its zone, and pays for bytes between zones"


def _endpoints(items: Sequence[Item], prices: Prices) -> str:
    """From how many bytes on interface endpoints are cheaper; that of S3 costs nothing."""
    saved = prices.of("nat_gateway_gb") - prices.of("interface_endpoint_gb")
    fixed = sum(one.total for one in items if one.thing == "interface endpoint in a zone")
    whole = _usd(SAMPLE_GB * prices.of("nat_gateway_gb"))
    return (
        f"each {SAMPLE_GB} GB of S3 {whole}, of others {_usd(SAMPLE_GB * saved)}, which pays for the "
        f"endpoints themselves from {fixed / saved:,.0f} GB on: they are there so that tasks need no way out"
    )


def _usd(amount: float) -> str:
    return f"{amount:,.2f}"
