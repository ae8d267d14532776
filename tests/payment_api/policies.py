"""The roles of a template: what their policies say, with references resolved, and who has which role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iam.evaluation import Decision, Request, evaluate
from tests.payment_api.support import Template, as_list

ACCOUNT, REGION = "123456789012", "ap-southeast-1"
PLACE = f"{REGION}:{ACCOUNT}"
PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
# The ARN of a resource by its type; {id} is its logical id, {name} its name if it has one.
ARNS = {
    "AWS::KMS::Key": f"arn:aws:kms:{PLACE}:key/{{id}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{PLACE}:{{name}}",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{PLACE}:log-group:{{name}}:*",
    "AWS::SNS::Topic": f"arn:aws:sns:{PLACE}:{{name}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{PLACE}:function:{{name}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
}
NAMES = ("QueueName", "BucketName", "LogGroupName", "TopicName", "FunctionName", "RoleName", "Name")


class UnresolvedError(LookupError):
    """A policy names something whose ARN has no form in ``ARNS`` yet."""


@dataclass(frozen=True)
class Roles:
    """The roles of a template."""

    template: Template

    def document(self, role: str) -> dict[str, Any]:
        """All identity policies of a role together, by the role's logical id."""
        inline = self.template.of("AWS::IAM::Role")[role].get("Policies", [])
        attached = [
            one
            for type_ in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
            for one in self.template.of(type_, none_is_right=True).values()
            if {"Ref": role} in one.get("Roles", [])
        ]
        statements = [
            self._statement(statement)
            for one in [*inline, *attached]
            for statement in one["PolicyDocument"]["Statement"]
        ]
        return {"Statement": statements}

    def allows(self, role: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
        """Whether the role's own policies allow a request."""
        principal = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        request = Request(action=action, resource=resource, principal=principal, context=context or {})
        return evaluate(self.document(role), request) is Decision.ALLOW

    def granted(self, role: str) -> set[tuple[str, str]]:
        """Every pair of action and resource that the role's policies allow."""
        return {
            (action, resource)
            for statement in self.document(role)["Statement"]
            if statement["Effect"] == "Allow"
            for action in statement["Action"]
            for resource in statement["Resource"]
        }

    def of_function(self, part: str) -> str:
        """The role of the function whose logical id holds ``part``."""
        function = self.template.one("AWS::Lambda::Function", part)
        found: str = function["Role"]["Fn::GetAtt"][0]
        return found

    def of_task(self) -> str:
        """The role of the tasks."""
        found: str = self.template.one("AWS::ECS::TaskDefinition")["TaskRoleArn"]["Fn::GetAtt"][0]
        return found

    def resolve(self, value: Any) -> str:
        """A value of the template as it will be."""
        if isinstance(value, str):
            return value
        ((function, argument),) = value.items()
        if function == "Ref":
            return PSEUDO.get(argument) or self._reference(argument)
        if function == "Fn::GetAtt":
            return self._attribute(*argument)
        if function == "Fn::Join":
            return str(argument[0]).join(self.resolve(one) for one in argument[1])
        if function == "Fn::Sub" and isinstance(argument, str):
            return re.sub(r"\$\{([^}]+)\}", lambda match: self.resolve({"Ref": match[1]}), argument)
        raise UnresolvedError(function)

    def _reference(self, id_: str) -> str:
        """Most types are referred to by a name or an id."""
        properties = self.template.resources[id_].get("Properties", {})
        return next((self.resolve(properties[name]) for name in NAMES if name in properties), id_)

    def _attribute(self, id_: str, attribute: str) -> str:
        type_ = self.template.resources[id_]["Type"]
        if attribute != "Arn":
            return f"{id_}.{attribute}"
        if type_ not in ARNS:
            raise UnresolvedError(f"{type_}: say in ARNS what it looks like")
        return ARNS[type_].format(id=id_, name=self._reference(id_))

    def _statement(self, statement: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in statement.items() if key not in {"Action", "Resource", "Principal"}}
        return {
            **kept,
            "Action": as_list(statement["Action"]),
            "Resource": [self.resolve(one) for one in as_list(statement["Resource"])],
        }
