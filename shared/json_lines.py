"""Files of JSON objects, one a line (https://jsonlines.org), that one process reads while others append to them.

A line is written by one call, so that no other writer's comes between. A reader may still see the first half of the
last one: a line is one once its newline is there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT


def append(file: int, objects: Iterable[Mapping[str, Any]]) -> None:
    """Append one line an object to ``file``, a descriptor opened with `APPENDING`: all by one write.

    Raises:
        OSError: they were not written, or in part, as on a full disk.
    """
    lines = "".join(json.dumps(one, separators=(",", ":"), default=repr) + "\n" for one in objects)
    content = lines.encode()
    if (written := os.write(file, content)) < len(content):
        raise OSError(f"{written} of {len(content)} bytes were written")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of the lines that are whole, in their order; none where there is no file.

    Raises:
        ValueError: a whole line is no JSON object; the message names the file and the line.
    """
    if not path.exists():
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                found = json.loads(line)
            except ValueError:  # of what is no UTF-8 as well
                raise ValueError(f"{path}, line {number}: not JSON") from None
            if not isinstance(found, dict):
                raise ValueError(f"{path}, line {number}: not a JSON object")
            yield found
