"""Laws on the writer's place (W3.5, W7.2): whichever region has it, all that logs in reaches it from either region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from modules.database.secrets import USERNAMES
from settings import Settings, load
from tests.synthesized import Block, Synthesized, decoded, path_of, references, region_of, synthesize

pytestmark = [pytest.mark.requirement("W3.5"), pytest.mark.requirement("W7.2")]

REGIONS = {"primary": "us-east-2", "recovery": "us-west-2"}
OTHER = {"primary": "recovery", "recovery": "primary"}
DATABASE_BLOCKS = {"primary": "10.10.", "recovery": "10.11."}
SNAPSHOT = "arn:aws:rds:us-west-2:123456789012:cluster-snapshot:awsbackup:copyjob-4711"
MODES: dict[str, dict[str, Any]] = {
    "global": {"recovery": "global", "recovery_instances": 1},
    "snapshots": {"recovery": "snapshots", "recovery_instances": 0},
    "restored": {"recovery": "snapshots", "recovery_instances": 0, "recovery_snapshot": SNAPSHOT},
}
# The clusters that may have the writer, by the region of who asks: its own first.
CLUSTERS = {
    ("global", "primary"): ["primary", "recovery"],
    ("global", "recovery"): ["recovery", "primary"],
    ("snapshots", "primary"): ["primary"],
    ("snapshots", "recovery"): ["primary"],
    ("restored", "primary"): ["recovery"],
    ("restored", "recovery"): ["recovery"],
}


@dataclass(frozen=True)
class Workload:
    """A task or function that logs in to the database."""

    path: str
    """Below its region, such as services/web-task."""
    variables: dict[str, str]


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def platform(mode: str) -> Synthesized:
    values = load("local").model_dump()
    values["database"] |= MODES[mode]
    return synthesize(Settings.model_validate(values))


def workloads(platform: Synthesized, region: str) -> dict[str, Workload]:
    found = {}
    for block in platform.resources("aws_ecs_task_definition").values():
        for container in decoded(block["container_definitions"]):
            variables = {one["name"]: one["value"] for one in container.get("environment", [])}
            found[path_of(block)] = variables
    for block in platform.resources("aws_lambda_function").values():
        found[path_of(block)] = block.get("environment", {}).get("variables", {})
    paths = {path: variables for path, variables in found.items() if path.split("/")[1] == region}
    named = {path.split(f"/{region}/")[1].rpartition("/")[0]: variables for path, variables in paths.items()}
    logging_in = {path: Workload(path, variables) for path, variables in named.items() if "DATABASE_HOST" in variables}
    assert len(logging_in) >= 7  # three services, process, reconcile, prepare, rotate
    return logging_in


def group_of(platform: Synthesized, region: str, workload: str) -> Block:
    own = f"/{region}/{workload}/"
    (group,) = (one for one in platform.resources("aws_security_group").values() if own in path_of(one))
    return group


def rules(platform: Synthesized, direction: str, group: Block) -> list[Block]:
    found = platform.resources(f"aws_vpc_security_group_{direction}_rule").values()
    return [one for one in found if platform.by_id(one["security_group_id"]) == group and one["from_port"] == 5432]


def database_group(platform: Synthesized, region: str) -> Block:
    return platform.resource("aws_security_group", f"{region}/database/surroundings/group/security-group")


def test_the_same_workloads_log_in_from_both_regions(platform: Synthesized) -> None:
    primary, recovery = (workloads(platform, region) for region in REGIONS)
    assert primary.keys() == recovery.keys()
    for path, workload in primary.items():
        assert workload.variables.keys() == recovery[path].variables.keys(), path


@pytest.mark.parametrize("region", REGIONS)
def test_hosts_are_the_clusters_that_may_have_the_writer(platform: Synthesized, mode: str, region: str) -> None:
    for path, workload in workloads(platform, region).items():
        hosts = workload.variables["DATABASE_HOST"].split(",")
        assert all(host.endswith(".endpoint}") for host in hosts), path
        found = [region_of(platform.by_id(host)) for host in hosts]
        assert found == CLUSTERS[mode, region], path
        assert all(path_of(platform.by_id(host)).endswith("/database/cluster") for host in hosts), path


@pytest.mark.parametrize("region", REGIONS)
def test_secrets_are_read_in_the_own_region(platform: Synthesized, region: str) -> None:
    for path, workload in workloads(platform, region).items():
        if "DATABASE_SECRET_ARN" in workload.variables:
            assert f":{REGIONS[region]}:" in workload.variables["DATABASE_SECRET_ARN"], path


@pytest.mark.requirement("W5.4")
@pytest.mark.parametrize("region", REGIONS)
def test_flows_lead_to_the_databases_of_both_regions(platform: Synthesized, region: str) -> None:
    admitted = rules(platform, "ingress", database_group(platform, region))
    groups = [platform.by_id(one["referenced_security_group_id"]) for one in admitted if "cidr_ipv4" not in one]
    from_there = [one["cidr_ipv4"] for one in rules(platform, "ingress", database_group(platform, OTHER[region]))
                  if "cidr_ipv4" in one]  # fmt: skip
    assert from_there == [f"{DATABASE_BLOCKS[region]}0.0/17"]  # the private tier that all workloads are in
    for path in workloads(platform, region):
        group = group_of(platform, region, path)
        leaving = rules(platform, "egress", group)
        own = [one for one in leaving if "referenced_security_group_id" in one]
        assert [platform.by_id(one["referenced_security_group_id"]) for one in own] == [
            database_group(platform, region)
        ], path
        (other,) = (one["cidr_ipv4"] for one in leaving if "cidr_ipv4" in one)
        assert other.startswith(DATABASE_BLOCKS[OTHER[region]]), path
        assert group in groups, path


def test_one_reconciler_works_and_it_is_that_of_the_writers_region(platform: Synthesized, mode: str) -> None:
    hosts = {
        region: workloads(platform, region)["payments-processing/reconcile-payments"].variables[
            "RECONCILIATION_WRITER_HOST"
        ]
        for region in REGIONS
    }
    idle = {"global": set(), "snapshots": {"recovery"}, "restored": {"primary"}}[mode]
    assert {region for region, host in hosts.items() if host == "none"} == idle
    for region in hosts.keys() - idle:
        assert region_of(platform.by_id(hosts[region])) == region


def test_alarms_of_a_writer_are_in_each_region_that_may_have_it(platform: Synthesized, mode: str) -> None:
    regions = {"global": set(REGIONS), "snapshots": {"primary"}, "restored": set(REGIONS)}[mode]
    for name in ("database-cpu", "database-memory", "database-connections", "reconcile-payments-failing"):
        found = [
            one
            for one in platform.resources("aws_cloudwatch_metric_alarm").values()
            if one["alarm_name"].rpartition("/")[2].removeprefix("recovery-") == name
        ]
        expected = set(REGIONS) if name.startswith("reconcile") else regions
        assert {region_of(one) for one in found} == expected, name
        for one in found:
            (topic,) = one["alarm_actions"]
            assert region_of(platform.by_id(topic)) == region_of(one)


def test_rotation_begins_when_the_writer_is_there(platform: Synthesized, mode: str) -> None:
    rotations = platform.resources("aws_secretsmanager_secret_rotation").values()
    own = [one for one in rotations if "database-rotation" in path_of(one)]
    assert len(own) == 1 + len(USERNAMES)
    writers = {"restored": "recovery"}.get(mode, "primary")
    for one in own:
        instances = [platform.by_id("${" + need + ".id}") for need in one["depends_on"] if "cluster_instance" in need]
        assert {region_of(instance) for instance in instances} == {writers}
        assert len(instances) == 3


def test_restored_cluster_has_the_passwords_settings_and_backups_of_the_primarys(
    platform: Synthesized, mode: str
) -> None:
    clusters = {region_of(one): one for one in platform.resources("aws_rds_cluster").values()}
    assert set(clusters) == ({"primary"} if mode == "snapshots" else set(REGIONS))
    if mode != "restored":
        assert not any("snapshot_identifier" in one for one in clusters.values())
        return
    primary, restored = clusters["primary"], clusters["recovery"]
    assert restored["snapshot_identifier"] == SNAPSHOT
    assert restored["master_password_wo"] == primary["master_password_wo"]
    assert path_of(platform.by_id(restored["kms_key_id"])).endswith("recovery/keys/database")
    assert "global_cluster_identifier" not in restored
    for name in ("engine_version", "backup_retention_period", "iam_database_authentication_enabled"):
        assert restored[name] == primary[name]


@pytest.mark.requirement("W3.4")
def test_each_cluster_that_may_have_the_writer_is_backed_up_in_its_own_region(platform: Synthesized, mode: str) -> None:
    """By a plan of its own: after the loss of the other region nothing there makes a backup, and none is copied."""
    for cluster in platform.resources("aws_rds_cluster").values():
        region = region_of(cluster)
        (selection,) = (
            one
            for one in platform.resources("aws_backup_selection").values()
            if cluster in [platform.by_id(arn) for arn in one["resources"]]
        )
        plan = platform.by_id(selection["plan_id"])
        assert region_of(selection) == region_of(plan) == region
        daily = next(rule for rule in plan["rule"] if rule["rule_name"] == "daily")
        vault = platform.by_id(daily["target_vault_name"])
        assert region_of(vault) == region
        # A secondary's monthly ones would be the same data as the monthly copies of the primary's in the same vault.
        secondary = mode == "global" and region == "recovery"
        assert [rule["rule_name"] for rule in plan["rule"]] == (["daily"] if secondary else ["daily", "monthly"])
        granted = permissions_of(platform, platform.by_id(selection["iam_role_arn"]))
        arn = f"arn:aws:rds:{REGIONS[region]}:123456789012:cluster:{cluster['cluster_identifier']}"
        assert {arn, cluster["kms_key_id"], vault_arn(platform, region)} <= {
            resource
            for action in ("rds:CreateDBClusterSnapshot", "kms:CreateGrant", "backup:DescribeBackupVault")
            for resource in granted[action]
        }
        alarms = platform.resources("aws_cloudwatch_metric_alarm").values()
        (missing,) = (
            one for one in alarms if one["alarm_name"].endswith("/backup-missing") and region_of(one) == region
        )
        assert missing["metric_query"][0]["metric"]["dimensions"] == {"BackupVaultName": vault["name"]}
        (paged,) = (
            one for one in platform.resources("aws_cloudwatch_composite_alarm").values()
            if region_of(one) == region and missing["alarm_name"] in one["alarm_rule"]
        )  # fmt: skip
        assert paged["alarm_actions"]


@pytest.mark.requirement("W3.2")
def test_a_snapshot_of_each_cluster_can_be_exported_in_its_own_region(platform: Synthesized) -> None:
    """RDS exports to a bucket of the snapshot's region only: the role must reach the bucket and key there."""
    (role,) = (
        one for one in platform.resources("aws_iam_role").values() if one["name"] == "payments-snapshot-export-local"
    )
    granted = permissions_of(platform, role)
    for cluster in platform.resources("aws_rds_cluster").values():
        bucket = platform.resource("aws_s3_bucket", f"{region_of(cluster)}/buckets/backups/bucket")
        folders = [one.partition("}") for one in granted["s3:PutObject*"]]
        own = [path for name, _, path in folders if platform.by_id(name + "}") == bucket]
        assert own == [f"/exports/{cluster['cluster_identifier']}/*"]
        assert any(platform.by_id(one) == bucket for one in granted["s3:ListBucket"])
        key = platform.resource("aws_kms_key", f"{region_of(cluster)}/keys/objects")
        assert any(platform.by_id(one) == key for one in granted["kms:GenerateDataKey*"])


def permissions_of(platform: Synthesized, role: Block) -> dict[str, set[str]]:
    """What a role's own policies allow: resources by action."""
    granted: dict[str, set[str]] = {}
    for policy in platform.resources("aws_iam_role_policy").values():
        if platform.by_id(policy["role"]) == role:
            for statement in platform.statements(policy["policy"]).values():
                for action in statement["actions"]:
                    granted.setdefault(action, set()).update(statement["resources"])
    return granted


def vault_arn(platform: Synthesized, region: str) -> str:
    (vault,) = (one for one in platform.resources("aws_backup_vault").values() if region_of(one) == region)
    return f"arn:aws:backup:{REGIONS[region]}:123456789012:backup-vault:{vault['name']}"


def test_replica_is_overwritten_only_where_nothing_is_protected(platform: Synthesized) -> None:
    """A promoted replica has the passwords that open the database: a deployment must not put the old ones over it."""
    protected = load("local").model_copy(update={"protected": True})
    secrets = platform.resources("aws_secretsmanager_secret").values()
    kept = synthesize(protected).resources("aws_secretsmanager_secret").values()
    assert len(kept) == len(secrets) >= 4
    assert {one["force_overwrite_replica_secret"] for one in secrets} == {True}
    assert {one["force_overwrite_replica_secret"] for one in kept} == {False}


@pytest.mark.requirement("W3.3")
def test_writers_of_a_replicated_secret_may_use_both_of_its_keys(platform: Synthesized) -> None:
    """Secrets Manager encrypts the replica with the caller's rights; else it keeps a password that is refused."""
    secrets = {
        one["name"]: {key for key in references([one["kms_key_id"], one["replica"]]) if "kms_key" in key}
        for one in platform.resources("aws_secretsmanager_secret").values()
    }
    assert all(len(keys) == 2 for keys in secrets.values())
    checked = 0
    for _, type_, block in platform.blocks:
        if type_ != "aws_iam_policy_document" or "/delivery/" in path_of(block) or region_of(block) != "primary":
            continue
        statements = [one for one in block["statement"] if one.get("effect") != "Deny"]
        puts = [one for one in statements if "secretsmanager:PutSecretValue" in one["actions"]]
        for statement in puts:
            written = {
                name: keys
                for name, keys in secrets.items()
                for resource in statement["resources"]
                if f":secret:{name}-" in resource
                or (resource.startswith("${") and platform.by_id(resource)["name"] == name)
            }
            assert written, path_of(block)
            for keys in written.values():
                for action in ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"):
                    allowed = {key for one in statements if action in one["actions"] for key in one["resources"]}
                    assert keys <= allowed, (path_of(block), action)
                checked += 1
    assert checked >= 3  # master, application, origin secret


def test_a_snapshot_to_restore_does_not_go_with_a_global_database() -> None:
    values = load("local").model_dump()
    values["database"] |= MODES["global"] | {"recovery_snapshot": SNAPSHOT}
    with pytest.raises(ValueError, match=r"recovery_snapshot: .* is not allowed; with recovery global"):
        Settings.model_validate(values)
