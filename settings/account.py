"""What an account has once, whatever the number of environments in it, beside what watches it (settings/audit.py)."""

from __future__ import annotations

from settings.base import SettingsModel


class AccountSettings(SettingsModel):
    """What an account has once, made by the environment that `account_owner` names and by no other.

    Each is on until an account says that it has it already, by an organization or by hand.
    """

    registry_replication: bool = True
    """The registry's one replication configuration: images of all the platform's repositories, to the other region."""
    identity_provider: bool = True
    """GitHub's OpenID Connect provider, where `[delivery]` names a repository."""
