"""Singletons of an account, whatever the number of environments in it; its audit is in settings/audit.py."""

from __future__ import annotations

from settings.base import SettingsModel


class AccountSettings(SettingsModel):
    """Singletons of the account, which only the environment that `account_owner` names creates.

    Each is on by default; switch it off where an organization or a person has created it already.
    """

    registry_replication: bool = True
    """The registry's one replication configuration: images of all the platform's repositories, to the other region."""
    identity_provider: bool = True
    """GitHub's OpenID Connect provider, where `[delivery]` names a repository."""
