"""Kept syntheses: nothing that a synthesis reads may change without another one being made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from settings import Settings, load
from tests import kept
from tests.synthesized import read, synthesize

PROJECT = kept.PROJECT
ELSEWHERE = {".venv", "node_modules", ".cache", ".git"}  # packages, which the locks name, and what is made of sources
WATCHED = """
import json, sys
from pathlib import Path
opened = set()
sys.addaudithook(lambda event, arguments: opened.add(str(arguments[0])) if event == "open" else None)
import synthesis
synthesis.prepare()
from settings import load
from tests import backups, synthesized
backups._synthesize(load("local"), Path(sys.argv[1]) / "backups")
synthesized._synthesize(load("local"), Path(sys.argv[1]) / "platform")
modules = {module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
print(json.dumps(sorted(opened | modules)))
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "CACHE", tmp_path / "syntheses")
    return tmp_path / "syntheses"


def writes(text: str, made: list[str]) -> object:
    def synthesize(output: Path) -> None:
        made.append(text)
        output.mkdir(parents=True)
        (output / "file").write_text(text)

    return synthesize


def test_all_that_a_synthesis_opens_is_in_the_digest(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WATCHED, str(tmp_path)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    opened = {Path(name) for name in json.loads(ended.stdout)}
    of_project = {path.relative_to(PROJECT) for path in opened if PROJECT in path.parents}
    read_by_it = {path for path in of_project if path.parts[0] not in ELSEWHERE and path.suffix != ".pyc"}
    sources = {path.relative_to(PROJECT) for path in kept.files_of_sources()}
    assert Path("stacks/payment_platform.py") in read_by_it
    assert Path("settings/environments/local.toml") in read_by_it
    assert {str(path) for path in read_by_it - sources if (PROJECT / path).is_file()} == set()


def test_synthesis_is_cached_by_settings(cache: Path) -> None:
    made: list[str] = []
    first = kept.directory_of("kind", "settings", writes("first", made))  # type: ignore[arg-type]
    assert kept.directory_of("kind", "settings", writes("again", made)) == first  # type: ignore[arg-type]
    other = kept.directory_of("kind", "other settings", writes("other", made))  # type: ignore[arg-type]
    assert made == ["first", "other"]
    assert [(path / "file").read_text() for path in (first, other)] == ["first", "other"]


def test_failed_synthesis_is_not_cached_and_is_made_again(cache: Path) -> None:
    def fail(output: Path) -> None:
        output.mkdir(parents=True)
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        kept.directory_of("kind", "settings", fail)
    made: list[str] = []
    found = kept.directory_of("kind", "settings", writes("good", made))  # type: ignore[arg-type]
    assert [path for path in found.parent.iterdir() if path.is_dir()] == [found]


def test_synthesis_during_a_change_of_sources_is_not_cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_digest_of_sources", lambda: "edited")
    made: list[str] = []
    for text in ("one", "two"):
        found = kept.directory_of("kind", "settings", writes(text, made))  # type: ignore[arg-type]
        (found / "file").unlink()
        found.rmdir()
    assert made == ["one", "two"]


def test_the_digest_is_another_after_an_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "PROJECT", tmp_path)
    for name in kept.SOURCES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    before = kept._digest_of_sources()
    assert kept._digest_of_sources() == before
    for name in kept.SOURCES:
        (tmp_path / name).write_text("after")
        assert kept._digest_of_sources() != before, name
        (tmp_path / name).write_text("before")


def test_only_the_last_digests_are_kept(cache: Path) -> None:
    for name in "abcdef":
        (cache / name).mkdir(parents=True)
    kept.digest_of_sources.__wrapped__()
    assert len(list(cache.iterdir())) == kept.MOST_DIGESTS
    assert (cache / kept._digest_of_sources()).is_dir()


def test_a_kept_synthesis_is_the_same_and_its_zips_are_links(local_settings: Settings, tmp_path: Path) -> None:
    from tests.synthesized import _synthesize

    found = synthesize(load("local"))
    _synthesize(local_settings, tmp_path / "anew")
    anew = read(tmp_path / "anew")
    assert anew.configuration == found.configuration
    zips = {path.name: path.stat().st_nlink for path in found.directory.rglob("*.zip")}
    assert len(zips) > 3
    assert all(links > 1 for links in zips.values()), zips
