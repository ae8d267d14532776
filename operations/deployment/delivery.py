"""`make delivery`: the roles by which GitHub plans and deploys an environment (W8.1).

The ARNs are derived from settings only, so that a workflow needs no variable for each environment.
"""

from __future__ import annotations

from collections.abc import Iterator

from settings import Settings
from settings.delivery import github_environment, role_name, subjects

# Of the session's minutes: what Terraform may take to end what it has begun, when it is asked to, and what is left to
# keep a state that it could not write.
MINUTES_TO_STOP = 15
MINUTES_AFTER = 5


def lines(settings: Settings) -> Iterator[str]:
    """Values for a workflow, as lines of name=value: roles, the region, and the subjects that the roles trust.

    None without a repository: no workflow can assume a role.
    """
    if settings.delivery.repository is None:
        return
    for purpose, trusted in subjects(settings.delivery, settings.names).items():
        yield f"{purpose}_role=arn:aws:iam::{settings.account_id}:role/{role_name(settings.names, purpose)}"
        yield f"{purpose}_subjects={' '.join(trusted)}"
    yield f"github_environment={github_environment(settings.delivery, settings.names)}"
    minutes = settings.delivery.session_minutes
    yield f"protected={str(settings.protected).lower()}"
    yield f"session_seconds={minutes * 60}"
    yield f"deploy_minutes={minutes - MINUTES_TO_STOP - MINUTES_AFTER}"
    yield f"job_minutes={minutes - MINUTES_AFTER}"
    yield f"region={settings.primary.name}"
