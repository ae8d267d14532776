"""Form of a grant in the policies of the plan and deploy roles (W8.1).

A `Grant` names one service, its resources, the actions that rehearsals exercise, and those that no rehearsal exercises
but that are needed, keyed by the justification. policy/delivery.py holds the record of the rehearsals against the
grants: each call that a rehearsal made is allowed, and no action is allowed that none made and that has no
justification. Each policy is a module of this package; to let a deployment use another service is to add a grant.

Resources are the environment's own names where AWS knows names; where it knows generated ids only, conditions on the
environment's tags confine the grant; where neither applies, it is for all resources of a kind in the account.
Actions, resources and condition keys by service:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from modules.policy_documents import Condition, Statement, when
from settings.naming import AUDIT, BACKUPS, CONFIGURATION, DELIVERY, ROLE_BOUNDARY, Names

IDENTITY_PROVIDER = "token.actions.githubusercontent.com"

# Justifications of actions that no rehearsal exercises.
UPDATE_IN_PLACE = "settings update a resource in place: rehearsals plan such updates and apply none"
TAGS = "the tags of an existing resource change: rehearsals plan that and apply none"
IMPLIED_BY_ANOTHER_CALL = "AWS authorizes it in addition to the action of the recorded call"
OTHER_SETTINGS = "needed under settings that the rehearsal does not have"
AUDIT_READ = "read where settings enable the account's audit, which only an administrator changes"
AUDIT_MADE = "needed where settings enable the account's audit"
BUDGET = "needed where settings have a budget"
FAILOVER = "a failover between regions, or the way back"
RELEASE = "a release that is stopped or resumed"
EMPTIED = "what gathers while the environment lives is deleted before it is destroyed; a rehearsal gathers none"
WITH_TAGS = "the creating call tags the resource, for which AWS authorizes this action too"

Conditions = tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Scope of the permissions: the environment's names, the bucket of its Terraform state, and its regions."""

    names: Names
    state_bucket: str
    regions: tuple[str, ...]

    @property
    def state_key(self) -> str:
        """Key of this environment's state within the bucket."""
        return f"{self.names.prefix}/{self.names.suffix}/terraform.tfstate"

    def fill(self, pattern: str) -> str:
        """An ARN pattern of a grant with this environment's names in place of its placeholders."""
        names = self.names
        return pattern.format(
            account=names.account_id,
            prefix=names.prefix,
            suffix=names.suffix,
            own=names.of("*"),
            path=f"{names.prefix}/{names.suffix}/",
            state=f"arn:aws:s3:::{self.state_bucket}",
            state_key=self.state_key,
            role_boundary=f"arn:aws:iam::{names.account_id}:policy/{names.of(ROLE_BOUNDARY)}",
            identity_provider=f"arn:aws:iam::{names.account_id}:oidc-provider/{IDENTITY_PROVIDER}",
            delivery=f"{names.prefix}-{DELIVERY}-*",
            audit=f"{names.prefix}-{AUDIT}-*",
            audit_bucket=f"arn:aws:s3:::{names.of(AUDIT)}-{names.account_id}-*",
            backups=f"arn:aws:s3:::{names.of(BACKUPS)}-{names.account_id}-*",
            configuration=f"{names.prefix}-{CONFIGURATION}-*",
        )


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Actions of one AWS service and the resources on which they are allowed; actions are given without the service."""

    sid: str
    service: str
    on: tuple[str, ...] = ("*",)
    rehearsed: str = ""
    """Actions that the local deployment exercises, separated by spaces."""
    unrehearsed: Mapping[str, str] = field(default_factory=dict)
    """Actions that it does not exercise and that are needed, by justification."""
    conditions: Conditions = ()

    @property
    def actions(self) -> list[str]:
        """All actions, with the service's prefix."""
        return sorted(
            f"{self.service}:{one}" for text in (self.rehearsed, *self.unrehearsed.values()) for one in text.split()
        )

    @property
    def rehearsed_actions(self) -> set[str]:
        """Actions that the record of the rehearsals must contain, with the service's prefix."""
        return {f"{self.service}:{one}" for one in self.rehearsed.split()}

    def statement(self, reach: Reach) -> Statement:
        """The IAM statement of this grant."""
        return Statement(
            sid=self.sid,
            actions=self.actions,
            resources=[reach.fill(one) for one in self.on],
            condition=conditions(self.conditions, reach) or None,
        )


def conditions(those: Conditions, reach: Reach) -> list[Condition]:
    """The conditions of a statement, with this environment's names."""
    return [when(test, variable, *(reach.fill(value) for value in values)) for test, variable, values in those]


# Existing resources carry the environment's tags (stacks/payment_platform.py sets them on everything taggable).
OWN: Conditions = (
    ("StringEquals", "aws:ResourceTag/platform", ("{prefix}",)),
    ("StringEquals", "aws:ResourceTag/environment_suffix", ("{suffix}",)),
)
# What bears no tags of an environment, or whose tags AWS does not know yet, is not another environment's. For what
# follows a creation at once, and for what AWS makes by itself, without tags. KMS takes minutes to know tags:
# https://docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html
NOT_ANOTHERS: Conditions = tuple((f"{test}IfExists", key, values) for test, key, values in OWN)
# New resources are created with them.
NEW: Conditions = (
    ("StringEquals", "aws:RequestTag/platform", ("{prefix}",)),
    ("StringEquals", "aws:RequestTag/environment_suffix", ("{suffix}",)),
)
BOUNDED: Conditions = (("StringEquals", "iam:PermissionsBoundary", ("{role_boundary}",)),)
# The bucket key's context is the bucket, an object's own key the object.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
OF_STATE: Conditions = (
    ("StringLike", "kms:ViaService", ("s3.*.amazonaws.com",)),
    ("StringLike", "kms:EncryptionContext:aws:s3:arn", ("{state}", "{state}/{state_key}*")),
)


def statements(grants: Iterable[Grant], reach: Reach) -> list[Statement]:
    """The statements of a policy with these grants."""
    return [grant.statement(reach) for grant in grants]
