"""Finds an environment's file, reads it and checks it.

An environment is chosen by ``--environment NAME`` or by the variable PLATFORM_ENVIRONMENT. NAME is one of the files in
settings/environments or the path of a file of the same form elsewhere. A file may say ``extends = "staging"`` and
contain only the differences: the environment of a pull request is two lines. An environment with another suffix does
not inherit the identity of its base: the fields in `Settings.derived` have their defaults there, unless the file sets
them, and an image in a repository of the base is the same digest in its own.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from settings.errors import SettingsError, describe
from settings.platform import Settings

ENVIRONMENTS = Path(__file__).parent / "environments"
ENVIRONMENT_VARIABLE = "PLATFORM_ENVIRONMENT"
DEFAULT_ENVIRONMENT = "local"
BAD_SETTINGS_EXIT_CODE = 2

# The fields in the name of a repository of ECR, in their order there.
IN_REPOSITORIES = ("account_id", "name_prefix", "environment_suffix")

Model = TypeVar("Model", bound=BaseModel)


def known_environments(folder: Path = ENVIRONMENTS) -> list[str]:
    """The names of the environments that the project has a file for in a folder, in order."""
    return sorted(path.stem for path in folder.glob("[!_]*.toml"))


def load(environment: str) -> Settings:
    """The checked settings of an environment, given by name or by path.

    Raises:
        SettingsError: with all problems, one line each.
    """
    return load_as(Settings, environment, ENVIRONMENTS)


def load_as(model: type[Model], environment: str, folder: Path, identity: Sequence[str] = ()) -> Model:
    """As ``load``, for another settings model, whose files are in ``folder``.

    ``identity`` names the settings, such as ``domain.api_name``, that belong to one environment only: a file with
    another environment_suffix than the file that it extends does not inherit them.
    """
    path = _path_of(environment, folder)
    values = _read_with_base(path, folder, derived=getattr(model, "derived", ()))
    if inherited := list(_inherited_identity(path, folder, identity)):
        raise SettingsError(inherited)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise describe(error, path.name) from error


def load_or_exit(environment: str) -> Settings:
    """As ``load``, but bad settings end the program: their lines on standard error and exit code 2."""
    try:
        return load(environment)
    except SettingsError as error:
        exit_with(error)


def chosen_environment(arguments: Sequence[str] | None = None, variables: Mapping[str, str] | None = None) -> str:
    """The environment that the command line (``--environment NAME``) or else PLATFORM_ENVIRONMENT names."""
    arguments = sys.argv[1:] if arguments is None else arguments
    variables = os.environ if variables is None else variables
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--environment":
            return value if equals else "".join(arguments[position + 1 : position + 2])
    return variables.get(ENVIRONMENT_VARIABLE) or DEFAULT_ENVIRONMENT


def exit_with(error: SettingsError) -> NoReturn:
    """End the program with the lines of bad settings on standard error and exit code 2."""
    for line in error.lines:
        print(line, file=sys.stderr)
    raise SystemExit(BAD_SETTINGS_EXIT_CODE)


def _path_of(environment: str, folder: Path) -> Path:
    if environment in known_environments(folder):
        return folder / f"{environment}.toml"
    path = Path(environment)
    if path.suffix == ".toml" and path.is_file():
        return path
    known = ", ".join(known_environments(folder))
    raise SettingsError([f"environment: {environment!r} is not allowed; {known} or a .toml file's path is"])


def _read_with_base(
    path: Path, folder: Path, extended: tuple[Path, ...] = (), *, derived: Sequence[str] = ()
) -> dict[str, Any]:
    values = _read(path)
    base = values.pop("extends", None)
    if base is None:
        return values
    bases = {file.stem: file for file in folder.glob("*.toml") if file not in (*extended, path)}
    if not isinstance(base, str) or base not in bases:
        raise SettingsError([f"{path.name}: extends: {base!r} is not allowed; one of {', '.join(sorted(bases))} is"])
    inherited = _read_with_base(bases[base], folder, (*extended, path), derived=derived)
    suffix = inherited.get("environment_suffix")
    if suffix is not None and values.get("environment_suffix", suffix) != suffix:
        for field in derived:
            _remove(inherited, field.split("."))
    move_images(inherited, values)
    return _merged(inherited, values)


def move_images(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Name the images in the base's repositories by the environment's own: its tasks may pull from no others."""
    base = [re.escape(str(values.get(field))) for field in IN_REPOSITORIES]
    account, prefix, suffix = own = [str(changes.get(field, values.get(field))) for field in IN_REPOSITORIES]
    if not all(map(re.compile(r"[a-z0-9-]+").fullmatch, own)):
        return  # the field's own rule reports it
    in_base = re.compile(r"^{}(\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/){}/{}/".format(*base))
    services = values.get("services")
    for service in services.values() if isinstance(services, dict) else ():
        if isinstance(service, dict) and isinstance(image := service.get("image"), str):
            service["image"] = in_base.sub(rf"{account}\g<1>{prefix}/{suffix}/", image)


def _remove(values: dict[str, Any], path: Sequence[str]) -> None:
    """Take the field at a path out of nested tables, if it is there."""
    *tables, field = path
    for table in tables:
        inner = values.get(table)
        if not isinstance(inner, dict):
            return
        values = inner
    values.pop(field, None)


def _inherited_identity(path: Path, folder: Path, identity: Sequence[str]) -> Iterator[str]:
    """A line for each setting of another environment that a file has by extending its file."""
    own = _read(path)
    base = own.pop("extends", None)
    if base is None or "environment_suffix" not in own:
        return
    inherited = _read_with_base(folder / f"{base}.toml", folder, (path,))
    for name in identity:
        value, stated = _at(inherited, name), _at(own, name)
        if value is not None and stated is None and inherited.get("environment_suffix") != own["environment_suffix"]:
            yield (
                f"{path.name}: {name}: {value!r} is not allowed; it names the environment of {base}: say another, or "
                f"leave it out of {base}.toml, so that each environment has one of its own"
            )


def _at(values: Mapping[str, Any], name: str) -> Any:
    """The value at a path such as ``domain.api_name``; none, if there is none."""
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` over it, table by table."""
    result = dict(base)
    for key, value in changes.items():
        inner = result.get(key)
        result[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return result


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError([f"{path.name}: not TOML: {error}"]) from error
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
