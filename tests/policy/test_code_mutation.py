"""Single changes of code: which are made, who judges them, and that a copy is changed, not the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.code.changes import PROJECT, CodeChange, changes_of_file, files
from tests.mutation.code.equivalents import EQUIVALENT, name_of
from tests.mutation.code.judges import imports_of, judges_of
from tests.mutation.code.judging import copied

SOURCE = b'''"""Words."""
LIMIT: int | None = 3


def publish(connection, queue):
    """Words."""
    logs.info("sent", count=1 + 1)
    with connection.transaction():
        connection.execute("SELECT id FROM outbox WHERE done IS NULL ORDER BY id FOR UPDATE SKIP LOCKED")
        if queue.size < LIMIT and not queue.closed:
            connection.commit()
    try:
        queue.send()
    except OSError:
        return False
    raise ValueError("none")


async def wait(lock):
    value = await lock.get()
    return value
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_bytes(SOURCE)
    return tmp_path


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    return imports_of(PROJECT)


def changes(project: Path) -> dict[tuple[str, str], CodeChange]:
    return {(one.kind, one.statement): one for one in changes_of_file("code.py", project)}


@pytest.mark.parametrize(
    ("kind", "statement", "text"),
    [
        ("call lost", "connection.commit()", "pass"),
        ("lock or transaction lost", "with connection.transaction()", "if True"),
        ("SQL: lock", "FOR UPDATE SKIP LOCKED", ""),
        ("SQL: condition", "IS NULL", "IS NOT NULL"),
        ("comparison", "<", ">="),
        ("condition", "and", "or"),
        ("condition", "not queue.closed", "(queue.closed)"),
        ("error not handled", "return False", "raise"),
        ("error swallowed", 'raise ValueError("none")', "pass"),
        ("await lost", "await lock.get()", "lock.get()"),
        ("result lost", "value", "None"),
        ("value", "False", "True"),
    ],
)
def test_each_kind_of_change_is_made(project: Path, kind: str, statement: str, text: str) -> None:
    change = changes(project)[kind, statement]
    assert change.text == text
    assert change.of(SOURCE) == SOURCE[: change.start] + text.encode() + SOURCE[change.end :] != SOURCE


def test_words_annotations_logs_and_figures_are_left_alone(project: Path) -> None:
    lines = {one.line for one in changes_of_file("code.py", project)}
    assert lines == {8, 9, 10, 11, 13, 15, 16, 20, 21}


def test_every_file_of_the_service_and_the_functions_is_changed() -> None:
    found = files()
    assert {name.split("/")[0] for name in found} == {"services", "lambda", "shared"}
    assert len(found) > 80
    assert not any("migrations/" in name for name in found)


@pytest.mark.parametrize(
    ("file", "nearest"),
    [
        ("services/payments/payments/publisher.py", "tests/payments/test_publisher.py"),
        ("services/payments/payments/processing/processor.py", "tests/processing/test_processor.py"),
        ("lambda/rotate_origin_secret/handler.py", "tests/functions/test_rotate_origin_secret.py"),
    ],
)
def test_file_of_the_same_name_judges_first(imports: dict[str, set[str]], file: str, nearest: str) -> None:
    assert judges_of(file, imports, PROJECT)[0] == (0, nearest)


def test_who_imports_a_file_judges_before_who_imports_that(tmp_path: Path) -> None:
    (tmp_path / "tests/payments").mkdir(parents=True)
    for name in ("near", "far", "other"):
        (tmp_path / f"tests/payments/test_{name}.py").touch()
    uses = {
        "tests/payments/test_near.py": {"shared/a.py"},
        "tests/payments/test_far.py": {"shared/b.py"},
        "shared/b.py": {"shared/a.py"},
    }
    found = judges_of("shared/a.py", uses, tmp_path)
    assert found == [(1, "tests/payments/test_near.py"), (2, "tests/payments/test_far.py")]


def test_every_changed_file_has_judges(imports: dict[str, set[str]]) -> None:
    assert [file for file in files() if not judges_of(file, imports, PROJECT)] == []


def test_copy_has_the_files_and_what_is_installed_and_goes_with_the_block() -> None:
    with copied() as copy:
        assert all((copy / file).read_bytes() == (PROJECT / file).read_bytes() for file in files())
        assert not (copy / "shared").is_symlink()
        assert (copy / ".venv").resolve() == (PROJECT / ".venv").resolve()
    assert not copy.exists()


def test_each_equivalent_is_still_a_change_and_has_a_reason() -> None:
    made = {name_of(one) for file in {file for file, _, _, _ in EQUIVALENT} for one in changes_of_file(file)}
    assert set(EQUIVALENT) - made == set()
    assert all(EQUIVALENT.values())
