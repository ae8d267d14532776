"""The rehearsal of the shipped settings: environments of one account that share nothing, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator import inventory, process
from emulator.inventory import Leftover
from operations.deployment import prerequisites
from operations.outcome import Failed, Refused, console
from operations.rehearsal import commands
from operations.rehearsal.course import Course, Event, chosen
from operations.rehearsal.environments.account import OWNER, PRODUCTION, PULL_REQUEST, STAGING, Account, differences
from operations.rehearsal.environments.command import commands_table, table_of
from operations.rehearsal.environments.events import EVENTS, Operator
from operations.state.bootstrap import bootstrap
from settings import load
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W8.6")

ALL = (STAGING, PULL_REQUEST, PRODUCTION)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An account without a local AWS."""
    return Account(tmp_path, process.Server(tmp_path, 0, "http://127.0.0.1:9"))


def test_settings_are_the_shipped_ones_but_for_the_account(account: Account) -> None:
    for shipped in (STAGING, PRODUCTION):
        own, as_shipped = account.settings(shipped).model_dump(), load(shipped.extends).model_dump()
        differing = {name for name in own if own[name] != as_shipped[name]}
        assert {"account_id", "state"} <= differing <= {"account_id", "state", "account_owner"}
    assert account.settings(PRODUCTION).protected
    assert not account.settings(PRODUCTION).domain.create_zone
    assert not account.settings(STAGING).domain.create_zone


def test_environments_of_one_account_share_no_name_and_one_owner(account: Account) -> None:
    found = [account.settings(one) for one in ALL]
    assert len({one.environment_suffix for one in found}) == len(ALL)
    assert [one.environment_suffix for one in found if one.owns_account] == [OWNER]
    assert len({one.account_id for one in found}) == len({one.state.bucket for one in found}) == 1


def test_protection_is_lifted_by_a_further_line(account: Account) -> None:
    path = account.settings_file(PRODUCTION, "protected = false")
    assert not load(path).protected
    assert account.settings(PRODUCTION).protected  # its own file has not changed


def test_each_environment_is_destroyed_before_the_next_one_comes_and_the_first_one_last() -> None:
    names = [one.name for one in EVENTS]
    assert len(set(names)) == len(names) == 12
    positions = [
        names.index(f"{one.name}-{what}") for one in (PULL_REQUEST, PRODUCTION) for what in ("deploy", "destroy")
    ]
    assert positions == sorted(positions)
    assert (names[0], names[-1]) == ("staging-deploy", "staging-destroy")
    with pytest.raises(Refused, match="--only: 'flood' is not allowed; an event is: staging-deploy, staging-release"):
        chosen(["flood"], EVENTS)


def test_what_is_left_or_gone_is_named() -> None:
    assert differences(["vpc a (us-east-2)", "queue b (us-east-2)"], ["queue b (us-east-2)", "vpc a (us-east-2)"]) == []
    assert differences(["vpc a", "queue b"], ["vpc a", "key c"]) == [
        "left: key c",
        "gone, though it is of another environment: queue b",
    ]


@pytest.fixture
def in_the_local_aws(empty_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account of a local AWS, at which clients of this process point."""
    with empty_aws(tmp_path / "aws") as server:
        for name, value in process.complete_environment(server.url, {}).items():
            monkeypatch.setenv(name, value)
        yield Account(server.directory, server)


def test_preflight_passes_on_the_local_aws_once_all_that_it_asks_for_is_there(in_the_local_aws: Account) -> None:
    """What an empty account lacks is named by tests/operations/test_prerequisites.py, on an AWS that answers less."""
    account = in_the_local_aws
    settings = account.settings(PRODUCTION)
    bootstrap(settings, boto3.client)
    for _ in range(2):
        account.make_zone(settings.domain.name)
        account.make_linked_role()
    prerequisites.check(settings, console())


def test_what_came_and_stayed_is_left(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Leftover("us-east-2", "queue", "of-another")
    listed = [[kept], [kept], [kept, Leftover("us-east-2", "queue", "of-staging")]]
    monkeypatch.setattr(inventory, "leftovers", lambda _url: listed.pop(0))
    account.remember(STAGING)
    account.refuse_difference(STAGING)
    with pytest.raises(Failed, match=r"staging: left: queue of-staging \(us-east-2\)"):
        account.refuse_difference(STAGING)


def test_plan_with_changes_is_refused_with_them(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        "# aws_sqs_queue.one will be updated\n  ~ delay\n  # (1 hidden)\nPlan: 0 to add, 1 to change",
        "No changes. It matches.",
    ]
    monkeypatch.setattr(commands, "run", lambda *_arguments, **_options: answers.pop(0))
    operator = Operator(account=account)
    with pytest.raises(Failed, match=r"plan of staging is not empty:\n# aws_sqs_queue.one will be updated\nPlan: 0 to"):
        operator.refuse_changes(STAGING)
    operator.refuse_changes(STAGING)
    assert operator.seconds.keys() == {("staging", "diff")}


def test_command_that_ends_otherwise_than_expected_fails_with_its_last_lines(account: Account) -> None:
    with pytest.raises(Failed, match=r"diff nowhere: exit code 2, expected 0:\nenvironment: 'nowhere' is not allowed"):
        commands.run(account.server, "diff", "nowhere")


def test_first_failure_ends_the_course_and_is_in_the_report() -> None:
    def fail(_operator: Any) -> str:
        raise Failed("it stands")

    events = [
        Event(name=name, meaning=name, happen=happen)
        for name, happen in {"first": lambda _: "seen", "second": fail, "third": fail}.items()
    ]
    course: Course[Any] = Course(console=console())
    assert course.happen(events, None) == "second: it stands"
    assert (course.seen, list(course.seconds)) == ({"first": "seen"}, ["first", "second"])
    assert [list(column.cells)[-1] for column in table_of(events, course).columns] == ["third", "-", "-"]


def test_each_command_has_a_wall_time_for_each_environment() -> None:
    table = commands_table({("staging", "deploy"): 61.2, ("production", "deploy"): 70, ("production", "destroy"): 9})
    assert [column.header for column in table.columns] == ["command", "staging", "production"]
    assert [list(column.cells) for column in table.columns] == [["deploy", "destroy"], ["61", "-"], ["70", "9"]]
