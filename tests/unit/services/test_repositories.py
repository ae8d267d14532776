"""Image repositories (W1.1)."""

from __future__ import annotations

import pytest

from settings import Settings
from tests.synthesized import Synthesized, path_of, region_of
from tests.unit.services.support import REGIONS


@pytest.mark.requirement("W1.1")
@pytest.mark.parametrize("region", REGIONS)
def test_every_service_has_a_repository_with_immutable_tags_and_scanning(
    platform: Synthesized, local_settings: Settings, region: str
) -> None:
    repositories = [r for r in platform.resources("aws_ecr_repository").values() if region_of(r) == region]
    assert sorted(r["name"] for r in repositories) == sorted(
        f"payments/local/{name}" for name in local_settings.services
    )
    for repository in repositories:
        assert repository["image_tag_mutability"] == "IMMUTABLE"
        assert repository["image_scanning_configuration"] == {"scan_on_push": True}
        (encryption,) = repository["encryption_configuration"]
        assert path_of(platform.by_id(encryption["kms_key"])).endswith(f"{region}/keys/objects")
    assert len([p for p in platform.resources("aws_ecr_lifecycle_policy").values() if region_of(p) == region]) == len(
        repositories
    )


@pytest.mark.requirement("W1.1")
def test_images_of_the_platform_are_replicated_to_the_recovery_region(platform: Synthesized) -> None:
    (replication,) = platform.resources("aws_ecr_replication_configuration").values()
    (rule,) = replication["replication_configuration"]["rule"]
    assert rule["destination"] == [{"region": "us-west-2", "registry_id": "123456789012"}]
    assert rule["repository_filter"] == [{"filter": "payments/", "filter_type": "PREFIX_MATCH"}]
