"""Writes docs/settings.md from the models: `python -m settings.reference`.

A field's meaning is the string below it; its allowed values come from its type and rules.
tests/unit/settings/test_reference.py fails where the committed file differs from the output.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from settings.base import SettingsModel
from settings.platform import Settings

REFERENCE = Path(__file__).parents[1] / "docs" / "settings.md"

HEAD = """\
# Settings

An environment is one TOML file: `settings/environments/NAME.toml`, or a file of the same form elsewhere that is named
by its path. It is chosen by `--environment`, by `ENV=` in `make`, or by the variable PLATFORM_ENVIRONMENT.

A file may begin with `extends = "staging"`, the name of a file in `settings/environments`. It then holds only what
differs. With another `environment_suffix` it does not inherit what identifies the other environment: `edge.host_names`,
`domain.create_zone`, `delivery` and `budget` have their defaults, unless the file sets them.

A wrong value is one line that names the field, the value and what is allowed. All of a file's problems are shown at
once, the exit code is 2, and nothing has been built. What several fields together may not be is in the meaning of the
last of them; the rules are in `settings/rules.py` and beside the fields.

Written by `python -m settings.reference`. To change it, change the models in `settings/`.
"""

TABLE_HEAD = "| setting | allowed | default | meaning |\n|---|---|---|---|"

JSON_TYPES = {"boolean": "`true` or `false`", "string": "a string", "integer": "a whole number"}


def reference() -> str:
    """The text of docs/settings.md."""
    sections = [_section("Of the environment itself", Settings, "Fields that stand before the first table.")]
    sections += [
        _section(" and ".join(f"[{name}]" for name in names), model, _sentence(model.__doc__ or ""))
        for model, names in groups(Settings).items()
    ]
    return "\n".join([HEAD, *sections])


def groups(model: type[SettingsModel], prefix: str = "") -> dict[type[SettingsModel], list[str]]:
    """The models of the tables below a model, however deep, each with the names of the tables that have its form."""
    found: dict[type[SettingsModel], list[str]] = {}
    for name, field in model.model_fields.items():
        if (inner := _model_of(field)) is not None:
            path = f"{prefix}{_table(name, field)}"
            found.setdefault(inner, []).append(f"[{path}]" if _is_list(field) else path)  # TOML's tables of a list
            for deeper, names in groups(inner, f"{path}.").items():
                found.setdefault(deeper, []).extend(names)
    return found


def _model_of(field: FieldInfo) -> type[SettingsModel] | None:
    """The model of a field that is a table, or of the tables in it."""
    annotations = (field.annotation, *get_args(field.annotation))
    models = (one for one in annotations if isinstance(one, type) and issubclass(one, SettingsModel))
    return next(models, None)


def _table(name: str, field: FieldInfo) -> str:
    """The name of a field's table; NAME is a placeholder for a name that the author of a file chooses."""
    return f"{name}.NAME" if get_origin(field.annotation) is dict else name


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def meanings(model: type[SettingsModel]) -> dict[str, str]:
    """The string below each field of a model and of those that it extends, from their source."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__[: model.__mro__.index(SettingsModel)]):
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(definition, ast.ClassDef)  # noqa: S101 - for the type checker: it is a model's source
        for field, below in itertools.pairwise(definition.body):
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, str):
                found[field.target.id] = inspect.cleandoc(text)
    return found


def _section(title: str, model: type[SettingsModel], about: str) -> str:
    return "\n".join([f"## {title}", "", about, "", TABLE_HEAD, *_rows(model), ""])


def _rows(model: type[SettingsModel]) -> Iterator[str]:
    schema, meaning = model.model_json_schema(), meanings(model)
    for name, field in model.model_fields.items():
        inner = _model_of(field)
        allowed = _table_below(name, field) if inner else _allowed(schema["properties"][name], schema)
        cells = (f"`{name}`", allowed, _default(field, inner), _linked(meaning.get(name, "")))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table_below(name: str, field: FieldInfo) -> str:
    if _is_list(field):
        return f"a list of tables, `[[{name}]]` below"
    return f"a table, `[{_table(name, field)}]` below"


def _allowed(schema: dict[str, Any], root: dict[str, Any]) -> str:
    """The allowed values in words, from the JSON schema."""
    if reference := schema.get("$ref"):
        return _allowed(root["$defs"][reference.rpartition("/")[2]], root)
    if schema.get("type") == "array":
        return f"{_number_of(schema)}: {_allowed(schema['items'], root)}"
    if schema.get("type") == "object":
        key, value = schema["propertyNames"], schema["additionalProperties"]
        return f"a table; keys: {_allowed(key, root)}; values: {_allowed(value, root)}"
    if optional := schema.get("anyOf"):
        return _allowed(optional[0], root)  # the other choice is that there is none
    return _allowed_of_one(schema)


def _allowed_of_one(schema: dict[str, Any]) -> str:
    if words := schema.get("allowed"):
        return re.sub(r",? (is|are) allowed", "", words)  # the words of an error line, without its verb
    if choices := schema.get("enum"):
        return ", ".join(f"`{json.dumps(choice)}`" for choice in choices)
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    if "exclusiveMinimum" in schema:
        return f"more than {schema['exclusiveMinimum']}, up to {schema['maximum']}"
    return JSON_TYPES[schema["type"]]


def _number_of(schema: dict[str, Any]) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is None:
        return f"a list of up to {most}" if most else "a list"
    return f"a list of exactly {least}" if least == most else f"a list of {least} to {most}"


def _default(field: FieldInfo, inner: type[SettingsModel] | None) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if inner and not _is_list(field):
        return "none" if get_origin(field.annotation) is dict or default is None else "as below"
    if isinstance(default, Enum):
        default = default.value
    return f"`{json.dumps(default, default=_plain)}`" if default not in ((), {}, None) else "none"


def _plain(model: SettingsModel) -> Any:
    """A table of a list, as JSON has it."""
    return model.model_dump(mode="json")


def _linked(meaning: str) -> str:
    """The string below a field, on one line; the addresses in it become links."""
    return re.sub(r"https://\S+", r"<\g<0>>", _sentence(meaning))


def _sentence(text: str) -> str:
    """The text on one line, without the ids of requirements, which mean nothing to the author of a settings file."""
    return re.sub(r" \([A-Z]\d[\d.]*(-[A-Z][\d.]+)?\)", "", " ".join(text.split()))


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
