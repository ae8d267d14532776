"""Services: clusters, tasks, blue/green, workers (W1), load balancers and releases (W2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from settings import Settings, load
from tests.synthesized import Block, Synthesized, decoded, path_of, region_of, synthesize

REGIONS = ("primary", "recovery")
CRITICAL = ("web", "payments")


def with_service(name: str, **changes: Any) -> Synthesized:
    values = load("local").model_dump()
    values["services"][name] |= changes
    return synthesize(Settings.model_validate(values))


def container(platform: Synthesized, region: str, name: str) -> Block:
    (found,) = decoded(definition(platform, region, name)["container_definitions"])
    return dict(found)


def definition(platform: Synthesized, region: str, name: str) -> Block:
    return platform.resource("aws_ecs_task_definition", f"{region}/services/{name}-task/definition")


def service(platform: Synthesized, region: str, name: str) -> Block:
    return platform.resource("aws_ecs_service", f"{region}/services/{name}/service")


@pytest.mark.requirement("W1.1")
@pytest.mark.parametrize("region", REGIONS)
def test_cluster_has_insights_sessions_and_both_capacity_providers(platform: Synthesized, region: str) -> None:
    cluster = platform.resource("aws_ecs_cluster", f"{region}/services/cluster/cluster")
    assert cluster["setting"] == [{"name": "containerInsights", "value": "enabled"}]
    sessions = cluster["configuration"]["execute_command_configuration"]
    assert sessions["logging"] == "OVERRIDE"
    assert path_of(platform.by_id(sessions["kms_key_id"])).endswith(f"{region}/keys/logs")
    assert sessions["log_configuration"]["cloud_watch_encryption_enabled"] is True
    log_group = platform.by_id(sessions["log_configuration"]["cloud_watch_log_group_name"])
    assert log_group["retention_in_days"] == 30
    providers = platform.resource("aws_ecs_cluster_capacity_providers", f"{region}/services/cluster/capacity-providers")
    assert sorted(providers["capacity_providers"]) == ["FARGATE", "FARGATE_SPOT"]


@pytest.mark.requirement("W1.1")
@pytest.mark.parametrize("region", REGIONS)
def test_every_service_has_a_repository_whose_tags_stay_and_whose_images_are_scanned(
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
def test_only_the_environment_that_owns_them_makes_the_registrys_settings(platform: Synthesized) -> None:
    assert not platform.resources("aws_ecr_replication_configuration")
    owner = synthesize(load("local").model_copy(update={"owns_registry_settings": True}))
    (replication,) = owner.resources("aws_ecr_replication_configuration").values()
    (rule,) = replication["replication_configuration"]["rule"]
    assert rule["destination"] == [{"region": "us-west-2", "registry_id": "123456789012"}]
    assert rule["repository_filter"] == [{"filter": "payments/", "filter_type": "PREFIX_MATCH"}]


@pytest.mark.requirement("W1.5")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", [*CRITICAL, "reports"])
def test_container_is_confined(platform: Synthesized, region: str, name: str) -> None:
    own = container(platform, region, name)
    assert "@sha256:" in own["image"]
    assert own["readonlyRootFilesystem"] is True
    assert own["privileged"] is False
    assert int(own["user"]) > 0
    assert own["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    assert own["logConfiguration"]["options"]["mode"] == "non-blocking"
    assert own["logConfiguration"]["options"]["awslogs-group"] == f"/payments/local/{name}"
    assert own["stopTimeout"] == 120
    assert not [variable for variable in own["environment"] if "PASSWORD" in variable["name"].upper()]


@pytest.mark.requirement("W1.5")
def test_a_container_is_asked_by_the_command_of_the_settings(platform: Synthesized) -> None:
    assert "healthCheck" not in container(platform, "primary", "payments")
    command = ("python", "-m", "payments", "healthy")
    asked = container(with_service("payments", container_check=command), "primary", "payments")
    assert asked["healthCheck"]["command"] == ["CMD", *command]
    assert asked["healthCheck"]["timeout"] < asked["healthCheck"]["interval"]


@pytest.mark.requirement("W1.5")
def test_every_service_has_roles_and_a_security_group_of_its_own(platform: Synthesized) -> None:
    definitions = platform.resources("aws_ecs_task_definition").values()
    roles = [path_of(platform.by_id(d[kind])) for d in definitions for kind in ("task_role_arn", "execution_role_arn")]
    assert len(set(roles)) == 2 * len(definitions)
    for one in platform.resources("aws_ecs_service").values():
        groups = [path_of(platform.by_id(g)) for g in one["network_configuration"]["security_groups"]]
        own = [group for group in groups if "-task/group" in group]
        assert len(own) == 1
        assert path_of(one).split("/")[3] in own[0]
        assert one["network_configuration"]["assign_public_ip"] is False


@pytest.mark.requirement("W1.2")
@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", CRITICAL)
def test_what_codedeploy_owns_is_ignored(platform: Synthesized, region: str, name: str) -> None:
    own = service(platform, region, name)
    assert own["deployment_controller"] == {"type": "CODE_DEPLOY"}
    assert set(own["lifecycle"]["ignore_changes"]) == {"task_definition", "load_balancer", "desired_count"}
    assert len(own["load_balancer"]) == 1
    for rule in ("rule", "test-rule"):
        block = platform.resource("aws_lb_listener_rule", f"{region}/services/{name}/{rule}")
        assert block["lifecycle"]["ignore_changes"] == ["action"]
        assert any(block_is(platform, dependency, block) for dependency in own["depends_on"])


def block_is(platform: Synthesized, address: str, block: Block) -> bool:
    return platform.by_id("${" + address + ".id}") == block


@pytest.mark.requirement("W1.2")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", CRITICAL)
def test_a_deployment_group_knows_both_listeners_and_both_target_groups(
    platform: Synthesized, region: str, name: str
) -> None:
    group = platform.resource("aws_codedeploy_deployment_group", f"{region}/services/{name}-release/group")
    pair = group["load_balancer_info"]["target_group_pair_info"]
    (production,), (test,) = pair["prod_traffic_route"]["listener_arns"], pair["test_traffic_route"]["listener_arns"]
    assert path_of(platform.by_id(production)).endswith(f"{region}/load-balancer/listener")
    assert path_of(platform.by_id(test)).endswith(f"{region}/load-balancer/test-listener")
    colours = [path_of(platform.by_id(one["name"])) for one in pair["target_group"]]
    assert [path.rsplit("/", 2)[1:] for path in colours] == [[name, "blue"], [name, "green"]]
    assert group["deployment_style"] == {"deployment_option": "WITH_TRAFFIC_CONTROL", "deployment_type": "BLUE_GREEN"}


@pytest.mark.requirement("W2.3")
@pytest.mark.parametrize("name", CRITICAL)
def test_a_release_goes_back_on_failure_on_stop_and_on_alarms_of_either_colour(
    platform: Synthesized, name: str
) -> None:
    group = platform.resource("aws_codedeploy_deployment_group", f"primary/services/{name}-release/group")
    assert group["auto_rollback_configuration"] == {
        "enabled": True,
        "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
    }
    alarms = [platform.by_id(alarm) for alarm in group["alarm_configuration"]["alarms"]]
    assert group["alarm_configuration"]["enabled"] is True
    assert sorted(alarm["alarm_name"].split("/")[-1] for alarm in alarms) == sorted(
        f"{name}-{colour}-{what}" for colour in ("blue", "green") for what in ("server-errors", "slow", "unhealthy")
    )
    for alarm in alarms:
        colour = alarm["alarm_name"].split("-")[1]
        for query in alarm["metric_query"]:
            if "metric" in query:
                target_group = platform.by_id(query["metric"]["dimensions"]["TargetGroup"])
                assert path_of(target_group).endswith(f"{name}/{colour}")


@pytest.mark.requirement("W2.3")
def test_error_share_is_quiet_without_traffic(platform: Synthesized) -> None:
    alarm = platform.resource("aws_cloudwatch_metric_alarm", "primary/services/web-release/green-server-errors")
    (result,) = [query for query in alarm["metric_query"] if query["return_data"]]
    assert result["expression"].startswith("IF(requests >= 20, ")
    assert result["expression"].endswith(", 0)")
    assert alarm["treat_missing_data"] == "notBreaching"


@pytest.mark.requirement("W2.3")
def test_canary_is_as_settings_say() -> None:
    settings = load("local")
    release = settings.release.model_copy(update={"canary_percent": 25, "canary_minutes": 7, "bake_minutes": 33})
    platform = synthesize(settings.model_copy(update={"release": release}))
    for canary in platform.resources("aws_codedeploy_deployment_config").values():
        assert canary["traffic_routing_config"] == {
            "type": "TimeBasedCanary",
            "time_based_canary": {"percentage": 25, "interval": 7},
        }
        assert "25" in canary["deployment_config_name"]  # another canary has another name: it cannot be changed
    for group in platform.resources("aws_codedeploy_deployment_group").values():
        end = group["blue_green_deployment_config"]["terminate_blue_instances_on_deployment_success"]
        assert end == {"action": "TERMINATE", "termination_wait_time_in_minutes": 33}


@pytest.mark.requirement("W2.1")
@pytest.mark.parametrize("region", REGIONS)
def test_load_balancer_refuses_by_default_and_speaks_tls_only(platform: Synthesized, region: str) -> None:
    load_balancer = platform.resource("aws_lb", f"{region}/load-balancer/load-balancer")
    assert load_balancer["internal"] is False
    assert load_balancer["drop_invalid_header_fields"] is True
    assert len(load_balancer["subnets"]) == 3
    assert all("public-subnet" in path_of(platform.by_id(subnet)) for subnet in load_balancer["subnets"])
    for logs in ("access_logs", "connection_logs"):
        assert load_balancer[logs]["enabled"] is True
        assert path_of(platform.by_id(load_balancer[logs]["bucket"])).endswith(f"{region}/buckets/logs/bucket")
    assert any("policy" in dependency for dependency in load_balancer["depends_on"])
    for id_, port in (("listener", 443), ("test-listener", 8443)):
        listener = platform.resource("aws_lb_listener", f"{region}/load-balancer/{id_}")
        assert (listener["port"], listener["protocol"]) == (port, "HTTPS")
        assert listener["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
        (refusal,) = listener["default_action"]
        assert refusal["fixed_response"]["status_code"] == "403"
    redirect = platform.resource("aws_lb_listener", f"{region}/load-balancer/redirect")
    assert redirect["port"] == 80
    assert redirect["default_action"][0]["redirect"] == {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}


@pytest.mark.requirement("W2.1")
@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("region", REGIONS)
def test_only_cloudfront_and_health_checkers_reach_the_load_balancer_each_list_in_a_group_of_its_own(
    platform: Synthesized, region: str
) -> None:
    rules = [
        rule
        for rule in platform.resources("aws_vpc_security_group_ingress_rule").values()
        if path_of(rule).startswith(f"payment-platform/{region}/load-balancer/")
    ]
    (tested,) = [rule for rule in rules if "prefix_list_id" not in rule]
    assert tested["from_port"] == 8443
    assert path_of(platform.by_id(tested["referenced_security_group_id"])).split("/")[3] == "smoke-test"
    rules.remove(tested)
    lists = [(platform.by_id(rule["prefix_list_id"])["name"], rule["from_port"]) for rule in rules]
    name = {"primary": "us-east-2", "recovery": "us-west-2"}[region]
    assert sorted(lists) == [
        ("com.amazonaws.global.cloudfront.origin-facing", 80),
        ("com.amazonaws.global.cloudfront.origin-facing", 443),
        (f"com.amazonaws.{name}.route53-healthchecks", 443),  # weighs 25, beside CloudFront's 55 of a group's 60
    ]
    assert len({rule["security_group_id"] for rule in rules}) == len(rules)


@pytest.mark.requirement("W2.2")
@pytest.mark.parametrize("name", CRITICAL)
def test_paths_and_health_checks_are_each_services_own(
    platform: Synthesized, local_settings: Settings, name: str
) -> None:
    own = local_settings.services[name]
    rule = platform.resource("aws_lb_listener_rule", f"primary/services/{name}/rule")
    assert rule["condition"] == [{"path_pattern": {"values": list(own.path_patterns)}}]
    assert rule["priority"] == own.priority
    for colour in ("blue", "green"):
        group = platform.resource("aws_lb_target_group", f"primary/services/{name}/{colour}")
        assert (group["protocol"], group["port"], group["target_type"]) == ("HTTPS", own.port, "ip")
        assert group["health_check"]["protocol"] == "HTTPS"
        assert group["health_check"]["path"] == own.health_check.path
        assert group["deregistration_delay"] == str(own.health_check.deregistration_delay_seconds)


@pytest.mark.requirement("W5.5")
def test_requests_are_encrypted_up_to_the_task(platform: Synthesized) -> None:
    assert {group["protocol"] for group in platform.resources("aws_lb_target_group").values()} == {"HTTPS"}


@pytest.mark.requirement("W1.4")
@pytest.mark.parametrize("region", REGIONS)
def test_worker_runs_on_spot_and_goes_back_when_a_deployment_fails(platform: Synthesized, region: str) -> None:
    worker = service(platform, region, "reports")
    assert worker["capacity_provider_strategy"] == [{"capacity_provider": "FARGATE_SPOT", "weight": 100}]
    assert worker["deployment_circuit_breaker"] == {"enable": True, "rollback": True}
    assert "launch_type" not in worker
    assert "deployment_controller" not in worker
    assert worker["lifecycle"]["ignore_changes"] == ["desired_count"]


@pytest.mark.requirement("W1.4")
def test_a_base_and_a_share_on_demand_are_as_settings_say() -> None:
    worker = service(with_service("reports", on_demand_base=1, spot_weight=70), "primary", "reports")
    assert worker["capacity_provider_strategy"] == [
        {"capacity_provider": "FARGATE_SPOT", "weight": 70},
        {"capacity_provider": "FARGATE", "weight": 30, "base": 1},
    ]


@pytest.mark.requirement("W1.3")
@pytest.mark.parametrize(
    ("name", "purpose", "metrics"),
    [
        ("web", "requests-per-task", {"blue", "green", "running"}),
        ("reports", "messages-per-task", {"waiting", "running"}),
    ],
)
def test_scaling_follows_the_load_of_each_running_task_and_steps_down_slower(
    platform: Synthesized, local_settings: Settings, name: str, purpose: str, metrics: set[str]
) -> None:
    policy = platform.resource("aws_appautoscaling_policy", f"primary/services/{name}/scaling/{purpose}")
    tracking = policy["target_tracking_scaling_policy_configuration"]
    own = local_settings.services[name]
    target = {"web": own.requests_per_target, "reports": own.messages_per_task}[name]
    assert tracking["target_value"] == target
    assert tracking["scale_in_cooldown"] > tracking["scale_out_cooldown"]
    queries = tracking["customized_metric_specification"]["metrics"]
    (result,) = [query for query in queries if query["return_data"]]
    assert {query["id"] for query in queries} - {result["id"]} == metrics
    assert all(metric in result["expression"] for metric in metrics)
    scaled = platform.resource("aws_appautoscaling_target", f"primary/services/{name}/scaling/target")
    assert (scaled["min_capacity"], scaled["max_capacity"]) == (own.min_tasks, own.max_tasks)


@pytest.mark.requirement("W1.3")
@pytest.mark.parametrize("region", REGIONS)
def test_worker_queue_is_encrypted_and_gives_up_into_its_own_dead_letters(platform: Synthesized, region: str) -> None:
    queue = platform.resource("aws_sqs_queue", f"{region}/services/reports-queue/queue")
    dead = platform.resource("aws_sqs_queue", f"{region}/services/reports-queue/dead-letters")
    for one in (queue, dead):
        assert path_of(platform.by_id(one["kms_master_key_id"])).endswith(f"{region}/keys/objects")
    assert json.loads(queue["redrive_policy"])["deadLetterTargetArn"].endswith(f":{dead['name']}")
    allow = platform.resource(
        "aws_sqs_queue_redrive_allow_policy", f"{region}/services/reports-queue/redrive-allow-policy"
    )
    assert json.loads(allow["redrive_allow_policy"])["sourceQueueArns"][0].endswith(f":{queue['name']}")


@pytest.mark.requirement("W4.2")
@pytest.mark.parametrize("region", REGIONS)
def test_load_balancers_have_a_certificate_validated_by_dns(platform: Synthesized, region: str) -> None:
    certificate = platform.resource("aws_acm_certificate", f"{region}/load-balancer/certificate/certificate")
    validation = platform.resource("aws_acm_certificate_validation", f"{region}/load-balancer/certificate/validation")
    assert certificate["validation_method"] == "DNS"
    assert certificate["lifecycle"]["create_before_destroy"] is True
    assert platform.by_id(validation["certificate_arn"]) == certificate
    listener = platform.resource("aws_lb_listener", f"{region}/load-balancer/listener")
    assert platform.by_id(listener["certificate_arn"]) == validation  # not before it is valid


@pytest.mark.requirement("W4.2")
def test_zone_is_made_or_looked_up_as_settings_say(platform: Synthesized) -> None:
    assert len(platform.resources("aws_route53_zone")) == 1
    staging = synthesize(load("staging"))
    assert not staging.resources("aws_route53_zone")
    (zone,) = staging.configuration["data"]["aws_route53_zone"].values()
    assert zone["name"] == "staging.pay.example.com"


@pytest.mark.requirement("W2.3")
@pytest.mark.requirement("Q2")
@pytest.mark.parametrize("region", REGIONS)
def test_smoke_test_knows_the_checks_of_every_critical_service(
    platform: Synthesized, local_settings: Settings, region: str
) -> None:
    function = platform.resource("aws_lambda_function", f"{region}/services/smoke-test/function")
    variables = function["environment"]["variables"]
    checks = json.loads(variables["CHECKS"])
    assert set(checks) == {local_settings.names.of(name) for name in CRITICAL}
    for name in CRITICAL:
        (check,) = checks[local_settings.names.of(name)]
        assert check["path"] == local_settings.services[name].health_check.path
    name = {"primary": "us-east-2", "recovery": "us-west-2"}[region]
    assert variables["TEST_LISTENER_URL"] == f"https://origin-local-{name}.pay.example.com:8443"
    assert function["architectures"] == ["arm64"]
    assert all("private-subnet" in path_of(platform.by_id(s)) for s in function["vpc_config"]["subnet_ids"])


@pytest.mark.requirement("W2.3")
def test_codedeploy_may_ask_the_smoke_test_and_nothing_else(platform: Synthesized) -> None:
    policy = platform.resource("aws_iam_role_policy", "primary/services/web-release/policy")
    ask = platform.statements(policy["policy"])["AskTheSmokeTest"]
    function = platform.resource("aws_lambda_function", "primary/services/smoke-test/function")
    assert ask["resources"] == [f"arn:aws:lambda:us-east-2:123456789012:function:{function['function_name']}"]


@pytest.mark.requirement("W1.4")
@pytest.mark.requirement("W4.4")
@pytest.mark.parametrize(("region", "name"), [("primary", "us-east-2"), ("recovery", "us-west-2")])
def test_worker_may_decrypt_what_it_receives(platform: Synthesized, region: str, name: str) -> None:
    """A queue under a key of ours gives its messages only to who may use the key through SQS."""
    policy = platform.resource("aws_iam_role_policy", f"{region}/services/reports-task/queue-policy")
    decrypt = platform.statements(policy["policy"])["DecryptMessages"]
    queue = platform.resource("aws_sqs_queue", f"{region}/services/reports-queue/queue")
    assert decrypt["actions"] == ["kms:Decrypt"]
    assert decrypt["resources"] == [queue["kms_master_key_id"]]
    assert decrypt["condition"][0]["values"] == [f"sqs.{name}.amazonaws.com"]


@pytest.mark.requirement("W1.3")
@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("region", REGIONS)
def test_a_schedule_sets_bounds_and_returns_to_those_of_the_service(platform: Synthesized, region: str) -> None:
    at_its_begin = scheduled(platform, region, "morning")
    least, own = {"primary": ("4", "2"), "recovery": ("2", "1")}[region]
    assert at_its_begin["schedule"] == "cron(30 6 ? * MON-FRI *)"
    assert at_its_begin["scalable_target_action"] == {"min_capacity": least, "max_capacity": "6"}
    at_its_end = scheduled(platform, region, "morning.until")
    assert at_its_end["schedule"] == "cron(0 20 ? * MON-FRI *)"
    assert at_its_end["scalable_target_action"] == {"min_capacity": own, "max_capacity": "6"}
    assert {at_its_begin["timezone"], at_its_end["timezone"]} == {"America/New_York"}
    assert at_its_begin["name"] != at_its_end["name"]
    target = platform.by_id(at_its_begin["resource_id"])
    assert set(target["lifecycle"]["ignore_changes"]) == {"min_capacity", "max_capacity", "suspended_state"}
    other = platform.resource("aws_appautoscaling_target", f"{region}/services/payments/scaling/target")
    assert other["lifecycle"]["ignore_changes"] == ["suspended_state"]


@pytest.mark.requirement("W7.1")
def test_changed_bounds_of_a_service_with_a_schedule_hold_from_its_next_end_on() -> None:
    changed = with_service("web", min_tasks=3, max_tasks=9)
    assert scheduled(changed, "primary", "morning.until")["scalable_target_action"] == {
        "min_capacity": "3",
        "max_capacity": "9",
    }
    assert scheduled(changed, "primary", "morning")["scalable_target_action"] == {
        "min_capacity": "4",
        "max_capacity": "6",
    }


def scheduled(platform: Synthesized, region: str, moment: str) -> Block:
    return platform.resource("aws_appautoscaling_scheduled_action", f"{region}/services/web/scaling/{moment}")


@pytest.mark.requirement("W7.2")
def test_the_recovery_region_stands_by_with_a_share_of_the_tasks_and_room_for_all(
    platform: Synthesized, local_settings: Settings
) -> None:
    for name, own in local_settings.services.items():
        target = platform.resource("aws_appautoscaling_target", f"recovery/services/{name}/scaling/target")
        half = -(-own.min_tasks // 2)
        assert (target["min_capacity"], target["max_capacity"]) == (half, own.max_tasks)
        assert platform.resource("aws_ecs_service", f"recovery/services/{name}/service")["desired_count"] == half


@pytest.mark.requirement("W7.2")
def test_where_both_regions_serve_neither_stands_by() -> None:
    values = load("local").model_dump()
    values["edge"]["origin_routing"] = "latency"
    settings = Settings.model_validate(values)
    assert settings.recovery_services == settings.services
    values["edge"]["origin_routing"] = "failover"
    values["recovery"]["standby_percent"] = 100
    settings = Settings.model_validate(values)
    assert settings.recovery_services == settings.services
