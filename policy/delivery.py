"""Comparison of the delivery roles with the record of rehearsals (W8.1): `python -m policy.delivery DIRECTORY`.

Every call of a plan, an apply, a release, a failover or a destruction must be allowed, and no action may be allowed
that none of them called, unless a grant of modules/delivery/permissions/ justifies it. DIRECTORY is that of a local
AWS, such as .local-aws. The output lists missing permissions and, once a whole life cycle has been rehearsed, unused
ones.

Resources are those of the record, where it names them. Tags are not in the record and assumed (the providers set the
environment's on every taggable resource), as is the boundary of a created role (tests check it for every role).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from emulator.record import Call, read_calls
from iam.calls import actions_of, context_of, resources_of
from iam.evaluation import Decision, Request, evaluate
from iam.synthesized import Policy, policies
from modules.delivery.permissions.deploy import DEPLOY
from modules.delivery.permissions.grants import Reach
from modules.delivery.permissions.plan import PLAN
from modules.delivery.permissions.watch import READING
from settings import Settings, load
from settings.naming import AUDIT, BACKUPS, CONFIGURATION, DELIVERY, KEEPERS, WATCHERS

Document = dict[str, Any]
ADMINISTRATORS = (AUDIT, CONFIGURATION, DELIVERY)  # whose roles and policies only an administrator changes
ANYTHING = "arn:aws:*:*:*:unknown"  # a resource that the record does not name


@dataclass(frozen=True, kw_only=True)
class Role:
    """A delivery role as AWS evaluates it: its attached policies and its permissions boundary."""

    name: str
    documents: tuple[Document, ...]
    boundary: Document

    def allows(self, request: Request) -> bool:
        """Whether a request passes: allowed by a policy and by the boundary, and denied by none."""
        decisions = {evaluate(one, request) for one in self.documents}
        bounded = evaluate(self.boundary, request)
        return Decision.DENY not in decisions and Decision.ALLOW in decisions and bounded is Decision.ALLOW

    def allowed_by(self, request: Request) -> set[str]:
        """The names of the statements that allow a request."""
        return {
            statement["Sid"]
            for document in self.documents
            for statement in document["Statement"]
            if evaluate({"Statement": [statement]}, request) is Decision.ALLOW
        }

    def where_unknown(self) -> Role:
        """The role for a request with an unknown resource, which is allowed if the role allows it on any resource."""
        return Role(
            name=self.name,
            documents=tuple(_of_any_resource(one) for one in self.documents),
            boundary=_of_any_resource(self.boundary),
        )


def _of_any_resource(document: Document) -> Document:
    kept = (one for one in document["Statement"] if one["Effect"] == "Allow" or one.get("Resource") == ["*"])
    return document | {"Statement": [one | {"Resource": ["*"]} for one in kept]}


def roles(configuration: Document, *, account_id: str) -> dict[str, Role]:
    """The roles of delivery in a synthesized configuration: plan, deploy and drift.

    Raises:
        LookupError: the configuration has none.
    """
    by_owner: dict[str, Policy] = {one.owner: one for one in policies(configuration, account_id=account_id)}
    resources = configuration["resource"]
    found: dict[str, Role] = {}
    for id_, role in resources["aws_iam_role"].items():
        if f"_{DELIVERY}_" not in id_:
            continue
        attached = [
            _address(one["policy_arn"])
            for one in resources["aws_iam_role_policy_attachment"].values()
            if _address(one["role"]) == f"aws_iam_role.{id_}"
        ]
        purpose = id_.partition(f"_{DELIVERY}_")[2].partition("-role")[0]
        found[purpose] = Role(
            name=role["name"],
            documents=tuple(by_owner[one].document for one in attached),
            boundary=by_owner[_address(role["permissions_boundary"])].document,
        )
    if found.keys() != {"plan", "deploy", "drift"}:
        raise LookupError(f"the configuration has {sorted(found)} of the roles plan, deploy and drift")
    return found


def _address(reference: str) -> str:
    return ".".join(reference.strip("${}").split(".")[:2])


@dataclass(frozen=True, kw_only=True)
class Held:
    """Result of the comparison of roles and record, as lines.

    ``refused`` are recorded calls that are not allowed, ``idle`` allowed actions without a call, ``administrators``
    calls that changed delivery itself, the account's audit, or who reads backups, which the deploy role must be denied,
    and ``escapes`` those of them that it is allowed.
    """

    refused: tuple[str, ...]
    idle: tuple[str, ...]
    administrators: tuple[str, ...]
    escapes: tuple[str, ...]


class Record:
    """The calls of rehearsals, by the role that makes them on AWS."""

    def __init__(self, calls: Iterable[Call], roles: dict[str, Role], settings: Settings) -> None:
        self._calls = list(calls)
        self._roles = roles
        self._settings = settings
        self._names = settings.names

    def held(self) -> Held:
        """Hold the roles against the record."""
        refused: set[str] = set()
        administrators: set[str] = set()
        escapes: set[str] = set()
        used: dict[str, set[tuple[str, str]]] = {purpose: set() for purpose in self._roles}
        for purpose, request in self._requests():
            role = self._roles[purpose]
            if request.resource == ANYTHING:
                role = role.where_unknown()
            line = f"{purpose}: {request.action} on {request.resource} in {request.context['aws:RequestedRegion']}"
            if purpose == "deploy" and self._is_administrators(request):
                administrators.add(line)
                if role.allows(request):
                    escapes.add(line)
            elif role.allows(request):
                used[purpose] |= {(sid, request.action.lower()) for sid in role.allowed_by(request)}
            else:
                refused.add(line)
        idle = [
            f"{purpose}: {grant.sid}: {action}"
            for purpose, grants in (("plan", PLAN), ("deploy", tuple(one for all_ in DEPLOY.values() for one in all_)))
            for grant in grants
            for action in sorted(grant.rehearsed_actions)
            if (grant.sid, action.lower()) not in used[purpose]
        ]
        return Held(
            refused=tuple(sorted(refused)),
            idle=tuple(idle),
            administrators=tuple(sorted(administrators)),
            escapes=tuple(sorted(escapes)),
        )

    def _requests(self) -> Iterator[tuple[str, Request]]:
        """Each different request that a role of delivery makes on AWS, with the role's purpose."""
        seen: set[tuple[str, str, str, str]] = set()
        for call in self._calls:
            purpose = self._purpose(call)
            if purpose is None:
                continue
            for action in actions_of(call):
                for resource in resources_of(call, self._settings.account_id) or [ANYTHING]:
                    key = (purpose, action, resource, call.region)
                    if key not in seen:
                        seen.add(key)
                        yield purpose, self._request(action, resource, context_of(call, self._settings.account_id))

    def _purpose(self, call: Call) -> str | None:
        """The role that makes a call on AWS: the one whose session it was, or else deploy's if it is Terraform's.

        Terraform's first deployment is an administrator's, in a rehearsal as on AWS; those after it are the role's.
        """
        for purpose, role in self._roles.items():
            if f":assumed-role/{role.name}/" in call.assumed_role:
                return purpose
        return "deploy" if "Terraform/" in call.user_agent and not call.assumed_role else None

    def _request(self, action: str, resource: str, recorded: dict[str, str]) -> Request:
        names = self._names
        reach = Reach(names=names, state_bucket=self._settings.state.bucket, regions=())
        context = {
            **recorded,
            "iam:PermissionsBoundary": reach.fill("{role_boundary}"),
            **{
                f"aws:{kind}/{key}": value
                for kind in ("RequestTag", "ResourceTag")
                for key, value in (("platform", names.prefix), ("environment_suffix", names.suffix))
            },
        }
        return Request(action=action, resource=resource, principal="nobody", context=context)

    def _is_administrators(self, request: Request) -> bool:
        """Whether a request changes delivery itself, or the account's audit."""
        service, _, verb = request.action.partition(":")
        if verb.startswith(READING):
            return False
        if service == "iam":
            return self._is_of_administrators_roles(verb, request.resource)
        if service == "s3":
            audit, backups = (f"arn:aws:s3:::{self._names.of(one)}-" for one in (AUDIT, BACKUPS))
            opens = verb == "PutBucketPolicy" and request.resource.startswith(backups)
            return opens or verb == "PutAccountPublicAccessBlock" or request.resource.startswith(audit)
        return service in WATCHERS

    def _is_of_administrators_roles(self, verb: str, resource: str) -> bool:
        """Whether a change of IAM is of delivery, of what watches the account, or makes a role that reads objects."""
        if resource == ANYTHING:
            return verb in {"CreatePolicy", "CreateOpenIDConnectProvider"}
        if verb in {"CreateRole", "UpdateAssumeRolePolicy"}:
            names = self._names
            keepers = (one.format(prefix=names.prefix, suffix=names.suffix) for one in KEEPERS)
            if any(fnmatchcase(resource.rpartition("/")[2], one) for one in keepers):
                return True
        kinds = [f"{kind}/{self._names.prefix}-{of}-" for kind in ("role", "policy") for of in ADMINISTRATORS]
        return any(one in resource for one in (*kinds, ":oidc-provider/"))


def held(directory: Path, configuration: Document, settings: Settings) -> Held:
    """Hold the roles of a configuration against the record of the local AWS in ``directory``."""
    found = roles(configuration, account_id=settings.account_id)
    return Record(read_calls(directory), found, settings).held()


def main(directory: Path) -> int:
    """Print missing and unused permissions; 0 if none is missing, 1 if one is, 2 without a record."""
    file = directory / "cdktf.out" / "stacks" / "payment-platform" / "cdk.tf.json"
    if not file.exists():
        print(f"{directory}: has no deployment; run make deploy-local first", file=sys.stderr)
        return 2
    found = held(directory, json.loads(file.read_text(encoding="utf-8")), load("local"))
    for title, lines in (
        ("made, and not allowed", found.refused),
        ("an administrator's, and allowed", found.escapes),
        ("allowed, and not made yet", found.idle),
    ):
        print(f"{title}: {len(lines)}", *(f"  {line}" for line in lines), sep="\n")
    return 1 if found.refused or found.escapes else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".local-aws")))
