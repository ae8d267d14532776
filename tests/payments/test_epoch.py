"""`python -m payments epoch`, which a person runs after rows were lost (docs/runbooks/database-recovery.md)."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from payments import repository
from payments.__main__ import COMMANDS
from payments.__main__ import __doc__ as usage
from payments.roles import Process
from tests.payments.conftest import Platform
from tests.payments.support import PYTHON_PATH, store

pytestmark = [pytest.mark.requirement("Q4")]


def begin(platform: Platform, *cause: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator's task does."""
    environment = {**os.environ, **platform.environment_of(Process.ADMINISTRATION), "PYTHONPATH": PYTHON_PATH}
    command = [sys.executable, "-m", "payments", "epoch", *cause]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_epoch_begun_by_hand_has_what_is_older_looked_up_first_also_where_nothing_was_ever_processed(
    service_platform: Platform,
) -> None:
    with service_platform.database.connect() as connection:
        stored = store(connection)

        ended = begin(service_platform, "restored", "to", "12:05")

        assert ended.returncode == 0, ended.stderr
        epochs = connection.execute("SELECT cause, began_at > now() - interval '1 minute' FROM payments.epochs")
        assert epochs.fetchall() == [("restored to 12:05", True)]
        claim = repository.claim(connection, stored.operation, timedelta(minutes=1))
        assert claim
        assert claim.may_be_known_since is not None, "it may have been charged"


def test_epoch_asks_for_a_cause(service_platform: Platform) -> None:
    ended = begin(service_platform)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "epoch: say why, such as: epoch restored to 12:05\n"


def test_usage_names_every_command() -> None:
    named = [line.split()[1].rstrip(":,") for line in usage.splitlines() if line.startswith("- ")]
    assert named == list(COMMANDS)
