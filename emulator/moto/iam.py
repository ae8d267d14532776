"""IAM: a policy in use is not deleted; the name of the role that ECS is linked to, which moto writes in lower case."""

from __future__ import annotations

from typing import Any

from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import SERVICE_NAME_CONVERSION, IAMBackend

from emulator.moto.extend import Method, override

if "ecs" in SERVICE_NAME_CONVERSION:
    raise AttributeError("moto already names the role that ECS is linked to")
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
SERVICE_NAME_CONVERSION["ecs"] = "ECS"


@override(IAMBackend)
def delete_policy(original: Method, self: Any, policy_arn: str) -> None:
    """Only one that is attached nowhere, is no permissions boundary, and has no version but the default one.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html, and ListEntitiesForPolicy, which counts a
    boundary among the attachments.
    """
    policy = self.get_policy(policy_arn)
    bounded = (one.permissions_boundary_arn for one in self.roles.values())
    if policy.attachment_count or policy_arn in set(bounded):
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    original(self, policy_arn)
