"""Several environments in one account, and what outlives a stack."""

from __future__ import annotations

import json
import re

import pytest

from payment_api.settings import Settings, load
from tests.payment_api.conftest import Synthesize
from tests.payment_api.support import Template, tags

# Properties that name a resource within an account and region, or for the whole world.
NAMES = (
    *("AlarmName", "AliasName", "BucketName", "ClusterName", "DBClusterIdentifier", "DBInstanceIdentifier"),
    *("DashboardName", "Family", "FunctionName", "GroupName", "LogGroupName", "Name", "PolicyName", "QueueName"),
    *("RoleName", "ServiceName", "TopicName", "TrailName", "UsagePlanName"),
)
# Named by whoever owns the name: a record of DNS, a domain, and what lies within a resource that has its own name.
WITHIN = {
    "AWS::Route53::RecordSet",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::Model",
    "AWS::ApiGateway::RequestValidator",
    "AWS::RDS::DBClusterParameterGroup",  # its family is the engine's
    "AWS::EC2::VPCEndpoint",  # the name is a service's of AWS
}


# What AWS names, once for an account in a region; the account's owner makes it, and no other environment.
OF_THE_ACCOUNT = {"RDSOSMetrics"}
# What leaves nothing behind when CloudFormation does not delete it: a call of a function.
NOTHING_BY_ITSELF = {"Custom::PreparedDatabase"}


def names(template: Template) -> set[tuple[str, str, str]]:
    found = set()
    for one in template.resources.values():
        properties = one.get("Properties", {})
        for field in NAMES:
            if (
                isinstance(properties.get(field), str)
                and one["Type"] not in WITHIN
                and not one["Type"].startswith("AWS::IAM::Policy")
            ):
                found.add((one["Type"], field, properties[field]))
    return found


@pytest.fixture(scope="module")
def other(synthesize: Synthesize, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    path = tmp_path_factory.mktemp("settings") / "pr.toml"
    path.write_text('extends = "staging"\nenvironment_suffix = "pr-7"\n')
    return synthesize(load(str(path)))


@pytest.mark.requirement("P6.4")
def test_two_environments_of_one_account_share_no_name(
    templates: dict[str, Template], other: dict[str, Template]
) -> None:
    for region, template in templates.items():
        own = {one for one in names(template) if one[2] not in OF_THE_ACCOUNT}
        others = names(other[region])
        assert len(own) == len(others) >= 3
        assert not own & others


# What one resource alone may be told of: a second one takes it over, or is refused.
EXCLUSIVE = {
    "AWS::SecretsManager::SecretTargetAttachment": ("SecretId",),
    "AWS::SecretsManager::RotationSchedule": ("SecretId",),
    "Custom::ApiKeys": ("SecretId",),
    "AWS::ApiGateway::DomainName": ("DomainName",),
    "AWS::Route53::RecordSet": ("Name",),
    "AWS::RDS::DBCluster": ("MasterUsername", "MasterUserPassword"),
}


def exclusive(template: Template) -> set[tuple[str, str, str]]:
    return {
        (type_, field, json.dumps(one[field], sort_keys=True))
        for type_, fields in EXCLUSIVE.items()
        for one in template.of(type_).values()
        for field in fields
        if field in one
    }


@pytest.mark.requirement("P6.4", "P4.5")
def test_two_environments_of_one_account_share_nothing_that_one_alone_may_have(
    api: Template, other: dict[str, Template], settings: Settings
) -> None:
    own = exclusive(api)
    assert {type_ for type_, _, _ in own} >= set(EXCLUSIVE)
    assert not own & exclusive(other[settings.region])


@pytest.mark.requirement("P6.4")
def test_every_name_holds_the_suffix_and_every_taggable_resource_the_tag(
    templates: dict[str, Template], settings: Settings
) -> None:
    for template in templates.values():
        without = {one[2] for one in names(template) if settings.environment_suffix not in one[2]}
        assert without <= OF_THE_ACCOUNT
        for id_, one in template.resources.items():
            found = tags(one.get("Properties", {}))
            if found:
                assert found["environment_suffix"] == settings.environment_suffix, id_


@pytest.mark.requirement("P6.4")
def test_all_resources_are_deleted_with_the_stack_unless_protected(
    templates: dict[str, Template], synthesize: Synthesize
) -> None:
    for template in templates.values():
        kept = [
            id_
            for id_, one in template.resources.items()
            if one.get("DeletionPolicy", "Delete") != "Delete" and one["Type"] not in NOTHING_BY_ITSELF
        ]
        assert not kept
    assert templates["ap-southeast-1"].one("AWS::RDS::DBCluster")["DeletionProtection"] is False
    protected = synthesize(load("production"))
    stays = {
        one["Type"]
        for template in protected.values()
        for one in template.resources.values()
        if one.get("DeletionPolicy") in {"Retain", "Snapshot", "RetainExceptOnCreate"}
    }
    assert stays >= {"AWS::KMS::Key", "AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::RDS::DBCluster"}
    assert protected["ap-southeast-1"].one("AWS::RDS::DBCluster")["DeletionProtection"] is True


@pytest.mark.requirement("P4.5")
def test_no_secret_is_in_a_template(templates: dict[str, Template]) -> None:
    for template in templates.values():
        found = re.findall(r'"(?:MasterUserPassword|SecretString)": "(?!\{\{resolve)[^"]*"', template.text)
        assert not found
        assert not template.of("AWS::SecretsManager::Secret", none_is_right=True)


def test_synthesis_is_the_same_each_time(
    templates: dict[str, Template], synthesize: Synthesize, settings: Settings
) -> None:
    again = synthesize(settings)
    for region, template in templates.items():
        assert template.resources
        assert json.dumps(template.content, sort_keys=True) == json.dumps(again[region].content, sort_keys=True)
