"""Runs Terraform on a synthesized directory, with a progress display, and its diagnostics in plain lines on failure.

The progress is read from Terraform's machine-readable output
(https://developer.hashicorp.com/terraform/internals/machine-readable-ui).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from operations.deployment.provider_mirror import PROVIDER_LOCK
from operations.interruption import IN_ITS_OWN_GROUP, passed_on
from operations.outcome import Failed

PLAN_WITH_CHANGES = 2  # `terraform plan -detailed-exitcode`: 0 no change, 1 error, 2 changes
LINES_OF_OTHER_OUTPUT = 40  # kept for the message of a failure without diagnostics
# A plan from the state without a refresh and without the lock, for a caller that may only read the state.
FROM_STATE = ("-refresh=false", "-lock=false")
# Deletion protection arguments (load balancers, clusters, user pools, tables ...) in provider 5.100.0.
PROTECTIONS = ("deletion_protection", "deletion_protection_enabled", "enable_deletion_protection")
# Terraform and its providers collect garbage when their memory has grown by so many percent, unless the caller's
# variables say otherwise. With Go's default of 100 a plan of the whole platform took a seventh more of processor time;
# with 400 the largest process grows from 670 to 870 MB.
COLLECT_AT_PERCENT = "400"
SECONDS_BETWEEN_LINES = 15.0  # where the output is not a terminal, on which a line is rewritten


@dataclass
class Progress:
    """The progress of a run, from its events."""

    total: int = 0
    done: int = 0
    refreshed: int = 0
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    other_output: list[str] = field(default_factory=list)
    exit_code: int = 0
    seconds: dict[str, float] = field(default_factory=dict)  # the duration of each resource, by address

    def read(self, line: str) -> None:
        """Read one line of Terraform's output. A line that is no event (such as of a panic) is kept unchanged."""
        try:
            event = json.loads(line)
            kind = event["type"]
        except (ValueError, TypeError, KeyError):
            self.other_output = [*self.other_output, line.rstrip()][-LINES_OF_OTHER_OUTPUT:]
            return
        if kind == "change_summary" and event["changes"]["operation"] == "plan":
            self.total = sum(event["changes"][what] for what in ("add", "change", "remove"))
        elif kind == "apply_complete" and event["hook"]["action"] != "read":  # data sources are not counted in total
            self.done += 1
            self.seconds[event["hook"]["resource"]["addr"]] = float(event["hook"]["elapsed_seconds"])
        elif kind == "refresh_complete":
            self.refreshed += 1
        elif kind == "planned_change":
            self.changes.append(f"{event['change']['action']} {event['change']['resource']['addr']}")
        elif kind == "outputs":
            changed = ((name, one.get("action", "noop")) for name, one in event["outputs"].items())
            self.changes += [f"{action} output {name}" for name, action in changed if action != "noop"]
        elif kind == "diagnostic":
            diagnostic = event["diagnostic"]
            (self.errors if diagnostic["severity"] == "error" else self.warnings).append(describe(diagnostic))

    @property
    def text(self) -> str:
        """The progress in words, such as ``112/240 resources``."""
        if self.total:
            return f"{self.done}/{self.total} resources"
        if self.done:  # of a plan file, whose summary Terraform does not repeat
            return f"{self.done} resources"
        return f"{self.refreshed} resources read" if self.refreshed else "preparing"


def describe(diagnostic: Mapping[str, Any]) -> str:
    """A diagnostic of Terraform as lines for the user: summary, location, detail."""
    lines = [f"{diagnostic['severity']}: {diagnostic['summary']}"]
    if address := diagnostic.get("address"):
        lines.append(f"  at {address}")
    lines += [f"  {line}" for line in diagnostic.get("detail", "").splitlines() if line.strip()]
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource in the state, and the addresses of its dependencies, data sources included."""

    address: str
    type: str
    depends_on: tuple[str, ...]
    protected: bool = False
    """Whether it is deployed with deletion protection."""


@dataclass(frozen=True)
class PlanFile:
    """A saved plan, which can be shown and applied: exactly the shown changes are applied."""

    terraform: Terraform
    path: Path

    def as_json(self) -> str:
        """The output of `terraform show -json`. Raises Failed with Terraform's errors."""
        return self.terraform.read("show", "-json", str(self.path))

    def as_text(self) -> str:
        """The output of `terraform plan`. Raises Failed with Terraform's errors."""
        colour = [] if self.terraform.console.is_terminal else ["-no-color"]
        return self.terraform.read("show", *colour, str(self.path))

    def apply(self) -> Progress:
        """Apply it; Terraform refuses an outdated plan. Raises Failed with Terraform's errors."""
        return self.terraform.apply_file(self.path)


@dataclass(frozen=True)
class Terraform:
    """Terraform in ``directory``, which has a ``cdk.tf.json``, with ``environment`` as all of its variables."""

    directory: Path
    environment: Mapping[str, str]
    console: Console
    parallelism: int = 30
    lock_timeout: str = "10m"
    """How long to wait for another run's state lock, in Terraform's form."""

    def init(self) -> None:
        """Initialize the configured backend, and install the providers: of the project's lock, where it is there.

        Raises:
            Failed: with Terraform's own message; also where a provider's package is another one than is locked.
        """
        # -reconfigure: the data directory may have been used with another environment's backend.
        lock = self.directory / PROVIDER_LOCK.name
        kept = lock.is_file() and lock.read_bytes() == PROVIDER_LOCK.read_bytes()
        own = ["-lockfile=readonly"] if kept else []
        result = self._captured("init", "-input=false", "-no-color", "-reconfigure", *own)
        if result.returncode:
            raise Failed(_failure("init", result))

    def apply(self, only: Sequence[str] = ()) -> Progress:
        """Create or change resources to match the configuration.

        Args:
            only: the addresses of the resources, to which those are added that they depend on; all when not given.

        Raises:
            Failed: with Terraform's errors.
        """
        targets = [f"-target={address}" for address in only]
        return self._with_progress("apply", "-auto-approve", *targets, *self._patience)

    def apply_file(self, plan: Path) -> Progress:
        """Apply a plan file. Raises Failed with Terraform's errors."""
        return self._with_progress("apply", *self._patience, str(plan))

    def destroy(self) -> Progress:
        """Destroy everything in the state. Raises Failed with Terraform's errors."""
        return self._with_progress("destroy", "-auto-approve", *self._patience)

    def plan(self, *, refresh: bool = True, lock: bool = True) -> list[str]:
        """A line for each difference between configuration and reality; empty only if Terraform reports no changes.

        Without ``refresh`` the state is trusted, which is faster; without ``lock`` another run may be changing it.

        Raises:
            Failed: with Terraform's errors.
        """
        options = ["-detailed-exitcode", f"-refresh={str(refresh).lower()}", *self._patience]
        options += [] if lock else ["-lock=false"]
        progress = self._with_progress("plan", *options, accepted=(0, PLAN_WITH_CHANGES))
        if progress.exit_code == 0:
            return []
        return progress.changes or ["changes that Terraform does not name"]

    @contextmanager
    def planned(self, *, from_state: bool = False, destroy: bool = False, lock: bool = True) -> Iterator[PlanFile]:
        """Plan into a file, which may contain secrets and is deleted after the block.

        Args:
            from_state: trust the state without a refresh, and do not lock it.
            destroy: plan the destruction of everything in the state.
            lock: wait for another run's state lock, and hold the lock while planning. A plan that is only shown needs
                no lock, which would block others.

        Raises:
            Failed: with Terraform's errors.
        """
        options = [*self._patience, *(FROM_STATE if from_state else ()), *(["-destroy"] if destroy else [])]
        options += [] if lock else ["-lock=false"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "plan"
            self._with_progress("plan", f"-out={file}", *options)
            yield PlanFile(self, file)

    @property
    def _patience(self) -> list[str]:
        return [f"-parallelism={self.parallelism}", f"-lock-timeout={self.lock_timeout}"]

    @property
    def backend(self) -> dict[str, str]:
        """Bucket, key and region of the state in S3, from the configuration.

        Raises:
            Failed: the configuration has no such backend.
        """
        file = self.directory / "cdk.tf.json"
        blocks = json.loads(file.read_text(encoding="utf-8")).get("terraform", {})
        found: dict[str, str] | None = blocks.get("backend", {}).get("s3")
        if not found:
            raise Failed(f"{file.name} of {file.parent.name} has no backend in S3, so there is no lock to look at")
        return found

    def outputs(self) -> dict[str, Any]:
        """The outputs by name, without the values of sensitive ones."""
        entries = self._read_json("output", "-json")
        return {name: "(sensitive)" if entry["sensitive"] else entry["value"] for name, entry in entries.items()}

    def resources(self) -> list[Resource]:
        """The managed resources in the state."""
        state = self._read_json("show", "-json")
        return [
            Resource(
                address=one["address"],
                type=one["type"],
                depends_on=tuple(one.get("depends_on", ())),
                protected=any(one["values"].get(name) is True for name in PROTECTIONS),
            )
            for one in _resources(state.get("values", {}).get("root_module", {}))
            if one["mode"] == "managed"
        ]

    def read(self, *arguments: str) -> str:
        """The output of a Terraform command. Raises Failed with its errors."""
        result = self._captured(*arguments)
        if result.returncode:
            raise Failed(_failure(arguments[0], result))
        return result.stdout

    def _read_json(self, *arguments: str) -> Any:
        said = self.read(*arguments)
        try:
            return json.loads(said)
        except ValueError as error:
            raise Failed(f"terraform {arguments[0]} wrote no JSON ({error})") from error

    @property
    def _variables(self) -> dict[str, str]:
        return {"GOGC": COLLECT_AT_PERCENT, **self.environment}

    def _captured(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self.directory,
            env=self._variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def _with_progress(self, name: str, *arguments: str, accepted: Sequence[int] = (0,)) -> Progress:
        progress = Progress()
        command = ["terraform", name, "-json", "-input=false", *arguments]
        with passed_on(self.console) as interruption, _shown(self.console, name, progress) as show:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self._variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                **IN_ITS_OWN_GROUP,
            )
            interruption.of(process)
            assert process.stdout is not None  # noqa: S101 - for the type checker: it was started with a pipe
            for line in process.stdout:
                progress.read(line)
                show()
                interruption.check_output()
            progress.exit_code = process.wait()
        if progress.exit_code not in accepted:
            explained = progress.errors or progress.other_output
            said = "\n" + "\n".join(explained) if explained else f" exit code {progress.exit_code}"
            raise Failed(f"terraform {name} failed:{said}")
        return progress


@contextmanager
def _shown(console: Console, name: str, progress: Progress) -> Iterator[Callable[[], None]]:
    """Display the progress: one line that is rewritten on a terminal, and a line at intervals elsewhere."""
    began = time.monotonic()

    def text() -> str:
        return f"{name} {progress.text}, {time.monotonic() - began:.0f} s"

    if console.is_terminal and not console.is_dumb_terminal:  # on a dumb one nothing would be displayed
        with console.status(text()) as status:
            yield lambda: status.update(text())
    else:
        last = [began]

        def now_and_then() -> None:
            if time.monotonic() - last[0] >= SECONDS_BETWEEN_LINES:
                last[0] = time.monotonic()
                console.print(text())

        yield now_and_then
    console.print(text())


def _resources(module: Mapping[str, Any]) -> list[dict[str, Any]]:
    below = [resource for child in module.get("child_modules", []) for resource in _resources(child)]
    return [*module.get("resources", []), *below]


def _failure(name: str, result: subprocess.CompletedProcess[str]) -> str:
    """Terraform's error output; without any, its exit status."""
    said = _unboxed(result.stderr or result.stdout)
    return f"terraform {name} failed:\n{said}" if said else f"terraform {name} failed: exit code {result.returncode}"


def _unboxed(text: str) -> str:
    """Terraform's message without the frame that it prints around it for terminals."""
    lines = (line.lstrip("╷│╵ ").rstrip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)
