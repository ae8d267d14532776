"""Change sets as CloudFormation describes them: replacement by its own schemas, and values before and after.

Ministack keeps change sets, compares templates, executes, and makes the others of a stack obsolete. It knows for a few
types what replaces them, and describes no values. The schemas are CloudFormation's registry, as cfn-lint brings it:
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html (createOnlyProperties)
"""

from __future__ import annotations

import copy
import functools
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, engine, handlers, stacks

from emulator.cloudformation.registry import is_true

KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""What CloudFormation shows for a value that only a resource which is not made yet will have.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets-view.html
"""
WHOLE = ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Select", "Fn::Split", "Fn::Base64", "Fn::Cidr")
CONTEXTS, TOKEN = "_contexts", "_client_token"
NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
BEGINNING = "/properties/"
SCHEMAS = files("cfnlint") / "data" / "schemas"
ANY_REGION = "us-east-1"
"""Of the schemas: what replaces a resource is the same in each."""

Resources = Mapping[str, Mapping[str, Any]]
Context = tuple[dict[str, Any] | None, dict[str, Any] | None]
"""A resource's attributes before and after; None where there is none."""


def install() -> None:
    """Register these additions with ministack."""
    stacks._property_recreation = recreation
    handlers._ACTION_HANDLERS["CreateChangeSet"] = _create
    handlers._ACTION_HANDLERS["DescribeChangeSet"] = _describe


def recreation(resource_type: str, name: str) -> str:
    """Whether a change of a property replaces the resource: Always, Conditionally or Never.

    Of a property with a part that cannot be changed: Conditionally.
    """
    schema = _schema(resource_type)
    if schema is None:
        return "Conditionally"
    if name in _paths(schema, "createOnlyProperties"):
        return "Always"
    partly = {path.partition("/")[0] for path in _paths(schema, "createOnlyProperties")}
    return "Conditionally" if name in partly | _paths(schema, "conditionalCreateOnlyProperties") else "Never"


@functools.cache
def _index() -> dict[str, str]:
    found: dict[str, str] = json.loads((SCHEMAS / "providers" / f"{ANY_REGION}.json").read_text("utf-8"))
    return found


@functools.cache
def _schema(resource_type: str) -> dict[str, Any] | None:
    """The schema of a type; None for a custom resource."""
    if resource_type not in _index():
        return None
    found: dict[str, Any] = json.loads((SCHEMAS / "resources" / f"{_index()[resource_type]}.json").read_text("utf-8"))
    return found


def _paths(schema: Mapping[str, Any], kind: str) -> set[str]:
    return {path.removeprefix(BEGINNING) for path in schema.get(kind) or []}


def _create(params: dict[str, Any]) -> Any:
    """Create one; a request that is sent again, with the same token, gets the same answer.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html (ClientToken)
    """
    token, before = changesets._p(params, "ClientToken"), set(cloudformation._change_sets)
    for one in cloudformation._change_sets.values():
        if token and one[TOKEN][0] == token:
            return one[TOKEN][1]
    answer = changesets._create_change_set(params)
    for arn in set(cloudformation._change_sets) - before:
        one = cloudformation._change_sets[arn]
        one[TOKEN] = token, answer
        stack = cloudformation._stacks[one["StackName"]]
        with stacks._stack_region_context(stack, stack["StackId"]):
            one[CONTEXTS] = list(_contexts(one, stack))
    return answer


def _contexts(change_set: Mapping[str, Any], stack: Mapping[str, Any]) -> Iterator[Context]:
    """For each change, in its order."""
    deployed, wanted = stack["_resources"], change_set["_template"]["Resources"]
    new = {
        one["ResourceChange"]["LogicalResourceId"]
        for one in change_set["Changes"]
        if one["ResourceChange"]["Action"] == "Add" or one["ResourceChange"].get("Replacement", "False") != "False"
    }
    for change in change_set["Changes"]:
        logical = change["ResourceChange"]["LogicalResourceId"]
        was, becomes = stack["_template"].get("Resources", {}).get(logical), wanted.get(logical)
        yield (
            was and _attributes(was, deployed.get(logical, {}).get("Properties", {})),
            becomes and _attributes(becomes, _resolved(becomes, change_set, stack, new)),
        )


def _attributes(definition: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    others = {name: definition[name] for name in stacks._DIFFED_ATTRIBUTES if name in definition}
    return {"Properties": dict(properties), **others}


def _resolved(
    definition: Mapping[str, Any], change_set: Mapping[str, Any], stack: Mapping[str, Any], new: set[str]
) -> dict[str, Any]:
    """A resource's properties by what is deployed; what cannot be resolved yet is known only afterwards."""
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    conditions = engine._evaluate_conditions(template, parameters)
    found = {}
    for name, value in definition.get("Properties", {}).items():
        try:
            found[name] = engine._resolve_refs(
                _unknown(copy.deepcopy(value), new),
                stack["_resources"],
                parameters,
                conditions,
                template.get("Mappings", {}),
                change_set["StackName"],
                change_set["StackId"],
            )
        except ValueError:
            found[name] = KNOWN_AFTER_APPLY
    return {name: value for name, value in found.items() if value is not engine._NO_VALUE}


def _unknown(value: Any, new: set[str]) -> Any:
    """A value with what refers to resources that are made anew replaced by the words for it.

    Of a text that is put together only that part is unknown; of what a function takes out of one, the whole.
    """
    if isinstance(value, list):
        return [_unknown(one, new) for one in value]
    if not isinstance(value, dict):
        return value
    own = {name: value[name] for name in WHOLE if name in value}
    if any(reference in new for reference, _ in engine._intrinsic_references(own)):
        return KNOWN_AFTER_APPLY
    return {name: _unknown(one, new) for name, one in value.items()}


def _describe(params: dict[str, Any]) -> Any:
    status, headers, body = changesets._describe_change_set(params)
    name, stack = changesets._p(params, "ChangeSetName"), changesets._p(params, "StackName")
    _, found = changesets._find_change_set(name, stack)
    if found is None or not is_true(changesets._p(params, "IncludePropertyValues")):
        return status, headers, body
    ET.register_namespace("", NAMESPACE)
    root = ET.fromstring(body)  # noqa: S314  # ministack's own
    changes = root.findall(f".//{{{NAMESPACE}}}Changes/{{{NAMESPACE}}}member/{{{NAMESPACE}}}ResourceChange")
    for element, (was, becomes) in zip(changes, found[CONTEXTS], strict=True):
        _write_values(element, was, becomes)
    return status, headers, ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _write_values(change: ET.Element, was: dict[str, Any] | None, becomes: dict[str, Any] | None) -> None:
    for name, context in (("BeforeContext", was), ("AfterContext", becomes)):
        if context is not None:
            _write(change, name, json.dumps(context))
    for target in change.iter(f"{{{NAMESPACE}}}Target"):
        property_name = target.findtext(f"{{{NAMESPACE}}}Name")
        if not property_name or was is None or becomes is None:
            continue
        values = was["Properties"].get(property_name), becomes["Properties"].get(property_name)
        _write(target, "Path", f"/Properties/{property_name}")
        for name, value in zip(("BeforeValue", "AfterValue"), values, strict=True):
            if value is not None:
                _write(target, name, value if isinstance(value, str) else json.dumps(value))
        kind = "Add" if values[0] is None else "Remove" if values[1] is None else "Modify"
        _write(target, "AttributeChangeType", kind)


def _write(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = text
