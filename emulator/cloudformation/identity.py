"""IAM's types: roles, their policies, instance profiles."""

from __future__ import annotations

from emulator.cloudformation.calls import Created, Properties, call, changed, generated, gone, only, without
from emulator.cloudformation.types import made_by

ATTACHED = ("ManagedPolicyArns", "Policies")
NAME_LENGTH = 64
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def install() -> None:
    """Register these types."""
    made_by("AWS::IAM::Role", create=_create_role, update=_update_role, delete=_delete_role)
    made_by("AWS::IAM::Policy", create=_create_policy, update=_update_policy, delete=_delete_policy)
    made_by("AWS::IAM::InstanceProfile", create=_create_profile, delete=_delete_profile)


def _create_role(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("RoleName") or generated(stack, logical_id, NAME_LENGTH)
    role = call("iam", "CreateRole", {**without(properties, *ATTACHED), "RoleName": name})["Role"]
    _attach(name, properties)
    return name, {"Arn": role["Arn"], "RoleId": role["RoleId"]}


def _attach(name: str, properties: Properties) -> None:
    for arn in _managed(properties):
        call("iam", "AttachRolePolicy", {"RoleName": name, "PolicyArn": arn})
    for policy in properties.get("Policies") or ():
        call("iam", "PutRolePolicy", {"RoleName": name, **policy})


def _managed(properties: Properties) -> list[str]:
    """The managed policies; the CDK's bootstrap gives an empty list as a parameter that is an empty text."""
    return [one for one in properties.get("ManagedPolicyArns") or () if one]


def _update_role(name: str, old: Properties, new: Properties, stack: str) -> Created:
    if changed(old, new, ("RoleName", "Path")):
        made = _create_role("role", new, stack)
        _delete_role(name, old)
        return made
    trust = {"PolicyDocument": new["AssumeRolePolicyDocument"]}
    call("iam", "UpdateAssumeRolePolicy", {"RoleName": name, **trust})
    call("iam", "UpdateRole", {"RoleName": name, **only(new, "Description", "MaxSessionDuration")})
    _detach(name)
    _attach(name, new)
    role = call("iam", "GetRole", {"RoleName": name})["Role"]
    return name, {"Arn": role["Arn"], "RoleId": role["RoleId"]}


def _detach(name: str) -> None:
    """Take what the stack has attached; the policies of ``AWS::IAM::Policy`` are resources of their own."""
    for one in call("iam", "ListAttachedRolePolicies", {"RoleName": name})["AttachedPolicies"]:
        call("iam", "DetachRolePolicy", {"RoleName": name, "PolicyArn": one["PolicyArn"]})


def _delete_role(name: str, properties: Properties) -> None:
    for arn in _managed(properties):
        gone("iam", "DetachRolePolicy", RoleName=name, PolicyArn=arn)
    for policy in properties.get("Policies") or ():
        gone("iam", "DeleteRolePolicy", RoleName=name, PolicyName=policy["PolicyName"])
    gone("iam", "DeleteRole", RoleName=name)


def _create_policy(logical_id: str, properties: Properties, stack: str) -> Created:
    id_ = generated(stack, logical_id, NAME_LENGTH)
    return _put_policy(id_, properties)


def _put_policy(id_: str, properties: Properties) -> Created:
    policy = only(properties, "PolicyName", "PolicyDocument")
    for role in properties.get("Roles") or ():
        call("iam", "PutRolePolicy", {"RoleName": role, **policy})
    for kind in ("Users", "Groups"):
        if properties.get(kind):
            raise NotImplementedError(f"the local AWS attaches no policy to {kind}")
    return id_, {"Id": id_}


def _update_policy(id_: str, old: Properties, new: Properties, _stack: str) -> Created:
    made = _put_policy(id_, new)
    if old["PolicyName"] != new["PolicyName"]:
        _delete_policy(id_, old)
    for role in set(old.get("Roles") or ()) - set(new.get("Roles") or ()):
        gone("iam", "DeleteRolePolicy", RoleName=role, PolicyName=old["PolicyName"])
    return made


def _delete_policy(_id: str, properties: Properties) -> None:
    for role in properties.get("Roles") or ():
        gone("iam", "DeleteRolePolicy", RoleName=role, PolicyName=properties["PolicyName"])


def _create_profile(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("InstanceProfileName") or generated(stack, logical_id, NAME_LENGTH)
    made = call("iam", "CreateInstanceProfile", {"InstanceProfileName": name, **only(properties, "Path")})
    for role in properties["Roles"]:
        call("iam", "AddRoleToInstanceProfile", {"InstanceProfileName": name, "RoleName": role})
    return name, {"Arn": made["InstanceProfile"]["Arn"]}


def _delete_profile(name: str, properties: Properties) -> None:
    for role in properties["Roles"]:
        gone("iam", "RemoveRoleFromInstanceProfile", InstanceProfileName=name, RoleName=role)
    gone("iam", "DeleteInstanceProfile", InstanceProfileName=name)
