"""Secret with the API key that the acquirer issued: written by an operator, read by the functions.

It is created without a value: an operator puts the key that the acquirer issues. A function that finds none, or one
that the acquirer rejects, sends no request and reads the secret again half a minute later.
"""

from __future__ import annotations

from modules.payments.replicated_secret import ReplicatedSecret


class AcquirerSecret(ReplicatedSecret):
    """Secret in the primary region, with its replica."""

    requirements = ("P3.2", "W0.5", "W4.4")
    NAME = "acquirer"
    DESCRIPTION = "The key by which the acquirer knows the platform, as api_key"
    CONTENT = "TheAcquirersKey"
