"""What must exist before an environment's first deployment: each thing that is missing is a line (W0.4, W8.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations import prerequisites as mechanism
from operations.deployment import prerequisites
from operations.deployment.deploy import Deployment
from operations.outcome import Refused, console
from operations.state.bootstrap import bootstrap
from settings import Settings, load

pytestmark = [pytest.mark.requirement("W0.4", "W8.1")]
REGIONS = ("us-east-2", "us-west-2")
AUDIT = ("guardduty", "aws_config", "security_hub", "access_analyzer")


@dataclass(frozen=True)
class NotInMoto:
    """What moto does not have: quotas and limits, analyzers, and CloudFront's policies."""

    limit: int = 2000
    analyzers: int = 0
    cache_policies: int = 0

    def get_service_quota(self, **_asked: str) -> dict[str, Any]:
        return {"Quota": {"Value": self.limit}}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self.limit}}

    def list_analyzers(self, **_asked: str) -> dict[str, Any]:
        return {"analyzers": [{"name": "account"}] * self.analyzers}

    def list_cache_policies(self, **_asked: str) -> dict[str, Any]:
        return {"CachePolicyList": {"Quantity": self.cache_policies}}

    def list_response_headers_policies(self, **_asked: str) -> dict[str, Any]:
        return {"ResponseHeadersPolicyList": {"Quantity": 18}}


def client(service: str, region: str = "us-east-2") -> Any:
    make: Any = boto3.client
    return make(service, region_name=region)


def connected(others: NotInMoto) -> Callable[[str, str], Any]:
    own = {"service-quotas", "lambda", "accessanalyzer", "cloudfront"}
    return lambda service, region: others if service in own else client(service, region)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.fixture
def owner(aws: None) -> Settings:
    """Settings of an environment with all that an account has once, and with a zone that must exist."""
    local = load("local")
    return local.model_copy(update={"domain": local.domain.model_copy(update={"create_zone": False})})


def account(settings: Settings, **others: int) -> prerequisites.Account:
    connect = connected(NotInMoto(**others))
    return prerequisites.Account(settings=settings, region=REGIONS[0], connect=connect, exists=False)


def lines(asked: prerequisites.Account) -> list[str]:
    return mechanism.problems(prerequisites.NEEDS, asked)


def make_what_must_be(settings: Settings) -> None:
    bootstrap(settings, boto3.client)
    client("route53").create_hosted_zone(Name=settings.domain.name, CallerReference="first")
    # moto gives a service-linked role a name of its own.
    client("iam").create_role(RoleName=prerequisites.ECS_ROLE, AssumeRolePolicyDocument="{}")


def make_what_another_has_made() -> None:
    client("iam").create_open_id_connect_provider(Url=f"https://{prerequisites.TOKENS}", ThumbprintList=["0" * 40])
    for region in REGIONS:
        client("guardduty", region).create_detector(Enable=True)
        client("config", region).put_configuration_recorder(
            ConfigurationRecorder={"name": "default", "roleARN": "arn:aws:iam::123456789012:role/config"}
        )
        client("securityhub", region).enable_security_hub()


def test_new_account_lacks_the_prerequisites_a_line_each_with_a_command_or_setting(owner: Settings) -> None:
    found = lines(account(owner, limit=1))
    begins = ["state.bucket", "domain.name", "service-linked role"]
    begins += [f"quota {code}: {n} {what}" for _ in REGIONS for code, n, what in QUOTAS]
    begins += ["quota lambda", "quota lambda"]
    assert [line[: len(begin)] for line, begin in zip(found, begins, strict=True)] == begins
    assert all("aws " in line or "make " in line for line in found)
    assert not [line for line in found if "\n" in line]


QUOTAS = (("ec2/L-0263D0A3", 3, "elastic addresses"), ("vpc/L-F678F1CE", 1, "VPCs"))


def test_state_bucket_without_its_replica_is_named(owner: Settings) -> None:
    make_what_must_be(owner)
    client("s3").delete_bucket_replication(Bucket=owner.state.bucket)
    assert lines(account(owner)) == [
        f"state.bucket: {owner.state.bucket} has no replica in {owner.recovery.name}; make bootstrap"
    ]


def test_existing_prerequisites_are_silent(owner: Settings) -> None:
    make_what_must_be(owner)
    assert lines(account(owner)) == []


def test_private_zone_and_another_domains_zone_do_not_count(owner: Settings) -> None:
    make_what_must_be(owner)
    client("route53").delete_hosted_zone(Id=client("route53").list_hosted_zones()["HostedZones"][0]["Id"])
    client("route53").create_hosted_zone(Name=f"z{owner.domain.name}", CallerReference="1")
    vpc = client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    private = {"VPCRegion": REGIONS[0], "VPCId": vpc}
    client("route53").create_hosted_zone(
        Name=owner.domain.name, CallerReference="2", VPC=private, HostedZoneConfig={"PrivateZone": True}
    )
    (line,) = lines(account(owner))
    assert line.startswith("domain.name: there is no public hosted zone")


def test_what_an_account_has_once_is_made_by_nobody_twice(owner: Settings) -> None:
    make_what_must_be(owner)
    make_what_another_has_made()
    found = lines(account(owner, analyzers=1))
    expected = ["account.identity_provider", *(f"audit.{field}" for _ in REGIONS for field in AUDIT)]
    assert [line.partition(":")[0] for line in found] == expected
    left_to_it = owner.model_copy(
        update={
            "audit": owner.audit.model_copy(update=dict.fromkeys(AUDIT, False)),
            "account": owner.account.model_copy(update={"identity_provider": False}),
        }
    )
    assert lines(account(left_to_it, analyzers=1)) == []
    assert lines(replace(account(owner, analyzers=1), exists=True)) == []


def test_environment_beside_the_owner_needs_the_owners_identity_provider(owner: Settings) -> None:
    make_what_must_be(owner)
    (line,) = lines(account(owner.model_copy(update={"account_owner": "other"})))
    assert line.startswith("delivery.repository: the account has no provider of GitHub's tokens")


def test_eleventh_environment_of_an_account_has_no_policies_of_cloudfront_left(owner: Settings) -> None:
    make_what_must_be(owner)
    (line,) = lines(account(owner, cache_policies=19))
    assert line.startswith("quota cloudfront: 2 cache policies are needed, and 1 of 20 are left")


def test_first_deployment_is_refused_before_anything_is_planned(
    owner: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prerequisites, "connect", connected(NotInMoto()))
    monkeypatch.setattr(Deployment, "planned", lambda _self: pytest.fail("it was planned"))
    deployment = Deployment("local", owner, console())
    with pytest.raises(Refused, match=r"state\.bucket: there is no bucket .*; make bootstrap"):
        deployment.deploy(approve=True)
    with pytest.raises(Refused, match=r"domain\.name: there is no public hosted zone"):
        deployment.preflight()
    make_what_must_be(owner)
    deployment.preflight()
