"""The search for secrets: wherever one lies in a file, and however the file is packed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests import secret_search
from tests.secret_search import found_below

SECRETS = {"master": "correct-horse", "application": "battery-staple"}


def test_secrets_are_found_in_files_of_any_bytes_and_depth(tmp_path: Path) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "deep" / "deeper" / "plan").write_bytes(b"\x00\xff\xfe" + b"correct-horse" + b"\x80")
    (tmp_path / "other").write_text("nothing")
    assert found_below(tmp_path, SECRETS) == {"master": ["deep/deeper/plan"], "application": []}


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_secrets_are_found_in_members_of_zips(tmp_path: Path, how: int) -> None:
    with zipfile.ZipFile(tmp_path / "plan.zip", "w", how) as zipped:
        zipped.writestr("tfplan", "x" * 1000 + "battery-staple" + "x" * 1000)
    assert (b"battery-staple" in (tmp_path / "plan.zip").read_bytes()) is (how == zipfile.ZIP_STORED)
    assert found_below(tmp_path, SECRETS)["application"] == ["plan.zip"]


@pytest.mark.parametrize("before", range(12))
def test_secrets_are_found_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(secret_search, "CHUNK", 5)
    (tmp_path / "file").write_text("x" * before + "correct-horse" + "y" * 7)
    assert found_below(tmp_path, SECRETS)["master"] == ["file"]


def test_a_file_of_two_names_is_read_once_and_links_and_providers_never(tmp_path: Path) -> None:
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "program").write_text("correct-horse")
    (tmp_path / "a").write_text("correct-horse")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert found_below(tmp_path, SECRETS)["master"] == ["a"]


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty"):
        found_below(tmp_path, {"master": ""})
