"""Roles for what runs in the local AWS, which allows them what their policies allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.emulator.support import Client

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def make_role(client: Callable[..., Client], service: str, name: str, *statements: dict[str, Any]) -> str:
    """A role that a service assumes, with these statements; returns its ARN. One of the same name is replaced.

    Args:
        client: makes clients of the local AWS.
        service: the principal that may assume it, such as ``lambda.amazonaws.com``.
        name: of the role.
        statements: what it is allowed; everything when not given.
    """
    iam = client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(trust))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*(statements or (EVERYTHING,))))
    return str(arn)


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
