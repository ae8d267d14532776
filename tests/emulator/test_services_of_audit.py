"""What watches an account, and budgets: what is sent is what is answered, and an account has each thing once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.process import Server
from tests.emulator.support import Client, client_for

pytestmark = pytest.mark.requirement("W8.2")

Make = Callable[..., Client]
ACCOUNT = "123456789012"


def error_of(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**parameters)
    return str(raised.value.response["Error"]["Code"])


@pytest.fixture
def make(own_aws: Server) -> Make:
    """Clients of a local AWS of the test's own: most of this an account has once."""
    return client_for(own_aws)


def test_an_analyzer_is_kept_with_its_tags_and_an_account_has_one_of_its_kind(make: Make) -> None:
    analyzers = make("accessanalyzer")
    made = {
        name: analyzers.create_analyzer(analyzerName=name, type=type_, tags={"of": name})["arn"]
        for name, type_ in (("one", "ACCOUNT"), ("two", "ACCOUNT_UNUSED_ACCESS"))
    }
    for name, type_ in (("one", "ACCOUNT"), ("two", "ACCOUNT_UNUSED_ACCESS")):
        found = analyzers.get_analyzer(analyzerName=name)["analyzer"]
        assert (found["type"], found["tags"], found["arn"]) == (type_, {"of": name}, made[name])
    create = analyzers.create_analyzer
    assert error_of(create, analyzerName="one", type="ACCOUNT") == "ConflictException"
    assert error_of(create, analyzerName="three", type="ACCOUNT") == "ServiceQuotaExceededException"
    analyzers.tag_resource(resourceArn=made["one"], tags={"more": "yes"})
    analyzers.untag_resource(resourceArn=made["one"], tagKeys=["of"])
    assert analyzers.list_tags_for_resource(resourceArn=made["one"])["tags"] == {"more": "yes"}
    assert [one["name"] for one in analyzers.list_analyzers(type="ACCOUNT")["analyzers"]] == ["one"]
    assert make("accessanalyzer", "us-west-2").list_analyzers()["analyzers"] == []
    analyzers.delete_analyzer(analyzerName="one")
    assert error_of(analyzers.get_analyzer, analyzerName="one") == "ResourceNotFoundException"
    assert error_of(analyzers.delete_analyzer, analyzerName="one") == "ResourceNotFoundException"


def test_security_hub_keeps_its_configuration_and_is_enabled_once(make: Make) -> None:
    hub = make("securityhub")
    assert error_of(hub.update_security_hub_configuration, AutoEnableControls=True) == "InvalidAccessException"
    assert error_of(hub.get_enabled_standards) == "InvalidAccessException"
    hub.enable_security_hub(ControlFindingGenerator="STANDARD_CONTROL")
    assert error_of(hub.enable_security_hub) == "ResourceConflictException"
    for told in (False, True):
        hub.update_security_hub_configuration(AutoEnableControls=told)
        found = hub.describe_hub()
        assert (found["AutoEnableControls"], found["ControlFindingGenerator"]) == (told, "STANDARD_CONTROL")


def test_standards_are_those_that_are_subscribed_to_and_go_with_the_hub(make: Make) -> None:
    hub = make("securityhub")
    hub.enable_security_hub(EnableDefaultStandards=False)
    arns = [f"arn:aws:securityhub:us-east-2::standards/{one}" for one in ("pci-dss/v/4.0.1", "cis/v/3.0.0")]
    made = hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": arn} for arn in arns])
    subscriptions = [one["StandardsSubscriptionArn"] for one in made["StandardsSubscriptions"]]
    asked = hub.get_enabled_standards(StandardsSubscriptionArns=subscriptions[:1])["StandardsSubscriptions"]
    assert [one["StandardsArn"] for one in asked] == arns[:1]
    elsewhere = [{"StandardsArn": arns[0].replace("us-east-2", "us-west-2")}]
    assert error_of(hub.batch_enable_standards, StandardsSubscriptionRequests=elsewhere) == "InvalidInputException"
    hub.batch_disable_standards(StandardsSubscriptionArns=subscriptions[:1])
    left = hub.get_enabled_standards()["StandardsSubscriptions"]
    assert [one["StandardsArn"] for one in left] == arns[1:]
    gone = {"StandardsSubscriptionArns": subscriptions[:1]}
    assert error_of(hub.batch_disable_standards, **gone) == "InvalidInputException"
    hub.disable_security_hub()
    hub.enable_security_hub(EnableDefaultStandards=False)
    assert hub.get_enabled_standards()["StandardsSubscriptions"] == []


def test_findings_are_gathered_from_the_regions_that_are_sent(make: Make) -> None:
    hub = make("securityhub")
    hub.enable_security_hub()
    arn = hub.create_finding_aggregator(RegionLinkingMode="SPECIFIED_REGIONS", Regions=["us-west-2"])[
        "FindingAggregatorArn"
    ]
    assert hub.get_finding_aggregator(FindingAggregatorArn=arn)["Regions"] == ["us-west-2"]
    assert error_of(hub.create_finding_aggregator, RegionLinkingMode="ALL_REGIONS") == "LimitExceededException"
    hub.update_finding_aggregator(FindingAggregatorArn=arn, RegionLinkingMode="ALL_REGIONS")
    found = hub.get_finding_aggregator(FindingAggregatorArn=arn)
    assert (found["RegionLinkingMode"], found.get("Regions")) == ("ALL_REGIONS", None)
    assert hub.list_finding_aggregators()["FindingAggregators"] == [{"FindingAggregatorArn": arn}]
    hub.delete_finding_aggregator(FindingAggregatorArn=arn)
    assert error_of(hub.get_finding_aggregator, FindingAggregatorArn=arn) == "ResourceNotFoundException"
    assert error_of(hub.delete_finding_aggregator, FindingAggregatorArn=arn) == "ResourceNotFoundException"


def test_a_region_has_one_detector_whose_features_are_set_one_by_one(make: Make) -> None:
    guardduty = make("guardduty")
    made = guardduty.create_detector(Enable=True, Features=[{"Name": "S3_DATA_EVENTS", "Status": "ENABLED"}])
    detector = made["DetectorId"]
    assert error_of(guardduty.create_detector, Enable=True) == "BadRequestException"
    for status in ("DISABLED", "ENABLED"):
        feature = {"Name": "RDS_LOGIN_EVENTS", "Status": status}
        guardduty.update_detector(DetectorId=detector, Features=[feature])
        found = {one["Name"]: one["Status"] for one in guardduty.get_detector(DetectorId=detector)["Features"]}
        assert found == {"S3_DATA_EVENTS": "ENABLED", "RDS_LOGIN_EVENTS": status}
    guardduty.update_detector(DetectorId=detector, FindingPublishingFrequency="ONE_HOUR")
    assert len(guardduty.get_detector(DetectorId=detector)["Features"]) == 2
    guardduty.delete_detector(DetectorId=detector)
    assert error_of(guardduty.delete_detector, DetectorId=detector) == "BadRequestException"


def test_a_detector_changes_its_tags(make: Make) -> None:
    guardduty = make("guardduty")
    detector = guardduty.create_detector(Enable=True, Tags={"first": "1"})["DetectorId"]
    arn = f"arn:aws:guardduty:us-east-2:{ACCOUNT}:detector/{detector}"
    guardduty.tag_resource(ResourceArn=arn, Tags={"second": "2"})
    guardduty.untag_resource(ResourceArn=arn, TagKeys=["first"])
    assert guardduty.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"second": "2"}
    unknown = arn.replace(detector, "0" * 32)
    assert error_of(guardduty.list_tags_for_resource, ResourceArn=unknown) == "BadRequestException"


def a_budget(**changes: Any) -> dict[str, Any]:
    limit = {"Amount": "100", "Unit": "USD"}
    return {"BudgetName": "b", "BudgetLimit": limit, "TimeUnit": "MONTHLY", "BudgetType": "COST", **changes}


def a_notification(threshold: float, kind: str = "ACTUAL") -> dict[str, Any]:
    return {"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": threshold}


def test_a_budget_changes_and_keeps_its_notifications_and_tags(make: Make) -> None:
    budgets = make("budgets", "us-east-1")
    told = {"Notification": a_notification(80), "Subscribers": [{"SubscriptionType": "EMAIL", "Address": "a@b.cd"}]}
    budgets.create_budget(
        AccountId=ACCOUNT,
        Budget=a_budget(),
        NotificationsWithSubscribers=[told],
        ResourceTags=[{"Key": "of", "Value": "one"}],
    )
    for amount in ("200", "300"):
        budgets.update_budget(AccountId=ACCOUNT, NewBudget=a_budget(BudgetLimit={"Amount": amount, "Unit": "USD"}))
        found = budgets.describe_budget(AccountId=ACCOUNT, BudgetName="b")["Budget"]
        assert found["BudgetLimit"]["Amount"] == amount
    of_it = {"AccountId": ACCOUNT, "BudgetName": "b"}
    subscribers = budgets.describe_subscribers_for_notification(**of_it, Notification=told["Notification"])
    assert subscribers["Subscribers"] == told["Subscribers"]
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/b"
    budgets.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "more", "Value": "yes"}])
    budgets.untag_resource(ResourceARN=arn, ResourceTagKeys=["of"])
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "more", "Value": "yes"}]
    assert error_of(budgets.update_budget, AccountId=ACCOUNT, NewBudget=a_budget(BudgetName="c")) == "NotFoundException"


def test_budget_notifications_are_distinguished_and_unique(make: Make) -> None:
    budgets = make("budgets", "us-east-1")
    budgets.create_budget(AccountId=ACCOUNT, Budget=a_budget())
    of_it = {"AccountId": ACCOUNT, "BudgetName": "b"}
    for number, one in enumerate((a_notification(80), a_notification(90), a_notification(90, "FORECASTED"))):
        subscribers = [{"SubscriptionType": "EMAIL", "Address": f"{number}@b.cd"}]
        budgets.create_notification(**of_it, Notification=one, Subscribers=subscribers)
        found = budgets.describe_subscribers_for_notification(**of_it, Notification=one)
        assert found["Subscribers"] == subscribers
        again = {**of_it, "Notification": one, "Subscribers": subscribers}
        assert error_of(budgets.create_notification, **again) == "DuplicateRecordException"
    gone = {**of_it, "Notification": {**a_notification(90), "ThresholdType": "PERCENTAGE"}}
    budgets.delete_notification(**gone)
    assert error_of(budgets.delete_notification, **gone) == "NotFoundException"
    assert error_of(budgets.describe_subscribers_for_notification, **gone) == "NotFoundException"
    assert len(budgets.describe_notifications_for_budget(**of_it)["Notifications"]) == 2
    assert error_of(budgets.describe_notifications_for_budget, **{**of_it, "BudgetName": "c"}) == "NotFoundException"


def test_trail_reports_selectors_and_is_deleted_by_name_or_arn(make: Make) -> None:
    cloudtrail = make("cloudtrail")
    make("s3").create_bucket(Bucket="of-trails", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    arns = [cloudtrail.create_trail(Name=name, S3BucketName="of-trails")["TrailARN"] for name in ("one", "two")]
    advanced = [{"Name": "all", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    basic = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}]
    assert not cloudtrail.get_trail(Name="one")["Trail"]["HasCustomEventSelectors"]
    cloudtrail.put_event_selectors(TrailName="one", AdvancedEventSelectors=advanced)
    assert cloudtrail.get_trail(Name="one")["Trail"]["HasCustomEventSelectors"]
    assert cloudtrail.get_event_selectors(TrailName="one")["AdvancedEventSelectors"] == advanced
    cloudtrail.put_event_selectors(TrailName="one", EventSelectors=basic)
    found = cloudtrail.get_event_selectors(TrailName="one")
    assert (len(found["EventSelectors"]), found["AdvancedEventSelectors"]) == (1, [])
    cloudtrail.delete_trail(Name="one")
    cloudtrail.delete_trail(Name=arns[1])
    assert cloudtrail.list_trails()["Trails"] == []
    assert error_of(cloudtrail.delete_trail, Name="one") == "TrailNotFoundException"


def test_metric_filter_is_replaced_and_deleted_with_its_group(make: Make) -> None:
    logs = make("logs")
    transformation = [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]
    named = {"logGroupName": "group", "filterName": "filter", "metricTransformations": transformation}
    assert error_of(logs.put_metric_filter, **named, filterPattern="x") == "ResourceNotFoundException"
    logs.create_log_group(logGroupName="group")
    for pattern in ("first", "second"):
        logs.put_metric_filter(**named, filterPattern=pattern)
        found = logs.describe_metric_filters(logGroupName="group")["metricFilters"]
        assert [one["filterPattern"] for one in found] == [pattern]
    logs.delete_log_group(logGroupName="group")
    logs.create_log_group(logGroupName="group")
    assert logs.describe_metric_filters(logGroupName="group")["metricFilters"] == []
