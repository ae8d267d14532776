"""Versions of a secret that have no label any more, and connections that are closed whatever happens in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.postgresql_rotation import connection
from shared.postgresql_rotation.login import Login
from shared.secret_rotation.secret import Secret

pytestmark = pytest.mark.requirement("W3.3")

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def version(number: int, *stages: str) -> dict[str, Any]:
    return {"VersionId": f"v{number}", "CreatedDate": BEGAN + timedelta(days=number), "VersionStages": list(stages)}


class SecretsManager:
    """Lists versions in pages, and has the values of all but those that are deleted."""

    def __init__(self, *pages: list[dict[str, Any]], deleted: str = "") -> None:
        self._pages, self._deleted = pages, deleted

    def list_secret_version_ids(self, **asked: Any) -> dict[str, Any]:
        assert asked["SecretId"] == "arn"
        page = int(asked.get("NextToken", "0"))
        versions = [one for one in self._pages[page] if asked["IncludeDeprecated"] or one["VersionStages"]]
        more = {"NextToken": str(page + 1)} if page + 1 < len(self._pages) else {}
        return {"Versions": versions, **more}

    def get_secret_value(self, *, SecretId: str, VersionId: str) -> dict[str, str]:  # noqa: N803 - AWS's names
        assert SecretId == "arn"
        if VersionId == self._deleted:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": f"value of {VersionId}"}


def test_versions_without_a_label_are_read_newest_first_from_all_pages() -> None:
    pages = [[version(1), version(5, "AWSCURRENT")], [version(4), version(2, "AWSPREVIOUS")], [version(3)]]
    secret = Secret(SecretsManager(*pages), "arn", "token")
    assert list(secret.unstaged_values()) == ["value of v4", "value of v3", "value of v1"]


def test_version_that_is_deleted_meanwhile_is_passed_over() -> None:
    secret = Secret(SecretsManager([version(1), version(2)], deleted="v2"), "arn", "token")
    assert list(secret.unstaged_values()) == ["value of v1"]


class Open:
    """A connection that is open until it is closed."""

    is_open = True

    def close(self) -> None:
        self.is_open = False


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    made = Open()
    monkeypatch.setattr(connection, "_to_the_writer", lambda _: made)
    return made


LOGIN = Login.of(json.dumps({"username": "app", "password": "p", "host": "db", "engine": "postgres"}))


def test_connection_is_closed_at_the_end_of_its_block(opened: Open) -> None:
    with connection.connected(LOGIN) as connected:
        assert connected is opened
        assert opened.is_open
    assert not opened.is_open


def test_connection_is_closed_after_an_error(opened: Open) -> None:
    with pytest.raises(ZeroDivisionError), connection.connected(LOGIN):
        raise ZeroDivisionError
    assert not opened.is_open
