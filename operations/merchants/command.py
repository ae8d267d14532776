"""`make merchant` and `make merchants`: merchants and their credentials, by the environment's function.

The database cannot be reached from outside its network. The function administer-merchants runs in it, once for each
command, with a login that may do nothing else (lambda/administer_merchants). A new key is in the response, which goes
to whoever called and into no log; it is printed once, on the standard output, and cannot be shown again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from operations.account import aws_errors_in_words, refuse_account_other_than
from operations.outcome import Failed, Refused
from operations.waking import wake
from settings.naming import ADMINISTER_MERCHANTS, Names

# Sent once: whoever gave up waiting would make a second key.
CONFIG = Config(read_timeout=90, retries={"total_max_attempts": 1})
SCOPES = "payments:read,payments:write,refunds:write"
EXISTS = "there is a merchant of this name"

Lines = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Administration:
    """The function of an environment in a region; ``client`` is Lambda's there."""

    client: Any
    names: Names
    region: str

    @classmethod
    def of(cls, names: Names, region: str) -> Administration:
        """By this shell's credentials.

        Raises:
            Refused: they are of another account than the environment.
        """
        with aws_errors_in_words():
            session = boto3.Session(region_name=region)
            refuse_account_other_than(names.account_id, session, region)
            return cls(client=session.client("lambda", config=CONFIG), names=names, region=region)

    def perform(self, arguments: Sequence[str]) -> Lines:
        """Run a command of `python -m payments merchants`, or `settlement` or `epochs` and its own.

        Returns what it made or found.

        Raises:
            Refused: the environment is not deployed, or the command refers to what does not exist.
            Failed: the command could not be run.
        """
        name = self.names.of(ADMINISTER_MERCHANTS)
        with aws_errors_in_words():
            try:
                wake(self.client, name)
                answer = self.client.invoke(FunctionName=name, Payload=json.dumps({"arguments": list(arguments)}))
            except self.client.exceptions.ResourceNotFoundException:
                raise Refused(f"there is no function {name} in {self.region}; deploy the environment") from None
            said: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            log = self.names.log_group(ADMINISTER_MERCHANTS)
            raise Failed(f"{name}: {said.get('errorMessage') or said.get('errorType')}; its log is {log}")
        if "refused" in said:
            raise Refused(str(said["refused"]))
        return list(said["lines"])

    def make_key(self, merchant: str, scopes: str = SCOPES, days: float | None = None) -> dict[str, Any]:
        """Make a key of a merchant, and the merchant where there is none of that name.

        Args:
            merchant: the name.
            scopes: of the key, separated by commas.
            days: until it expires; without a number it does not.

        Returns:
            The ``key``, its ``id`` and the rest that the command tells of it.

        Raises:
            Refused: see :meth:`perform`; also the name or a scope is invalid.
            Failed: see :meth:`perform`.
        """
        try:
            self.perform(["make", merchant])
        except Refused as refused:
            if str(refused) != EXISTS:
                raise
        expiry = [] if days is None else ["--days", str(days)]
        (made,) = self.perform(["keys", "create", merchant, "--scopes", scopes, *expiry])
        return made


def show(lines: Lines) -> None:
    """Print a line of JSON for each."""
    for line in lines:
        print(json.dumps(line))
