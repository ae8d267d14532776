"""Every statement of every policy that this local AWS holds, by the names under which the gate decides with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from emulator.authorization.keys import is_own
from emulator.authorization.policies import endpoint_documents, resource_policy, role_documents, trust_policy
from iam.authorization import ENDPOINT, RESOURCE, Document, name_of
from iam.evaluation import statements_of

SERVICE_ROLES = "/aws-service-role/"


def all_statements() -> Iterator[dict[str, str]]:
    """Each statement: its kind, document, name and effect, and the owner, a name that no deployment changes."""
    for kind, owner, document in _documents():
        for place, statement in enumerate(statements_of(document.document)):
            yield {
                "kind": kind,
                "document": document.name,
                "statement": name_of(statement.get("Sid", ""), place),
                "effect": statement["Effect"],
                "owner": owner,
            }


def _documents() -> Iterator[tuple[str, str, Document]]:
    """The kind of each document, a name of its owner, and itself."""
    yield from _of_roles()
    for owner, arn in _resources():
        if document := resource_policy(arn):
            yield RESOURCE, f"policy of {owner}", document
    for backend in list(ec2_backends[DEFAULT_ACCOUNT_ID].values()):
        yield from ((ENDPOINT, f"endpoint {name}", document) for name, document in endpoint_documents(backend))


def _of_roles() -> Iterator[tuple[str, str, Document]]:
    shared: set[tuple[str, str]] = set()  # a policy of several roles is one
    for role in list(iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values()):
        if role.path.startswith(SERVICE_ROLES):
            continue
        if trust := trust_policy(role.arn):
            yield RESOURCE, f"trust policy of {role.name}", trust
        for kind, document in role_documents(role):
            if (kind, document.name) not in shared:
                yield kind, document.name, document
            shared.add((kind, document.name))


def _resources() -> Iterator[tuple[str, str]]:
    """What may have a policy: a name that no deployment changes, and the ARN."""
    account = DEFAULT_ACCOUNT_ID
    for name in list(s3_backends[account]["aws"].buckets):
        yield f"bucket {name}", f"arn:aws:s3:::{name}"
    for region, queues in _each(sqs_backends[account]):
        yield from ((f"queue {name} in {region}", str(one.queue_arn)) for name, one in queues.queues.items())
    for region, topics in _each(sns_backends[account]):
        yield from ((f"topic {arn.rpartition(':')[2]} in {region}", arn) for arn in topics.topics)
    for region, secrets in _each(secretsmanager_backends[account]):
        yield from ((f"secret {_name_of(one)} in {region}", str(one.arn)) for one in secrets.secrets.values())
    for region, keys in _each(kms_backends[account]):
        for one in keys.keys.values():
            if is_own(one.arn):
                yield f"key {_alias_of(one)} in {region}", str(one.arn)


def _each(backends: Any) -> Iterator[tuple[str, Any]]:
    yield from ((region, backend) for region, backend in list(backends.items()) if "-" in region)


def _name_of(secret: Any) -> str:
    """A secret's name: its ARN without what Secrets Manager adds, as a replica has no other name."""
    return str(secret.arn).split(":", 6)[6].rpartition("-")[0]


def _alias_of(key: Any) -> str:
    return str(min(key.aliases, default=key.description))
