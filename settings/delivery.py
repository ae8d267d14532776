"""Deployment from CI: the GitHub repository that may plan and deploy an environment (W8.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.base import SettingsModel, matching
from settings.naming import DELIVERY, Names

# GitHub adds the ids of owner and repository to the subject of a token, for repositories made or renamed since July
# 2026 and those that opted in.
# https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/
OWNER = r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}"
NAME = r"[A-Za-z0-9._-]{1,100}"
Repository = Annotated[
    str,
    matching(
        rf"{OWNER}/{NAME}|{OWNER}@[0-9]+/{NAME}@[0-9]+",
        "owner/name is allowed, or owner@id/name@id where the repository's tokens carry ids",
    ),
]
# https://git-scm.com/docs/git-check-ref-format, less what would be a pattern in a policy
Branch = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}",
        "the name of a branch of letters, digits and any of _./- is allowed, such as main",
    ),
]
# GitHub allows more; a colon would be written differently in the subject of a token.
GitHubEnvironment = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}",
        "the name of a GitHub environment of letters, digits and any of ._- is allowed, such as production",
    ),
]


class DeliverySettings(SettingsModel):
    """Deployment by GitHub Actions. Without a repository none of its resources are created.

    The workflows are in .github/workflows; docs/delivery.md describes the set-up on GitHub.
    """

    repository: Repository | None = None
    """Repository whose workflows may plan and deploy, with GitHub's upper and lower case: owner/name.

    With the ids (owner@123/name@456) where tokens carry them: in repositories made or renamed since July 2026.
    """
    branch: Branch = "main"
    """The branch whose workflows may plan, in addition to pull requests."""
    github_environment: GitHubEnvironment | None = None
    """The GitHub environment whose jobs may deploy: environment_suffix where none is given. Protect it there."""
    session_minutes: Annotated[int, Field(ge=60, le=720)] = 120
    """Minutes that a deployment may take before its credentials end; IAM allows 60 to 720."""


def role_name(names: Names, purpose: str) -> str:
    """The name of the role that plans or deploys."""
    return names.of(f"{DELIVERY}-{purpose}")


def github_environment(settings: DeliverySettings, names: Names) -> str:
    """The GitHub environment whose jobs may deploy."""
    return settings.github_environment or names.suffix


def subjects(settings: DeliverySettings, names: Names) -> dict[str, list[str]]:
    """The subjects of the tokens with which each role may be assumed, by the role's purpose.

    A job that names an environment has the environment in its subject, and neither branch nor pull request.
    https://docs.github.com/en/actions/reference/security/oidc

    Raises:
        ValueError: settings name no repository.
    """
    if settings.repository is None:
        raise ValueError("delivery needs the repository whose workflows it trusts")
    repository = f"repo:{settings.repository}"
    return {
        "plan": [f"{repository}:pull_request", f"{repository}:ref:refs/heads/{settings.branch}"],
        "drift": [f"{repository}:ref:refs/heads/{settings.branch}"],
        "deploy": [f"{repository}:environment:{github_environment(settings, names)}"],
    }
