"""Translates the project from CDKTF to its successor cdktn: `python -m operations.project.leave_cdktf [FOLDER]`.

It rewrites the checkout in ``FOLDER``, by default the one that it belongs to. docs/leaving-cdktf.md has the steps
around it, and tests/operations/test_leaving_cdktf.py takes them in a copy of the checkout on every run.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from operations.outcome import Refused, exit_codes
from operations.project_root import PROJECT

PIPFILE = Path(__file__).parent / "cdktn" / "Pipfile"
PINS: dict[str, str] = tomllib.loads(PIPFILE.read_text(encoding="utf-8"))["packages"]
CLI_VERSION = PINS["cdktn"].removeprefix("==")  # the library and the command-line tool are released together
# The successor's bindings ask for provider 6. What is deployed keeps its provider until somebody decides otherwise.
PROVIDER_VERSION = "5.100.0"
# cdktn refuses write-only arguments unless the project declares that no older Terraform is used: in cdktf.json for its
# command-line tool, which hands it on in this variable, and in the variable where main.py is run by itself.
TARGETS = '{"terraform": ">=1.11.0"}'
CONTEXT_VARIABLE = "CDKTF_CONTEXT_JSON"
LEFT_ALONE = {
    "node_modules",
    "cdktf.out",
    "cfn-outputs",
    "CHANGELOG.md",
    "decisions",
    "leave_cdktf.py",
    "leaving-cdktf.md",
    "requirements.md",
    "requirement-table.md",
    "test_leaving_cdktf.py",
}


@dataclass(frozen=True)
class Rule:
    """What replaces a pattern in the files whose paths from the root match a glob, in which ``*`` matches ``/`` too."""

    files: str
    pattern: str
    replacement: str


NAMES = (
    Rule("*.py", r"\bcdktf_cdktf_provider_aws\b", "cdktn_provider_aws"),
    Rule("*.py", r"\b(from|import) cdktf\b", r"\1 cdktn"),
    Rule("*.py", r'require\("cdktf"\)', 'require("cdktn")'),
    Rule("*.py", r'"@cdktf\b', '"@cdktn'),
    Rule("*.py", r"\bnpx cdktf\b", "npx cdktn"),
    Rule("*.md", r"`(npx )?cdktf (?=synth|diff|deploy)", r"`\1cdktn "),
    Rule("docs/without-make.md", r"(?m)^(npx )?cdktf (?=synth|diff|deploy)", r"\1cdktn "),
    Rule("*.cjs", r"\[(\\+/)\](@?)cdktf\[", r"[\1]\2cdktn["),
    Rule("pyproject.toml", r"\bcdktf_cdktf_provider_aws\b", "cdktn_provider_aws"),
)
PACKAGES = (
    Rule("Pipfile", r'(?m)^cdktf = ".*"', f'cdktn = "{PINS["cdktn"]}"'),
    Rule("Pipfile", r'(?m)^cdktf-cdktf-provider-aws = ".*"', f'cdktn-provider-aws = "{PINS["cdktn-provider-aws"]}"'),
    Rule("Pipfile", r'(?m)^constructs = ".*"', f'constructs = "{PINS["constructs"]}"'),
    Rule("package.json", r'"cdktf-cli": ".*"', f'"cdktn-cli": "{CLI_VERSION}"'),
    Rule("tests/operations/test_lock_files.py", r'cdktf-cli"(.*) ".*"', rf'cdktn-cli"\1 "{CLI_VERSION}"'),
)
BEHAVIOUR = (
    Rule("cdktf.json", r'"context": {}', f'"targetVersions": {TARGETS},\n  "context": {{}}'),
    Rule(
        "synthesis/node.py",
        r"(?m)^( *)(os\.environ\.setdefault\(name, .*\n)",
        rf"""\1\2    os.environ.setdefault("{CONTEXT_VARIABLE}", '{{"targetVersions": {TARGETS}}}')""" + "\n",
    ),
    # It would leave out the check of declared versions, which cdktn makes where CDKTF only prepared references.
    Rule("synthesis/unneeded_work.cjs", r".*, withoutPreparingOneStack\],\n", ""),
    Rule("synthesis/unneeded_work.cjs", r"(?s)// [^/]*\nfunction withoutPreparingOneStack.*?\n}\n\n", ""),
    Rule(
        "stacks/payment_platform.py",
        r"(        super\(\)\.__init__\(scope, id_\)\n)",
        rf'\1        self.add_override("terraform.required_providers.aws.version", "{PROVIDER_VERSION}")' + "\n",
    ),
)
RULES = (*NAMES, *PACKAGES, *BEHAVIOUR)


def translate(root: Path) -> dict[str, int]:
    """Rewrite the checkout in ``root``, and return how many lines of each changed file are new.

    Raises:
        Refused: a rule finds nothing to replace, so that the project is no longer what the rules were written for, or
            has been translated already. Nothing has been written then.
    """
    before = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in _files(root)}
    after = dict(before)
    for rule in RULES:
        found = 0
        for name in (name for name in after if fnmatch(name, rule.files)):
            after[name], times = re.subn(rule.pattern, rule.replacement, after[name])
            found += times
        if not found:
            raise Refused(f"nothing was changed: no file {rule.files} in {root} has {rule.pattern}")
    changed = {name: _new_lines(text, after[name]) for name, text in before.items() if after[name] != text}
    for name in changed:
        (root / name).write_text(after[name], encoding="utf-8")
    return changed


def _files(root: Path) -> Iterator[Path]:
    """The project's own files that a rule is about."""
    for folder, inner, files in os.walk(root):
        inner[:] = [name for name in inner if name not in LEFT_ALONE and not name.startswith(".")]
        for path in (Path(folder) / name for name in files if name not in LEFT_ALONE):
            if any(fnmatch(path.relative_to(root).as_posix(), rule.files) for rule in RULES):
                yield path


def _new_lines(before: str, after: str) -> int:
    known = set(before.splitlines())
    return sum(line not in known for line in after.splitlines())


def main(arguments: Sequence[str]) -> None:
    """Translate the checkout that is named, or this one."""
    with exit_codes():
        changed = translate(Path(arguments[0]) if arguments else PROJECT)
        print(f"{sum(changed.values())} lines of {len(changed)} files are cdktn's")


if __name__ == "__main__":
    main(sys.argv[1:])
