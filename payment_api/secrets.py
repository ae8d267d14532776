"""Existing secrets of Secrets Manager (P4.5): referenced, never created."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk.aws_kms import Key
from aws_cdk.aws_secretsmanager import ISecret, Secret
from constructs import Construct

from payment_api.settings.data import SecretSettings


class ImportedSecrets(Construct):
    """The database's master user, the first client's API key, those between us and the acquirer, and the peppers."""

    requirements = ("P4.5",)

    def __init__(self, scope: Construct, id_: str, *, settings: SecretSettings) -> None:
        super().__init__(scope, id_)
        self.key = Key.from_key_arn(self, "key", settings.key_arn)
        self.database = self._named("database", settings.database)
        self.api_key = self._named("api-key", settings.api_key)
        self.acquirer = self._named("acquirer", settings.acquirer)
        self.notifications = self._named("notifications", settings.notifications)
        self.peppers = self._named("peppers", settings.peppers)

    def _named(self, id_: str, name: str) -> ISecret:
        stack = Stack.of(self)
        arn = f"arn:aws:secretsmanager:{stack.region}:{stack.account}:secret:{name}"
        return Secret.from_secret_attributes(self, id_, secret_partial_arn=arn, encryption_key=self.key)
