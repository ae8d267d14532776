"""The account of the rehearsal, and the environments that come and go in it, each from the settings that ship.

The account is the local AWS's own. So a settings file of the rehearsal extends the shipped one and says what a user has
to say, too: the account, the bucket of the state in it, and which one of several environments owns the account.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from emulator import inventory, process
from emulator.address import environment
from emulator.record import read_violations
from operations.outcome import Failed
from settings import Settings, load

OWNER = "staging"
BUCKET = f"payments-terraform-state-{process.ACCOUNT_ID}-us-east-2"
SETTINGS = """\
extends = "{extends}"
account_id = "{account}"
account_owner = "{owner}"
{more}
[state]
bucket = "{bucket}"
"""


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """An environment of the rehearsal."""

    name: str
    extends: str
    """The shipped settings."""
    suffix: str = ""
    """Of a pull request's environment; else that of the shipped settings."""

    def lines(self, *more: str) -> str:
        """A settings file of it, with further lines."""
        own = [f'environment_suffix = "{self.suffix}"'] if self.suffix else []
        return SETTINGS.format(
            extends=self.extends, account=process.ACCOUNT_ID, owner=OWNER, more="\n".join([*own, *more]), bucket=BUCKET
        )


STAGING = Shipped(name="staging", extends="staging")
PULL_REQUEST = Shipped(name="pull-request", extends="staging", suffix="pr-42")
PRODUCTION = Shipped(name="production", extends="production")


@dataclass(frozen=True)
class Account:
    """The account, in a local AWS that keeps its files in ``directory``."""

    directory: Path
    server: process.Server

    def settings_file(self, shipped: Shipped, *more: str) -> str:
        """The path of an environment's settings file, which is written with further lines."""
        path = self.directory / f"{shipped.name}{'-changed' if more else ''}.toml"
        path.write_text(shipped.lines(*more), encoding="utf-8")
        return str(path)

    def settings(self, shipped: Shipped) -> Settings:
        """The settings of an environment."""
        return load(self.settings_file(shipped))

    def make_zone(self, name: str) -> None:
        """Make the hosted zone of a domain, which has to exist before, unless it does."""
        route53 = self.client("route53")
        zones = route53.list_hosted_zones_by_name(DNSName=name)["HostedZones"]
        if not any(one["Name"].rstrip(".") == name for one in zones):
            route53.create_hosted_zone(Name=name, CallerReference=name)

    def make_linked_role(self) -> None:
        """Make the role of ECS, which preflight asks for, unless it exists."""
        iam = self.client("iam")
        roles = iam.list_roles(PathPrefix="/aws-service-role/ecs.amazonaws.com/")["Roles"]
        if not roles:
            iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")

    def remember(self, shipped: Shipped) -> None:
        """Note all that is in the account before an environment comes."""
        self._noted(shipped).write_text(json.dumps([str(one) for one in self._listed()]), encoding="utf-8")

    def refuse_difference(self, shipped: Shipped) -> None:
        """Make sure that the account has what it had before an environment came: nothing more, and nothing less.

        Raises:
            Failed: something of the environment is left, or something of another is gone.
        """
        before = json.loads(self._noted(shipped).read_text(encoding="utf-8"))
        if problems := differences(before, [str(one) for one in self._listed()]):
            raise Failed(f"{shipped.name}: " + "\n".join(problems))

    def refuse_violations(self) -> None:
        """Make sure that every request kept AWS's contract.

        Raises:
            Failed: one has broken it.
        """
        if violations := read_violations(self.directory):
            raise Failed("\n".join(f"{one.service}:{one.operation}: {one.message}" for one in violations))

    def client(self, service: str, region: str = "us-east-2") -> Any:
        """A client of the account's administrator."""
        return self._session.client(service, region, endpoint_url=self.server.url)  # type: ignore[call-overload]

    @cached_property
    def _session(self) -> boto3.Session:
        variables = environment(self.server.url)
        return boto3.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"]
        )

    def _noted(self, shipped: Shipped) -> Path:
        return self.directory / f"before-{shipped.name}.json"

    def _listed(self) -> list[inventory.Leftover]:
        return inventory.leftovers(self.server.url)


def differences(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """A line for each resource that is there only afterwards, or only before."""
    left, gone = sorted({*after} - {*before}), sorted({*before} - {*after})
    return [f"left: {one}" for one in left] + [f"gone, though it is of another environment: {one}" for one in gone]
