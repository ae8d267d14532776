"""ECR repositories of a region (W1.1).

Creates a repository for each service: scan on push, immutable tags, a lifecycle policy, and encryption with the objects
key. Images pushed in the primary region are replicated to the recovery region, into the repository of the same name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_replication_configuration import (
    EcrReplicationConfiguration,
    EcrReplicationConfigurationReplicationConfiguration,
    EcrReplicationConfigurationReplicationConfigurationRule,
    EcrReplicationConfigurationReplicationConfigurationRuleDestination,
    EcrReplicationConfigurationReplicationConfigurationRuleRepositoryFilter,
)
from cdktf_cdktf_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
)
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from constructs import Construct

from settings.naming import Names

IMAGES_KEPT = 100  # a release can return to any of the last hundred


class Repositories(Construct):
    """Repositories by service, as ``of``."""

    requirements = ("W1.1",)

    def __init__(
        self, scope: Construct, id_: str, *, names: Names, services: Iterable[str], key: KmsKey, protected: bool
    ) -> None:
        """Terraform does not delete ``protected`` repositories while they hold images."""
        super().__init__(scope, id_)
        self._names = names
        self.of = {service: self._repository(service, key, protected) for service in services}

    def replicate_to(self, region: str) -> EcrReplicationConfiguration:
        """Replicate pushed images to another region. An account has one such setting for all its repositories."""
        destination = EcrReplicationConfigurationReplicationConfigurationRuleDestination(
            region=region, registry_id=self._names.account_id
        )
        own = EcrReplicationConfigurationReplicationConfigurationRuleRepositoryFilter(
            filter=f"{self._names.prefix}/", filter_type="PREFIX_MATCH"
        )
        rule = EcrReplicationConfigurationReplicationConfigurationRule(
            destination=[destination], repository_filter=[own]
        )
        return EcrReplicationConfiguration(
            self,
            "replication",
            replication_configuration=EcrReplicationConfigurationReplicationConfiguration(rule=[rule]),
        )

    def _repository(self, service: str, key: KmsKey, protected: bool) -> EcrRepository:
        repository = EcrRepository(
            self,
            service,
            name=self._names.repository(service),
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            encryption_configuration=[
                EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=key.arn),
            ],
            force_delete=not protected,
        )
        EcrLifecyclePolicy(self, f"{service}-lifecycle", repository=repository.name, policy=json.dumps(KEEP_THE_LAST))
        return repository


# https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
KEEP_THE_LAST = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"Keep the last {IMAGES_KEPT} images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": IMAGES_KEPT},
            "action": {"type": "expire"},
        }
    ]
}
