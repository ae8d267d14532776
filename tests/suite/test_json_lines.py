"""Files of JSON lines, read by one function while others write: it leaves out half a line, and no other."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import json_lines

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "emulator", "lambda", "operations", "policy", "services", "shared", "tests")
READING = {"read_text", "read_bytes", "open"}
ONE_READER = "shared/json_lines.py"
LINES = 200
# Writes lines longer than a page of the file system, of which a reader that looks in between sees the first half.
WRITER = """
import os, sys
from pathlib import Path
from shared import json_lines
file = os.open(sys.argv[1], json_lines.APPENDING)
for number in range(int(sys.argv[2])):
    json_lines.append(file, [{"number": number, "filler": "x" * 20_000}])
"""


def appended(path: Path, *objects: dict[str, object]) -> Path:
    file = os.open(path, json_lines.APPENDING, 0o666)
    json_lines.append(file, objects)
    os.close(file)
    return path


@pytest.mark.parametrize("half", [b'{"b"', b'{"b": 2}', b'{"b": "\xc3', b"{"])
def test_half_of_a_last_line_is_left_out(half: bytes, tmp_path: Path) -> None:
    file = appended(tmp_path / "some.jsonl", {"a": 1})
    with file.open("ab") as more:
        more.write(half)
    assert list(json_lines.read(file)) == [{"a": 1}]


@pytest.mark.parametrize(
    ("line", "message"),
    [(b'{"b"\n', "line 2: not JSON"), (b"\n", "line 2: not JSON"), (b"\xff\n", "not JSON"), (b"3\n", "no|not a JSON")],
)
@pytest.mark.parametrize("after", [b"", b'{"c": 3}\n', b'{"c"'])
def test_a_damaged_whole_line_is_refused(line: bytes, message: str, after: bytes, tmp_path: Path) -> None:
    file = appended(tmp_path / "some.jsonl", {"a": 1})
    with file.open("ab") as more:
        more.write(line + after)
    with pytest.raises(ValueError, match=message):
        list(json_lines.read(file))


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    objects: list[dict[str, object]] = [{"text": "é\n\u2028\ud800", "list": [1, None]}, {}]
    assert list(json_lines.read(appended(tmp_path / "some.jsonl", *objects))) == objects
    assert list(json_lines.read(tmp_path / "none.jsonl")) == []


def test_a_write_in_part_is_an_error() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with pytest.raises(OSError, match="of 500012 bytes were written"):
        json_lines.append(writing, [{"text": "x" * 500_000}])
    os.close(reading)
    os.close(writing)


def test_a_file_is_read_while_another_process_appends(tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file), str(LINES)], cwd=ROOT) as writer:
        seen = 0
        while writer.poll() is None or seen < LINES:
            numbers = [one["number"] for one in json_lines.read(file)]
            assert numbers == list(range(len(numbers)))
            assert len(numbers) >= seen
            assert not (writer.poll() and seen < LINES)
            seen = len(numbers)
    assert seen == LINES


def calls(node: ast.AST, called: set[str]) -> list[ast.Call]:
    """The calls of functions or methods of these names that are in ``node``."""
    found = (one for one in ast.walk(node) if isinstance(one, ast.Call))
    return [one for one in found if getattr(one.func, "attr", getattr(one.func, "id", "")) in called]


def names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def of_own(source: str) -> Iterator[int]:
    """The lines of ``source`` where each line of a file is parsed as JSON: `for line in <a file>: json.loads(line)`."""
    tree = ast.parse(source)
    opened = (one for one in ast.walk(tree) if isinstance(one, ast.withitem) and calls(one.context_expr, READING))
    files = {one.optional_vars.id for one in opened if isinstance(one.optional_vars, ast.Name)}
    for node in ast.walk(tree):
        generators = getattr(node, "generators", [node] if isinstance(node, ast.For) else [])
        read = [loop.target for loop in generators if calls(loop.iter, READING) or files & names(loop.iter)]
        lines = {name for target in read for name in names(target)}
        parsed = [argument for call in calls(node, {"loads"}) for argument in call.args] if lines else []
        if lines & {name for argument in parsed for name in names(argument)}:
            yield node.lineno  # type: ignore[attr-defined]


def test_json_lines_of_a_file_are_read_by_the_one_function() -> None:
    """What parses them otherwise fails now and then, when it looks while a line is being written."""
    assert list(of_own('[json.loads(one) for one in log.read_text().split("\\n")[:-1]]')) == [1]
    assert list(of_own('for line in path.open():\n    print(loads(line.strip())["a"])')) == [1]
    assert list(of_own("[path for path in json.loads(file.read_text())]")) == []
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")]
    sources = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}
    found = {name: list(of_own(text)) for name, text in sources.items() if "loads(" in text}
    assert found.pop(ONE_READER), "the pattern is not found in the one reader either"
    assert len(found) > 100  # else these are not the repository's
    assert not {name: lines for name, lines in found.items() if lines}
