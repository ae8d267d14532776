"""Stored data of the API: secrets, keys and documents (P4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from settings.base import SettingsModel, matching

KeyArn = Annotated[
    str, matching(r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/[0-9a-f-]{36}", "the ARN of a key of KMS is allowed")
]
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
# A name that ends with a hyphen and six characters is taken for a complete ARN's ending, and not found.
SecretName = Annotated[
    str,
    matching(
        r"(?!.*-[A-Za-z0-9]{6}$)[A-Za-z0-9/_+=.@-]{1,512}",
        "the name of a secret is allowed: letters, digits and any of /_+=.@-, without a hyphen and six characters at "
        "its end, which Secrets Manager would take for the end of an ARN",
    ),
]


class SecretSettings(SettingsModel):
    """Entries of Secrets Manager that exist; the stack rotates them and never makes one (P4.5).

    Left out, they are named after the environment: `PREFIX/SUFFIX/database` and so on. No two environments may share
    one.
    """

    database: SecretName
    """The master user of the database: JSON with `username` and `password`."""
    api_key: SecretName
    """The clients' API key: JSON with `api_key`, of 20 to 128 characters."""
    acquirer: SecretName
    """Our API key at the acquirer: JSON with `api_key`."""
    notifications: SecretName
    """What the acquirer signs its notifications with: JSON with `notification_keys`, a list of texts of 32 characters
    or more. Two of them are accepted while one replaces the other."""
    peppers: SecretName
    """What merchants' API keys are hashed under: JSON with `current`, a name, and `peppers`, texts of 32 characters or
    more by name."""
    key_arn: KeyArn
    """The customer-managed key under which these entries are encrypted, in the API's region."""
    rotation_days: Annotated[int, Field(ge=1, le=30)] = 30
    """Days between two rotations."""
    api_key_overlap_days: Annotated[int, Field(ge=30, le=365)] = 90
    """Days that a replaced API key which is still used works beside its successor. One that nobody uses goes after two
    rotations."""


class EncryptionSettings(SettingsModel):
    """Customer-managed keys. Sources: RotationPeriodInDays and PendingWindowInDays of the KMS API reference."""

    rotation_period_days: Annotated[int, Field(ge=90, le=365)] = 365
    """Days after which KMS creates new key material; existing ciphertexts stay readable."""
    deletion_window_days: Annotated[int, Field(ge=7, le=30)] = 7
    """Days between the destruction of a key and its deletion, in which it can still be saved."""


class DocumentSettings(SettingsModel):
    """The bucket of documents (P4.3)."""

    infrequent_access_days: Annotated[int, Field(ge=30, le=3650)] = 90
    """Days after which documents move to STANDARD_IA, which S3 does no earlier than after 30."""
    archive_days: Annotated[int, Field(ge=60, le=3650)] = 365
    """Days after which they move to GLACIER_IR: at least 30 after infrequent_access_days."""
    expiration_days: Annotated[int, Field(ge=365, le=3650)] = 2557
    """Days that documents are kept."""
    noncurrent_version_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that an overwritten or deleted document can still be brought back."""

    @model_validator(mode="after")
    def _in_order(self) -> DocumentSettings:
        if not self.infrequent_access_days + 30 <= self.archive_days <= self.expiration_days - 90:
            raise ValueError(
                f"archive_days: {self.archive_days} is not allowed; at least 30 days after infrequent_access_days "
                f"({self.infrequent_access_days}) and 90 before expiration_days ({self.expiration_days}) is: the "
                "storage classes charge for that long"
            )
        return self
