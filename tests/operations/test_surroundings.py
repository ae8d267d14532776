"""Whatever is broken around a command, it ends in one line and a documented exit code, and never in a traceback.

The commands are those that the command line itself lists, and the files those that its parameters take: a new one is
run here, too. Each runs in a checkout whose path has a space, against an AWS that denies all but
the account.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer

from emulator import process
from operations.__main__ import application
from tests.operations.surroundings import INTERPRETER, Checkout, Ended, OnlyAnAccount

COMMANDS: dict[str, Any] = typer.main.get_command(application).commands  # type: ignore[attr-defined]
# What stands for each argument that a command asks for. One that is not here is a command that nobody has run.
ARGUMENTS = {
    "environment": "local",
    "name": "somebody",
    "service": "payments",
    "to": "recovery",
    "queue": "payments-local-operations",
}
APPROVED = {
    "deploy": ["--approve"],
    "destroy": ["--approve"],
    "deploy-api": ["--approve"],
    "destroy-api": ["--approve"],
}
ALL = "EACH_SURROUNDING"
SHARE = 4
"""One command of so many in each of the surroundings, and each command in one of so many; all in all with ALL."""
DOCUMENTED_CODES = {0, 1, 2, 3, 130}
NO_OPTIONS = {"environment", "environments", "plan"}  # they take a file, though they are no Path

LINES = {"preflight-api": 10, "deploy-api": 10}  # what has to exist before, a line each
SAID_BY_SYNTHESIS = {"the disk is full"}  # a line of its own, before that of the command
PROGRESS = re.compile(
    r"PostgreSQL \d+ is not in node_modules |terraform init \.\.\.$|Terraform [0-9.]+, its provider from |"
    r"(plan|apply|destroy) [a-z0-9/ ]+, \d+ s$"
)

SYNTHESIS = """case "$CDKTF_OUTDIR" in "") echo "not to be run here" >&2; exit 1;; esac
/bin/mkdir -p "$CDKTF_OUTDIR/stacks/payment-platform"
/bin/cat > "$CDKTF_OUTDIR/stacks/payment-platform/cdk.tf.json" <<END
{"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": "5.100.0"}}}, "resource": {}}
END"""
VERSION = """{"terraform_version": "1.11.4", "platform": "linux_amd64"}"""


@dataclass
class World:
    """A machine that has all that is needed, as far as a command looks before it begins, to be broken by a test."""

    checkout: Checkout
    folder: Path
    variables: dict[str, str]
    changes: list[str] = field(default_factory=list)

    @property
    def tools(self) -> Path:
        """The only folder of programs."""
        return self.folder / "tools"

    def program(self, name: str, script: str) -> Path:
        """Put a script in the place of a program."""
        path = self.tools / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def run(self, *arguments: str) -> Ended:
        """Run a command."""
        return self.checkout.run(arguments, self.variables, self.changes)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("surroundings") / "a checkout")
    yield made
    made.end()


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with OnlyAnAccount() as url:
        yield url


@pytest.fixture
def world(checkout: Checkout, aws: str, tmp_path: Path) -> World:
    return machine(checkout, tmp_path, aws)


def machine(checkout: Checkout, folder: Path, aws: str) -> World:
    """A machine with all that is needed, and a checkout in which nothing has been run."""
    base = {"PATH": f"{folder / 'tools'}:/usr/bin:/bin", "HOME": str(folder), "AWS_MAX_ATTEMPTS": "1"}
    made = World(checkout, folder, process.complete_environment(aws, base))
    made.tools.mkdir()
    made.program("node", "echo v20.11.1")
    made.program("npm", "echo 10.2.4")
    made.program("terraform", f"""if [ "$1" = version ]; then echo '{VERSION}'; else echo 'no such thing'; fi""")
    made.variables[INTERPRETER] = str(made.program("synthesis", SYNTHESIS))
    for name in (".cache", "docs"):
        remove(checkout.folder / name)
        (checkout.folder / name).mkdir()
    return made


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        for entry in path.iterdir():
            remove(entry)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def without(name: str) -> Callable[[World], None]:
    def break_(world: World) -> None:
        (world.tools / name).unlink()
        world.variables["PATH"] = str(world.tools)

    return break_


def instead(name: str, script: str, *changes: str) -> Callable[[World], None]:
    def break_(world: World) -> None:
        world.program(name, script)
        world.changes += changes

    return break_


def of_another_machine(name: str) -> Callable[[World], None]:
    def break_(world: World) -> None:
        world.program(name, "")
        (world.tools / name).write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00" + bytes(44))

    return break_


def variable(name: str, value: str) -> Callable[[World], None]:
    def break_(world: World) -> None:
        world.variables[name] = value.format(folder=world.folder)

    return break_


def entry(name: str, make: Callable[[Path], object]) -> Callable[[World], None]:
    def break_(world: World) -> None:
        remove(world.checkout.folder / name)
        make(world.checkout.folder / name)

    return break_


def change(name: str) -> Callable[[World], None]:
    return lambda world: world.changes.append(name)


def profiles(text: str) -> Callable[[World], None]:
    def break_(world: World) -> None:
        (world.folder / "config").write_text(text)
        world.variables |= {"AWS_CONFIG_FILE": str(world.folder / "config"), "AWS_PROFILE": "of-a-test"}

    return break_


TERRAFORM_OF = """if [ "$1" = version ]; then echo '{version}'; exit; fi; {rest}"""
SURROUNDINGS: dict[str, Callable[[World], None]] = {
    "nothing is broken": lambda _: None,
    "no terraform": without("terraform"),
    "no node": without("node"),
    "no npm": without("npm"),
    "old terraform": instead("terraform", """echo '{"terraform_version": "1.5.7", "platform": "linux_amd64"}'"""),
    "older terraform, which writes no JSON": instead("terraform", "echo Terraform v0.11.0"),
    "terraform of no platform": instead("terraform", """echo '{"terraform_version": "1.11.4"}'"""),
    "terraform says a list": instead("terraform", "echo '[1]'"),
    "terraform says nothing": instead("terraform", "exit 1"),
    "terraform hangs": instead("terraform", "exec sleep 60", "impatient"),
    "node hangs": instead("node", "exec sleep 60", "impatient"),
    "terraform of another machine": of_another_machine("terraform"),
    "node of another machine": of_another_machine("node"),
    "old node": instead("node", "echo v12.0.0"),
    "terraform dies": instead("terraform", TERRAFORM_OF.format(version=VERSION, rest="kill -9 $$")),
    "terraform fails without a word": instead("terraform", TERRAFORM_OF.format(version=VERSION, rest="exit 1")),
    "synthesis dies": instead("synthesis", "kill -9 $$"),
    "synthesis writes nothing": instead("synthesis", "true"),
    "synthesis writes no JSON": instead("synthesis", SYNTHESIS.replace('{"terraform"', "{")),
    "the output can show ASCII only": change("ascii"),
    "the disk is full": change("full disk"),
    "no HOME": variable("HOME", ""),
    "TMPDIR does not exist": variable("TMPDIR", "{folder}/nowhere"),
    "a profile that does not exist": variable("AWS_PROFILE", "nope"),
    "a configuration of AWS that is none": profiles("[profile of-a-test\nregion"),
    "a profile of a process that fails": profiles("[profile of-a-test]\ncredential_process = false\n"),
    "a region that cannot be": variable("AWS_DEFAULT_REGION", "no such region!"),
    "an endpoint that is none": variable("AWS_ENDPOINT_URL", "nonsense"),
    "an endpoint that does not answer": variable("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    "attempts that are no number": variable("AWS_MAX_ATTEMPTS", "many"),
    "a CA bundle that does not exist": variable("AWS_CA_BUNDLE", "{folder}/nowhere"),
    "a mirror of providers that does not exist": variable("TERRAFORM_PROVIDER_MIRROR", "{folder}/nowhere"),
    "a CLI configuration of Terraform that is a folder": variable("TF_CLI_CONFIG_FILE", "{folder}"),
    "a locale that does not exist": variable("LC_ALL", "xx_XX.nope"),
    "a dumb terminal": variable("TERM", "dumb"),
    ".cache is a file": entry(".cache", Path.touch),
    ".cache leads nowhere": entry(".cache", lambda path: path.symlink_to("/nowhere/at/all")),
    ".cache cannot be written": entry(".cache", lambda path: path.symlink_to("/proc/self")),
    "docs is a file": entry("docs", Path.touch),
    ".local-aws is a file": entry(".local-aws", Path.touch),
    ".local-aws is empty": entry(".local-aws", Path.mkdir),
    ".local-api is a file": entry(".local-api", Path.touch),
    "cfn-outputs is a file": entry("cfn-outputs", Path.touch),
}


def arguments_of(name: str) -> list[str]:
    asked = [one.name for one in COMMANDS[name].params if one.param_type_name == "argument" and one.required]
    return [ARGUMENTS[one] for one in asked]


def judged(line: list[str], ended: Ended, most_lines: int = 1) -> list[str]:
    """What is wrong with the way in which a command ended."""
    wrong = []
    if "Traceback" in ended.said or 'File "' in ended.said:
        wrong.append("a traceback")
    if ended.code not in DOCUMENTED_CODES:
        wrong.append(f"exit code {ended.code}")
    if ended.code and not ended.said.strip():
        wrong.append("not a word")
    errors = [one for one in ended.stderr.splitlines() if not PROGRESS.match(one)]
    if len(errors) > max(most_lines, LINES.get(line[0], 1)):
        wrong.append(f"{len(errors)} lines of errors")
    return [f"{' '.join(line)}: {one}\n{ended.said[-1500:]}" for one in wrong]


@pytest.mark.requirement("W0.4")
@pytest.mark.parametrize("broken", SURROUNDINGS)
def test_each_command_ends_in_one_line(world: World, broken: str) -> None:
    SURROUNDINGS[broken](world)
    names = list(COMMANDS) if os.environ.get(ALL) else list(COMMANDS)[list(SURROUNDINGS).index(broken) % SHARE :: SHARE]
    lines = [[name, *arguments_of(name), *APPROVED.get(name, ())] for name in names]
    try:
        ended = [(line, world.run(*line)) for line in lines]
    finally:
        for name in (".local-aws", ".local-api", "cfn-outputs"):
            remove(world.checkout.folder / name)

    assert len(ended) >= len(COMMANDS) // SHARE > 4
    most_lines = 2 if broken in SAID_BY_SYNTHESIS else 1
    wrong = [text for line, one in ended for text in judged(line, one, most_lines)]
    assert not wrong, "\n\n".join(wrong)


def deep(path: Path) -> None:
    path.write_text("[" * 100_000)


ODD_FILES: dict[str, Callable[[Path], object]] = {
    "is missing": lambda _: None,
    "is a folder": Path.mkdir,
    "is empty": Path.touch,
    "is no text": lambda path: path.write_bytes(os.urandom(100) + b"\xff"),
    "is UTF-16": lambda path: path.write_text("{}", encoding="utf-16"),
    "is an empty object": lambda path: path.write_text("{}"),
    "is null": lambda path: path.write_text("null"),
    "is a list": lambda path: path.write_text("[1]"),
    "is nested too deep": deep,
    "is a plan without a member": lambda path: path.write_text(
        '{"format_version": "1.2", "planned_values": {}, "resource_changes": [{"change": {}}, null], '
        '"output_changes": {"one": null}}'
    ),
    "leads into a folder that is missing": lambda path: path.symlink_to("/nowhere/at/all"),
}


def takes_file(parameter: Any) -> bool:
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    return annotation is Path or parameter.name in NO_OPTIONS


FILES = [(name, one) for name, command in COMMANDS.items() for one in command.params if takes_file(one)]


@pytest.mark.requirement("W0.4")
@pytest.mark.parametrize("odd", ODD_FILES)
def test_each_command_reports_an_invalid_input_file_in_one_line(world: World, odd: str) -> None:
    wrong = []
    for name, parameter in FILES:
        suffix = ".toml" if "environment" in parameter.name else ".file"
        path = world.folder / f"{name} {parameter.name}{suffix}"
        ODD_FILES[odd](path)
        if parameter.param_type_name == "option":
            line = [name, *arguments_of(name), parameter.opts[0], str(path), *APPROVED.get(name, ())]
        else:
            line = [name, str(path), *APPROVED.get(name, ())]
        # A file of settings has a line for each setting that is missing.
        wrong += judged(line, world.run(*line), most_lines=30 if suffix == ".toml" else 1)

    assert len(FILES) > 20
    assert not wrong, "\n\n".join(wrong)
