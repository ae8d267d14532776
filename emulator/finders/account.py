"""IAM, and singletons of an account: audit, configuration, findings."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.finders.listing import Clients, Finder, by, named, pages


def _roles(clients: Clients) -> Iterator[str]:
    roles = pages(clients, "iam", "list_roles", "Roles")
    return (role["RoleName"] for role in roles if not role["Path"].startswith("/aws-service-role/"))


def _hub(clients: Clients) -> Iterator[str]:
    """Security Hub, which refuses every question where it is not enabled."""
    client = clients("securityhub")
    try:
        yield client.describe_hub()["HubArn"]
    except client.exceptions.InvalidAccessException:
        return


def _account_access_block(clients: Clients) -> Iterator[str]:
    account = clients("sts").get_caller_identity()["Account"]
    client = clients("s3control")
    try:
        client.get_public_access_block(AccountId=account)
    except client.exceptions.NoSuchPublicAccessBlockConfiguration:
        return
    yield account


REGIONAL: dict[str, Finder] = {
    "trail": lambda clients: (
        one["TrailARN"]
        for one in pages(clients, "cloudtrail", "list_trails", "Trails")
        if one["HomeRegion"] == clients("cloudtrail").meta.region_name
    ),
    "threat detector": named("guardduty", "list_detectors", "DetectorIds"),
    "configuration recorder": by("config", "describe_configuration_recorders", "ConfigurationRecorders", "name"),
    "configuration channel": by("config", "describe_delivery_channels", "DeliveryChannels", "name"),
    "configuration rule": by("config", "describe_config_rules", "ConfigRules", "ConfigRuleName"),
    "security hub": _hub,
    "access analyzer": by("accessanalyzer", "list_analyzers", "analyzers", "arn"),
}

GLOBAL: dict[str, Finder] = {
    "role": _roles,
    "policy": by("iam", "list_policies", "Policies", "PolicyName", Scope="Local"),
    "identity provider": by("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    "account's public access block": _account_access_block,
}
