"""The database: where it runs, who reaches it, its passwords, and what stands by for it (W3)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from modules.ephemeral import as_hcl
from policy.iam import policies
from settings import Settings, load
from tests.synthesized import Block, Synthesized, decoded, path_of, region_of, synthesize

REGIONS = ("primary", "recovery")
ZONES = {"primary": "us-east-2", "recovery": "us-west-2"}
DATABASE_SECRETS = [  # as policy/iam.py writes the ARN of a secret
    f"arn:aws:secretsmanager:us-east-2:123456789012:secret:payments/local/database/{name}-A1b2C3"
    for name in ("master", "application")
]
SERVICES = ("web", "payments", "reports")


def with_database(**changes: Any) -> Synthesized:
    values = load("local").model_dump()
    values["database"] |= changes
    return synthesize(Settings.model_validate(values))


@pytest.fixture(scope="module")
def snapshots() -> Synthesized:
    """The platform without a database in the recovery region."""
    return with_database(recovery="snapshots", recovery_instances=0)


def cluster(platform: Synthesized, region: str = "primary") -> Block:
    return platform.resource("aws_rds_cluster", f"{region}/database/cluster")


def instances(platform: Synthesized, region: str = "primary") -> list[Block]:
    return [one for one in platform.resources("aws_rds_cluster_instance").values() if region_of(one) == region]


def parameters(group: Block) -> dict[str, str]:
    return {one["name"]: one["value"] for one in group["parameter"]}


@pytest.mark.requirement("W3.1")
def test_a_writer_and_two_readers_run_in_three_zones_of_the_isolated_tier(platform: Synthesized) -> None:
    own = instances(platform)
    assert sorted(one["availability_zone"] for one in own) == ["us-east-2a", "us-east-2b", "us-east-2c"]
    assert all(platform.by_id(one["cluster_identifier"]) == cluster(platform) for one in own)
    assert not any(one["publicly_accessible"] for one in own)
    subnets = platform.by_id(cluster(platform)["db_subnet_group_name"])["subnet_ids"]
    tiers = [platform.by_id(subnet)["tags"]["tier"] for subnet in subnets]
    assert tiers == ["database"] * 3


@pytest.mark.requirement("W3.1")
def test_more_readers_go_over_the_zones_in_turn() -> None:
    own = instances(with_database(readers=4))
    assert [one["availability_zone"][-1] for one in own] == ["a", "b", "c", "a", "b"]


@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("region", REGIONS)
def test_cluster_is_encrypted_restorable_and_logged(platform: Synthesized, region: str) -> None:
    own = cluster(platform, region)
    assert own["storage_encrypted"] is True
    assert path_of(platform.by_id(own["kms_key_id"])).endswith(f"{region}/keys/database")
    assert own["iam_database_authentication_enabled"] is True
    assert own["backup_retention_period"] == 35
    assert own["copy_tags_to_snapshot"] is True
    (dependency,) = [one for one in own["depends_on"] if one.startswith("aws_cloudwatch_log_group.")]
    group = platform.by_id("${" + dependency + ".name}")
    (log,) = own["enabled_cloudwatch_logs_exports"]
    assert group["name"] == f"/aws/rds/cluster/{own['cluster_identifier']}/{log}"
    assert group["retention_in_days"] == 30
    assert path_of(platform.by_id(group["kms_key_id"])).endswith(f"{region}/keys/logs")


@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("region", REGIONS)
def test_instances_are_watched_and_change_when_settings_do(platform: Synthesized, region: str) -> None:
    assert instances(platform, region)
    for one in instances(platform, region):
        assert one["performance_insights_enabled"] is True
        assert path_of(platform.by_id(one["performance_insights_kms_key_id"])).endswith(f"{region}/keys/database")
        assert one["monitoring_interval"] == 60
        assert "monitoring-role" in path_of(platform.by_id(one["monitoring_role_arn"]))
        assert one["auto_minor_version_upgrade"] is False
        assert one["ca_cert_identifier"] == "rds-ca-rsa2048-g1"


@pytest.mark.requirement("W3.1")
@pytest.mark.requirement("W5.5")
@pytest.mark.parametrize("region", REGIONS)
def test_database_speaks_tls_only_and_says_who_changed_what(platform: Synthesized, region: str) -> None:
    group = platform.by_id(cluster(platform, region)["db_cluster_parameter_group_name"])
    assert group["family"] == "aurora-postgresql17"
    own = parameters(group)
    assert own["rds.force_ssl"] == "1"
    assert own["ssl_min_protocol_version"] == "TLSv1.2"
    assert own["rds.accepted_password_auth_method"] == "scram"
    assert own["log_statement"] == "ddl"
    assert own["log_min_duration_statement"] == "1000"
    assert "pgaudit" in own["shared_preload_libraries"]
    assert own["pgaudit.log"] == "ddl,role"
    assert own["log_parameter_max_length"] == "0"  # no values of statements, which may be of cards
    static = [one for one in group["parameter"] if one["apply_method"] == "pending-reboot"]
    assert [one["name"] for one in static] == ["shared_preload_libraries"]


@pytest.mark.requirement("W3.1")
def test_serverless_has_a_range_of_capacity_and_a_class_has_none(platform: Synthesized) -> None:
    assert "serverlessv2_scaling_configuration" not in cluster(platform)
    serverless = with_database(instance_class="db.serverless", min_serverless_units=8.0)
    for region in REGIONS:
        capacity = cluster(serverless, region)["serverlessv2_scaling_configuration"]
        assert capacity == {"min_capacity": 8, "max_capacity": 16}
    assert {one["instance_class"] for one in instances(serverless)} == {"db.serverless"}


@pytest.mark.requirement("W3.1")
@pytest.mark.requirement("W7.2")
def test_only_a_protected_database_refuses_to_go_and_leaves_a_snapshot(platform: Synthesized) -> None:
    protected = synthesize(load("local").model_copy(update={"protected": True}))
    for region in REGIONS:
        kept, own = cluster(protected, region), cluster(platform, region)
        assert kept["deletion_protection"] is kept["lifecycle"]["prevent_destroy"] is True
        assert kept["skip_final_snapshot"] is False
        assert kept["final_snapshot_identifier"].endswith("-final-local")
        assert kept["delete_automated_backups"] is False
        assert own["deletion_protection"] is own["lifecycle"]["prevent_destroy"] is False
        assert own["skip_final_snapshot"] is True
        assert own["delete_automated_backups"] is True
    assert {one["recovery_window_in_days"] for one in protected.resources("aws_secretsmanager_secret").values()} == {30}
    assert {one["recovery_window_in_days"] for one in platform.resources("aws_secretsmanager_secret").values()} == {0}


@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("region", REGIONS)
def test_only_those_who_log_in_reach_the_database(platform: Synthesized, region: str) -> None:
    (group,) = [platform.by_id(one) for one in cluster(platform, region)["vpc_security_group_ids"]]
    rules = [
        rule
        for rule in platform.resources("aws_vpc_security_group_ingress_rule").values()
        if platform.by_id(rule["security_group_id"]) == group
    ]
    assert {(rule["from_port"], rule["to_port"]) for rule in rules} == {(5432, 5432)}
    own = [rule for rule in rules if "referenced_security_group_id" in rule]
    groups = {path_of(platform.by_id(rule["referenced_security_group_id"])) for rule in own}
    sources = {path.split(f"/{region}/")[1].removesuffix("/group/security-group") for path in groups}
    expected = {f"services/{name}-task" for name in SERVICES}
    expected |= {f"payments-processing/{name}" for name in ("process-payment", "reconcile-payments")}
    if region == "primary":
        expected |= {"database-rotation/function", "payments-schema/function"}
    assert sources == expected
    others = {(path_of(rule).split("/")[-1], rule["cidr_ipv4"]) for rule in rules if rule not in own}
    block = {"primary": "10.11.0.0/17", "recovery": "10.10.0.0/17"}[region]  # the other region's private tier
    assert others == {("ingress-from-the-other-region", block)}  # one: all would be the same rule
    leaving = platform.resources("aws_vpc_security_group_egress_rule").values()
    assert not [rule for rule in leaving if platform.by_id(rule["security_group_id"]) == group]


@pytest.mark.requirement("W5.4")
def test_a_service_without_connections_has_no_way_to_the_database_and_no_login() -> None:
    values = load("local").model_dump()
    values["services"]["reports"]["connections_per_task"] = 0
    other = synthesize(Settings.model_validate(values))
    assert not [path for path in map(path_of, other.resources("aws_vpc_security_group_egress_rule").values())
                if "reports-to-database" in path]  # fmt: skip
    task = other.resource("aws_ecs_task_definition", "primary/services/reports-task/definition")
    assert "DATABASE" not in task["container_definitions"]


@pytest.mark.requirement("W3.3")
@pytest.mark.requirement("W0.5")
def test_first_passwords_are_made_by_ephemeral_values_and_go_into_write_only_arguments(platform: Synthesized) -> None:
    passwords = platform.configuration["ephemeral"]["aws_secretsmanager_random_password"]
    assert len(passwords) == 2
    assert {one["password_length"] for one in passwords.values()} == {40}
    own = cluster(platform)
    assert own["master_password_wo"].startswith("${ephemeral.")
    assert "master_password" not in own
    assert "manage_master_user_password" not in own  # a global database cannot have it
    for version in platform.resources("aws_secretsmanager_secret_version").values():
        assert "secret_string" not in version
        assert decoded(version["secret_string_wo"])["password"].startswith("${ephemeral.")


@pytest.mark.requirement("W3.3")
def test_secrets_have_what_rotation_reads(platform: Synthesized) -> None:
    values = {
        path_of(version).split("/")[-1]: decoded(version["secret_string_wo"])
        for version in platform.resources("aws_secretsmanager_secret_version").values()
    }
    for value in values.values():
        assert value["engine"] == "postgres"
        assert value["host"].endswith(".endpoint}")
        assert (value["port"], value["dbname"], value["ssl"]) == (5432, "payments", True)
    master, application = values["master-version"], values["application-version"]
    assert master["username"] == "administrator"
    assert master["password"] == cluster(platform)["master_password_wo"]
    assert "masterarn" not in master  # the single-user strategy
    assert path_of(platform.by_id(application["masterarn"])).endswith("database-secrets/master")
    assert application["password"] != master["password"]


@pytest.mark.requirement("W3.3")
def test_a_raised_version_gives_cluster_and_secret_the_same_new_password() -> None:
    raised = with_database(master_password_version=2)
    versions = raised.resources("aws_secretsmanager_secret_version").values()
    numbers = {path_of(one).split("/")[-1]: one["secret_string_wo_version"] for one in versions}
    assert numbers == {"master-version": 2, "application-version": 1}
    assert cluster(raised)["master_password_wo_version"] == 2


@pytest.mark.requirement("W3.3")
def test_secrets_are_encrypted_replicated_and_closed_to_others(platform: Synthesized) -> None:
    secrets = [one for one in platform.resources("aws_secretsmanager_secret").values() if "/database/" in one["name"]]
    assert sorted(one["name"] for one in secrets) == [
        "payments/local/database/application",
        "payments/local/database/master",
    ]
    for secret in secrets:
        assert path_of(platform.by_id(secret["kms_key_id"])).endswith("primary/keys/secrets")
        (replica,) = secret["replica"]
        assert replica["region"] == "us-west-2"
        assert path_of(platform.by_id(replica["kms_key_id"])).endswith("recovery/keys/secrets")
    closed = [
        one
        for one in platform.resources("aws_secretsmanager_secret_policy").values()
        if "database-secrets" in path_of(one)
    ]
    assert len(closed) == 2
    for policy in closed:
        assert policy["block_public_policy"] is True
        statements = platform.statements(policy["policy"])
        assert set(statements) == {"NothingWithoutTls", "NobodyOfAnotherAccount"}
        assert {one["effect"] for one in statements.values()} == {"Deny"}


@pytest.mark.requirement("W3.3")
def test_rotation_begins_when_all_that_it_needs_is_there(platform: Synthesized) -> None:
    rotations = [
        one
        for one in platform.resources("aws_secretsmanager_secret_rotation").values()
        if "database-rotation" in path_of(one)
    ]
    assert len(rotations) == 2
    for rotation in rotations:
        assert rotation["rotation_rules"] == {"automatically_after_days": 30, "duration": "3h"}
        needed = {one.split(".")[0] for one in rotation["depends_on"]}
        assert needed == {
            "aws_secretsmanager_secret_version",
            "aws_lambda_permission",
            "aws_iam_role_policy",
            "aws_vpc_security_group_egress_rule",
            "aws_vpc_security_group_ingress_rule",
            "aws_rds_cluster_instance",
        }
        (version,) = [one for one in rotation["depends_on"] if one.startswith("aws_secretsmanager_secret_version.")]
        assert platform.by_id("${" + version + ".id}")["secret_id"] == rotation["secret_id"]
    permission = platform.resource("aws_lambda_permission", "database-rotation/permission")
    assert permission["principal"] == "secretsmanager.amazonaws.com"
    assert permission["source_account"] == "123456789012"


@pytest.mark.requirement("W3.3")
def test_only_the_rotation_writes_the_databases_secrets(platform: Synthesized) -> None:
    """By name or by pattern, in whatever policy, but for who deploys (tests/policy/test_delivery_roles.py)."""
    written = {}
    for policy in policies(platform.configuration, account_id="123456789012"):
        for statement in policy.statements:
            if statement["Effect"] == "Deny" or "secretsmanager:PutSecretValue" not in statement["Action"]:
                continue
            if names := [one for one in DATABASE_SECRETS if any(fnmatchcase(one, r) for r in statement["Resource"])]:
                written[policy.owner.split(".")[1]] = names
    ((owner, names),) = ((owner, names) for owner, names in written.items() if "_delivery_" not in owner)
    assert owner.startswith("primary_database-rotation_function_policy")
    assert names == DATABASE_SECRETS


@pytest.mark.requirement("W3.5")
@pytest.mark.requirement("W1.5")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", SERVICES)
def test_tasks_read_where_they_are_write_where_the_writer_is_and_know_their_regions_replica_of_the_secret(
    platform: Synthesized, local_settings: Settings, region: str, name: str
) -> None:
    task = platform.resource("aws_ecs_task_definition", f"{region}/services/{name}-task/definition")
    (container,) = decoded(task["container_definitions"])
    variables = {one["name"]: one["value"] for one in container["environment"]}
    (group,) = platform.resources("aws_rds_global_cluster").values()
    for variable, attribute, leads_to in (
        ("DATABASE_HOST", "endpoint", group),
        ("DATABASE_READER_HOST", "reader_endpoint", cluster(platform, region)),
    ):
        assert platform.by_id(variables[variable]) == leads_to
        assert variables[variable].endswith(f".{attribute}}}")
    secret = f"arn:aws:secretsmanager:{ZONES[region]}:123456789012:secret:payments/local/database/application"
    assert variables["DATABASE_SECRET_ARN"] == secret
    assert variables["DATABASE_CONNECTIONS"] == str(local_settings.services[name].connections_per_task)
    document = next(
        block
        for _, type_, block in platform.blocks
        if type_ == "aws_iam_policy_document"
        and path_of(block).endswith(f"{region}/services/{name}-task/database-permissions")
    )
    read, decrypt = document["statement"]
    assert read["actions"] == ["secretsmanager:GetSecretValue"]
    assert read["resources"] == [f"{secret}-??????"]
    assert path_of(platform.by_id(decrypt["resources"][0])).endswith(f"{region}/keys/secrets")


@pytest.mark.requirement("W3.5")
def test_global_takes_in_the_primary_and_adds_a_secondary_under_its_own_key(platform: Synthesized) -> None:
    (group,) = platform.resources("aws_rds_global_cluster").values()
    assert platform.by_id(group["source_db_cluster_identifier"]) == cluster(platform)
    assert not {"engine", "engine_version", "database_name", "storage_encrypted"} & set(group)  # AWS takes none of them
    secondary = cluster(platform, "recovery")
    assert platform.by_id(secondary["global_cluster_identifier"]) == group
    assert secondary["source_region"] == "us-east-2"
    assert not {"master_username", "master_password_wo", "database_name"} & set(secondary)
    assert secondary["cluster_identifier"] != cluster(platform)["cluster_identifier"]
    writers = {one for one in secondary["depends_on"] if one.startswith("aws_rds_cluster_instance.")}
    assert len(writers) == 3
    assert len(instances(platform, "recovery")) == 1


@pytest.mark.requirement("W3.5")
def test_a_secondary_may_be_without_instances() -> None:
    headless = with_database(recovery_instances=0)
    assert instances(headless, "recovery") == []
    assert cluster(headless, "recovery")


@pytest.mark.requirement("W3.5")
@pytest.mark.requirement("W7.1")
def test_the_mode_of_recovery_leaves_the_primary_as_it_is(platform: Synthesized, snapshots: Synthesized) -> None:
    assert cluster(snapshots) == cluster(platform)
    assert set(cluster(platform)["lifecycle"]["ignore_changes"]) == {
        "global_cluster_identifier",
        "replication_source_identifier",
    }
    assert [path_of(one) for one in instances(snapshots)] == [path_of(one) for one in instances(platform)]


@pytest.mark.requirement("W3.5")
def test_snapshots_leave_the_place_to_restore_into_and_no_cluster(snapshots: Synthesized) -> None:
    assert not snapshots.resources("aws_rds_global_cluster")
    assert [region_of(one) for one in snapshots.resources("aws_rds_cluster").values()] == ["primary"]
    for type_ in ("aws_db_subnet_group", "aws_rds_cluster_parameter_group", "aws_db_parameter_group"):
        assert sorted(region_of(one) for one in snapshots.resources(type_).values()) == ["primary", "recovery"]
    task = snapshots.resource("aws_ecs_task_definition", "recovery/services/web-task/definition")
    assert "DATABASE" not in task["container_definitions"]


@pytest.mark.requirement("W1.3")
def test_readers_follow_their_connections(platform: Synthesized) -> None:
    target = platform.resource("aws_appautoscaling_target", "reader-scaling/target")
    assert (target["min_capacity"], target["max_capacity"]) == (2, 4)
    assert target["scalable_dimension"] == "rds:cluster:ReadReplicaCount"
    policy = platform.resource("aws_appautoscaling_policy", "reader-scaling/connections")
    tracking = policy["target_tracking_scaling_policy_configuration"]
    assert tracking["target_value"] == 200
    assert tracking["predefined_metric_specification"] == {
        "predefined_metric_type": "RDSReaderAverageDatabaseConnections"
    }
    assert tracking["scale_in_cooldown"] > tracking["scale_out_cooldown"]


@pytest.mark.requirement("W1.3")
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["web", "payments"])
def test_critical_services_follow_the_share_of_all_pools_that_is_in_use(
    platform: Synthesized, region: str, name: str
) -> None:
    policy = platform.resource("aws_appautoscaling_policy", f"{region}/services/{name}/scaling/connections-in-use")
    tracking = policy["target_tracking_scaling_policy_configuration"]
    assert tracking["target_value"] == 70
    metrics = {one["id"]: one for one in tracking["customized_metric_specification"]["metrics"]}
    pools = "5 * FILL(web, 0) + 10 * FILL(payments, 0) + 2 * FILL(reports, 0) + 5 * FILL(process_payment, 0)"
    assert metrics["result"]["expression"] == f"100 * FILL(connections, 0) / IF({pools} < 1, 1, {pools})"
    counted = metrics["connections"]["metric_stat"]
    assert counted["stat"] == "Sum"
    assert counted["metric"]["metric_name"] == "DatabaseConnections"
    (dimension,) = counted["metric"]["dimensions"]
    assert platform.by_id(dimension["value"]) == cluster(platform, region)
    for one in SERVICES:
        assert metrics[one]["metric_stat"]["metric"]["metric_name"] == "RunningTaskCount"
    functions = metrics["process_payment"]["metric_stat"]["metric"]
    assert functions["metric_name"] == "ConcurrentExecutions"
    assert functions["dimensions"] == [{"name": "FunctionName", "value": "payments-process-payment-local"}]


@pytest.mark.requirement("W5.2")
def test_somebody_is_told_before_the_application_feels_it(platform: Synthesized, local_settings: Settings) -> None:
    alarms = {
        alarm["alarm_name"].rpartition("/")[2]: alarm
        for alarm in platform.resources("aws_cloudwatch_metric_alarm").values()
        if "/database" in path_of(alarm)
    }
    assert set(alarms) == {
        "database-cpu",
        "database-memory",
        "database-connections",
        "database-replica-lag",
        "database-deadlocks",
        "rotate-database-secret-failing",
        "recovery-database-global-lag",
    }
    most = local_settings.database.max_connections
    assert 0.8 * most < alarms["database-connections"]["threshold"] < most
    assert alarms["recovery-database-global-lag"]["dimensions"]["SourceRegion"] == "us-east-2"
    for alarm in alarms.values():
        (topic,) = alarm["alarm_actions"]
        assert region_of(platform.by_id(topic)) == region_of(alarm)


@pytest.mark.requirement("W0.1")
def test_ephemeral_values_are_written_in_hcl_too() -> None:
    block = {"provider": "aws.recovery", "length": 40, "name": "x", "flag": True, "//": {"metadata": {}}}
    written = as_hcl({"type": {"name": block}})
    lines = ["", 'ephemeral "type" "name" {', "  provider = aws.recovery", "  length = 40", '  name = "x"']
    assert written == "\n".join([*lines, "  flag = true", "}", ""])
