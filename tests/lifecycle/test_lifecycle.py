"""The whole life of the platform on a local AWS: deployed, planned again, searched for secrets, destroyed (W8.2)."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from rich.console import Console

from emulator import process
from emulator.address import environment
from emulator.record import Call, read_calls, read_violations
from emulator.runtime import stand_in
from iam.evaluation import Decision, evaluate
from iam.evaluation import Request as Asked
from iam.synthesized import policies
from operations.deployment.local import LocalDeployment
from operations.deployment.synthesized import provider_installation, synthesize
from operations.deployment.terraform import Terraform
from operations.failover.command import run as failover
from operations.failover.request import Request as FailoverRequest
from operations.region import Region
from operations.release.command import run
from operations.release.request import Request
from policy.delivery import Record, roles
from settings import Settings
from tests.release.support import Meanwhile
from tests.secret_search import found_below, found_in
from tests.synthesized import Synthesized

pytestmark = pytest.mark.lifecycle

SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r'"(?:master_)?password"\s*:\s*"[^"]+"'),
    re.compile(r'"secret_string"\s*:\s*"[^"]+"'),
)
# What is listed after the destruction, region by region: service, call, and where the answer has what there is.
# Beside the inventory that the destruction itself looks through, so that one mistake cannot hide in both.
LISTINGS: list[tuple[str, str, dict[str, Any], Callable[[dict[str, Any]], list[Any]]]] = [
    ("ec2", "describe_vpcs", {}, lambda answer: [vpc for vpc in answer["Vpcs"] if not vpc["IsDefault"]]),
    ("ec2", "describe_nat_gateways", {}, lambda a: [n for n in a["NatGateways"] if n["State"] != "deleted"]),
    ("ec2", "describe_addresses", {}, lambda answer: answer["Addresses"]),
    ("ec2", "describe_vpc_endpoints", {}, lambda a: [e for e in a["VpcEndpoints"] if e["State"] != "deleted"]),
    ("ec2", "describe_flow_logs", {}, lambda answer: answer["FlowLogs"]),
    (
        "ec2",
        "describe_vpc_peering_connections",
        {},
        lambda a: [p for p in a["VpcPeeringConnections"] if p["Status"]["Code"] != "deleted"],
    ),
    ("logs", "describe_log_groups", {}, lambda answer: answer["logGroups"]),
    ("rds", "describe_db_clusters", {}, lambda answer: answer["DBClusters"]),
    ("rds", "describe_db_instances", {}, lambda answer: answer["DBInstances"]),
    ("rds", "describe_db_cluster_snapshots", {}, lambda answer: answer["DBClusterSnapshots"]),
    ("rds", "describe_global_clusters", {}, lambda answer: answer["GlobalClusters"]),
    ("secretsmanager", "list_secrets", {}, lambda answer: answer["SecretList"]),
    ("logs", "describe_deliveries", {}, lambda answer: answer["deliveries"]),
    ("wafv2", "list_web_acls", {"Scope": "REGIONAL"}, lambda answer: answer["WebACLs"]),
    ("wafv2", "list_rule_groups", {"Scope": "REGIONAL"}, lambda answer: answer["RuleGroups"]),
    ("cloudfront", "list_distributions", {}, lambda answer: answer["DistributionList"].get("Items", [])),
    ("cloudfront", "list_functions", {}, lambda answer: answer["FunctionList"].get("Items", [])),
    ("route53", "list_health_checks", {}, lambda answer: answer["HealthChecks"]),
    ("sns", "list_topics", {}, lambda answer: answer["Topics"]),
    ("cloudwatch", "describe_alarms", {}, lambda answer: answer["MetricAlarms"]),
    ("cloudwatch", "describe_alarms", {"AlarmTypes": ["CompositeAlarm"]}, lambda answer: answer["CompositeAlarms"]),
    ("cloudwatch", "list_dashboards", {}, lambda answer: answer["DashboardEntries"]),
    ("iam", "list_roles", {}, lambda a: [r for r in a["Roles"] if not r["Path"].startswith("/aws-service-role/")]),
]


CLUSTER = "payments-database-local"
EXPORT_MACHINE = "arn:aws:sts::123456789012:assumed-role/payments-snapshot-export-machine-local/states"
DIGEST = "0" * 64
NEW, BAD = (f"registry.example.com/web@sha256:{digit * 64}" for digit in "12")
ENVIRONMENTS = Path("settings") / "environments"
# What a running platform is asked for, as settings over those that were deployed. Each costs a plan: what changes other
# resources than the rest goes together.
CHANGES = {
    "image": f'[services.web]\nimage = "registry.example.com/web@sha256:{DIGEST}"\n',
    "size": "[services.payments]\ncpu_units = 1024\nmemory_mib = 2048\n",
    "rule": '[services.payments]\npath_patterns = ["/api/*", "/v2/*"]\npriority = 900\n',
    "health-check": '[services.web.health_check]\npath = "/health"\ninterval_seconds = 20\n',
    "operation": (
        'alarm_email_addresses = ["operations@example.com"]\n'
        "[services.web]\nmin_tasks = 3\nmax_tasks = 9\nconnections_per_task = 4\nrequests_per_target = 500\n"
        "[services.reports]\non_demand_base = 1\nspot_weight = 50\nmessages_per_task = 50\n"
        "[release]\ncanary_percent = 20\nbake_minutes = 5\nmax_p99_seconds = 1.5\n"
    ),
    "nat-and-tags": '[network]\nnat_gateways = "one"\n[tags]\nowner = "somebody else"\n',
    "database-class": '[database]\ninstance_class = "db.r8g.xlarge"\n',
    "database-readers": "[database]\nreaders = 3\n",
    "database-windows": (
        '[database]\nbackup_window = "04:00-05:00"\nmaintenance_window = "mon:06:00-mon:07:00"\n'
        "backup_retention_days = 14\n"
    ),
    "database-version": '[database]\nengine_version = "17.10"\n',
    "database-password": "[database]\nmaster_password_version = 2\n",
    "database-recovery": '[database]\nrecovery = "snapshots"\nrecovery_instances = 0\n',
    "edge": (
        '[edge]\nblocked_countries = ["XK"]\n'
        '[[edge.behaviours]]\npath_pattern = "/v2/*"\nkind = "api"\n'
        '[[edge.behaviours]]\npath_pattern = "/static/*"\nkind = "static"\n'
        '[edge.health_check]\npath = "/healthz"\n'
        '[firewall]\nmode = "count"\nrequests_per_address = 900\nmax_body_kib = 32\n'
        'blocked_addresses = ["192.0.2.0/24"]\n'
    ),
    "routing": '[edge]\norigin_routing = "latency"\n',
    "new-service": (
        f'[services.cards]\nimage = "registry.example.com/cards@sha256:{DIGEST}"\ncritical = true\n'
        'path_patterns = ["/cards/*"]\npriority = 2000\n'
    ),
    "removed-service": "",
}
# Applied before the destruction: the recovery mode without a database, and a master password that was lost.
APPLIED = '[database]\nrecovery = "snapshots"\nrecovery_instances = 0\nmaster_password_version = 2\n'
DATABASE_TYPES = ("aws_rds_cluster.", "aws_rds_cluster_instance.", "aws_secretsmanager_secret")
# What stands by for the database goes when snapshots are restored instead, with the ways to it.
STANDING_BY = {
    "aws_appautoscaling_policy",
    "aws_cloudwatch_composite_alarm",  # whose only sign in that region it was that this database is behind
    "aws_cloudwatch_metric_alarm",
    "aws_iam_role_policy",
    "aws_rds_cluster",
    "aws_rds_cluster_instance",
    "aws_rds_global_cluster",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "terraform_data",  # the rule of that composite alarm
}
# A revision of a task definition, a canary and a secret's version cannot be changed: a new one is made in its place.
# A composite alarm is replaced when its rule names other alarms, as CloudWatch deletes none that is named.
NEW_BY_NATURE = {
    "aws_cloudwatch_composite_alarm",
    "aws_ecs_task_definition",
    "aws_codedeploy_deployment_config",
    "aws_secretsmanager_secret_version",
}
# What the change of settings must change, beside what the other tests look at.
CHANGED = {
    "operation": {
        "update": {
            "aws_appautoscaling_policy",
            "aws_appautoscaling_scheduled_action",
            "aws_cloudwatch_metric_alarm",
            "aws_codedeploy_deployment_group",
            "aws_ecs_service",
        },
        "create": {"aws_sns_topic_subscription"},
    },
    "edge": {
        "update": {
            "aws_cloudfront_distribution",
            "aws_lambda_invocation",
            "aws_route53_health_check",
            "aws_wafv2_ip_set",
            "aws_wafv2_web_acl",
        }
    },
    "routing": {"update": {"aws_cloudfront_distribution"}, "create": {"aws_route53_record"}},
    "nat-and-tags": {"update": {"aws_lb", "aws_lb_target_group", "aws_lb_listener_rule", "aws_ecs_cluster", "aws_vpc"}},
}


@dataclass(frozen=True, kw_only=True)
class Released:
    """What came of a release: its exit code, what runs then, the weights by listener, and what a plan would change."""

    code: int
    output: str
    image: str
    weights: dict[str, dict[str, int]]
    plan: list[str]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What came of a snapshot: how the workflow ended, what it recorded, and the key of what RDS wrote."""

    status: str
    record: dict[str, Any]
    key_of_export: str


@dataclass(frozen=True, kw_only=True)
class FailedOver:
    """What came of a failover: its exit code, who writes then, and what a plan would change."""

    code: int
    output: str
    writers: list[str]
    plan: list[str]


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What came of changed settings: what a plan would change then, what is left, and who has another password.

    ``reviewed`` is what a plan from the state had said before, as a workflow makes it for a reviewer, ``done`` what the
    apply, which asks AWS first, then did.
    """

    reviewed: list[str]
    done: list[str]
    plan: list[str]
    recovery_clusters: list[str]
    new_passwords: list[str]
    found: list[str]


@dataclass(kw_only=True)
class Rehearsal:
    """What was seen while the platform lived and after it was gone."""

    output: str
    state: str
    state_encryption: str
    origin_secret: str
    calls: list[Call]
    violations: list[Any]
    left: dict[str, list[Any]]
    buckets_left: list[str]
    plans: dict[str, list[str]]
    released: Released
    rolled_back: Released
    asked: list[str]
    failed_over: list[FailedOver]
    passwords_found: dict[str, list[str]]
    exported: Exported
    applied: Applied


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, local_settings: Settings) -> Iterator[Rehearsal]:
    """One deployment and one destruction, which the tests of this file look at."""
    said = io.StringIO()
    directory = tmp_path_factory.mktemp("local-aws")
    deployment = LocalDeployment(Console(file=said, width=160), directory)
    try:
        deployment.deploy(process.free_port())
        server = process.find(directory)
        assert server is not None
        state = client(server, "s3").get_object(
            Bucket=local_settings.state.bucket, Key="payments/local/terraform.tfstate"
        )
        state_text = state["Body"].read().decode()
        failed_over = fail_over(deployment, server, local_settings)
        origin_secret = client(server, "secretsmanager").get_secret_value(SecretId="payments/local/origin-verify")
        plans = {name: planned(deployment, server, directory / name, text) for name, text in CHANGES.items()}
        passwords = passwords_of(server)
        shown = {"state": state_text, "screen": said.getvalue()}
        on_disk = found_below(directory, passwords)
        found = {user: found_in(shown, [one]) + on_disk[user] for user, one in passwords.items()}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in deployment.as_role("deploy").items():
                patch.setenv(name, value)
            with stand_in.serving(server, NEW) as standing, stand_in.serving(server, BAD):
                released = release(deployment, server, local_settings, NEW)
                rolled_back = release(deployment, server, local_settings, BAD, alarm="web-blue-slow")
        exported = export(server)
        applied = apply_changes(deployment, server, directory / "applied")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LocalDeployment, "abandon", lambda _: None)  # to look around before it is gone
            deployment.destroy()
        yield Rehearsal(
            output=said.getvalue(),
            state=state_text,
            state_encryption=state["ServerSideEncryption"],
            origin_secret=origin_secret["SecretString"],
            calls=list(read_calls(directory)),
            violations=list(read_violations(directory)),
            left=listed(server, (local_settings.primary.name, local_settings.recovery.name, "us-east-1")),
            buckets_left=[bucket["Name"] for bucket in client(server, "s3").list_buckets()["Buckets"]],
            plans=plans,
            released=released,
            rolled_back=rolled_back,
            asked=standing.requests,
            failed_over=failed_over,
            passwords_found=found,
            exported=exported,
            applied=applied,
        )
    finally:
        print(said.getvalue(), file=sys.stderr)  # shown where a test fails, with the times of the phases
        deployment.abandon()


def export(server: process.Server) -> Exported:
    """Let RDS take its nightly snapshot, and wait for the workflow that exports it."""
    process.set_clock(server, 0.05)
    name = process.take_snapshot(server, "us-east-2", CLUSTER).removeprefix("rds:")
    status = ended(client(server, "stepfunctions"))
    bucket, s3 = "payments-backups-local-123456789012-us-east-2", client(server, "s3")
    record = s3.get_object(Bucket=bucket, Key=f"exports/{CLUSTER}/{name}.json")
    info = s3.head_object(Bucket=bucket, Key=f"exports/{CLUSTER}/{name}/export_info_{name}.json")
    return Exported(status=status, record=json.loads(record["Body"].read()), key_of_export=info["SSEKMSKeyId"])


def ended(states: Any) -> str:
    deadline = time.monotonic() + 120
    machine = "arn:aws:states:us-east-2:123456789012:stateMachine:payments-snapshot-export-local"
    while True:
        (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
        if execution["status"] != "RUNNING":
            return str(execution["status"])
        assert time.monotonic() < deadline
        time.sleep(0.05)


def changed(deployment: LocalDeployment, server: process.Server, directory: Path, change: str) -> Terraform:
    """Terraform for the deployed platform as it would be if settings said so."""
    directory.mkdir()
    (directory / "changed.toml").write_text(f'extends = "local"\n{change}' if change else without_payments())
    stack = synthesize(str(directory / "changed.toml"), directory / "cdktf.out")
    environment = provider_installation(stack).environment(process.complete_environment(server.url))
    terraform = Terraform(stack, environment, deployment.console)
    terraform.init()
    return terraform


def planned(deployment: LocalDeployment, server: process.Server, directory: Path, change: str) -> list[str]:
    """What Terraform would do to the deployed platform if settings said so: action and address, a line each."""
    # The plan before this one was empty: what exists is what the state says.
    return changed(deployment, server, directory, change).plan(refresh=False)


def apply_changes(deployment: LocalDeployment, server: process.Server, directory: Path) -> Applied:
    """Take the recovery region's database away and make the master's password anew."""
    passwords = passwords_of(server)
    terraform = changed(deployment, server, directory, APPLIED)
    reviewer = replace(terraform, environment={**terraform.environment, **deployment.as_role("plan")})
    reviewed = reviewer.plan(refresh=False, lock=False)
    done = terraform.apply().changes
    now = passwords_of(server)
    return Applied(
        reviewed=reviewed,
        done=done,
        plan=terraform.plan(),
        recovery_clusters=recovery_clusters(server),
        new_passwords=[user for user in now if now[user] != passwords[user]],
        found=sorted(itertools.chain(*found_below(directory, now).values())),
    )


def without_payments() -> str:
    """The deployed settings less a service, and what processes for it: a file cannot take away what another has."""
    services = (ENVIRONMENTS / "_services.toml").read_text(encoding="utf-8").split("[services.")[1:]
    others = "".join(f"[services.{one}" for one in services if not one.startswith("payments]"))
    local = re.sub(r"\[processing\]\n[^\[]*", "", (ENVIRONMENTS / "local.toml").read_text(encoding="utf-8"))
    return local.replace('extends = "_services"', "") + "\n" + others


def release(
    deployment: LocalDeployment, server: process.Server, settings: Settings, image: str, alarm: str = ""
) -> Released:
    """Release an image of web; an alarm goes on once customers see it."""
    said = io.StringIO()
    # The canary lasts seconds where something is to happen meanwhile, and else a moment.
    process.set_clock(server, 2.0 if alarm else 0.05)
    cloudwatch = client(server, "cloudwatch")

    def green_has_traffic() -> bool:
        return 10 in weights(server, settings)["production"].values()

    def go_off() -> None:
        cloudwatch.set_alarm_state(AlarmName=settings.names.alarm(alarm), StateValue="ALARM", StateReason="a test")
        process.set_clock(server, 0.05)

    with Meanwhile(green_has_traffic, go_off) if alarm else contextlib.nullcontext():
        request = Request(service="web", image=image, environment="local")
        code = run(request, settings, Console(file=said, width=200), seconds_between_looks=0.1)
    name, ecs = settings.names.of("web"), client(server, "ecs")
    (service,) = ecs.describe_services(cluster=settings.names.of("cluster"), services=[name])["services"]
    (primary,) = [one for one in service["taskSets"] if one["status"] == "PRIMARY"]
    definition = ecs.describe_task_definition(taskDefinition=primary["taskDefinition"])["taskDefinition"]
    return Released(
        code=code,
        output=said.getvalue(),
        image=definition["containerDefinitions"][0]["image"],
        weights=weights(server, settings),
        plan=deployment.plan(),
    )


def weights(server: process.Server, settings: Settings) -> dict[str, dict[str, int]]:
    """The weight of each colour of web, by listener."""
    elbv2 = client(server, "elbv2")
    (balancer,) = elbv2.describe_load_balancers(Names=[settings.names.of("lb")])["LoadBalancers"]
    colours = {settings.names.target_group("web", colour): colour for colour in ("blue", "green")}
    found: dict[str, dict[str, int]] = {}
    for listener in elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
        for rule in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
            groups = rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", [])
            by_name = {one["TargetGroupArn"].split("/")[-2]: one["Weight"] for one in groups}
            if by_name.keys() & colours.keys():
                place = {443: "production", 8443: "test"}[listener["Port"]]
                found[place] = {colours[name]: weight for name, weight in by_name.items()}
    return found


def fail_over(deployment: LocalDeployment, server: process.Server, settings: Settings) -> list[FailedOver]:
    """Another instance becomes the writer; then the command moves the platform to its other region, and back."""
    client(server, "rds").failover_db_cluster(DBClusterIdentifier=CLUSTER)
    process.set_clock(server, 0.05)
    image, ended = settings.services["web"].image, []
    with pytest.MonkeyPatch.context() as patch, stand_in.serving(server, image):
        for name, value in deployment.as_role("deploy").items():
            patch.setenv(name, value)
        for to in (Region.RECOVERY, Region.PRIMARY):
            said = io.StringIO()
            request = FailoverRequest(to=to, environment="local", approve=True)
            code = failover(request, settings, Console(file=said, width=200), seconds_between_looks=0.1)
            groups = client(server, "rds").describe_global_clusters()["GlobalClusters"]
            writers = [one["DBClusterArn"] for one in groups[0]["GlobalClusterMembers"] if one["IsWriter"]]
            ended.append(FailedOver(code=code, output=said.getvalue(), writers=writers, plan=deployment.plan()))
    return ended


def recovery_clusters(server: process.Server) -> list[str]:
    """The clusters that the recovery region has, and the global ones."""
    rds = client(server, "rds", "us-west-2")
    clusters = [one["DBClusterIdentifier"] for one in rds.describe_db_clusters()["DBClusters"]]
    return clusters + [one["GlobalClusterIdentifier"] for one in rds.describe_global_clusters()["GlobalClusters"]]


def passwords_of(server: process.Server) -> dict[str, str]:
    """The passwords that the deployment made, by user."""
    secrets = client(server, "secretsmanager")
    values = [
        json.loads(secrets.get_secret_value(SecretId=f"payments/local/database/{name}")["SecretString"])
        for name in ("master", "application")
    ]
    return {value["username"]: value["password"] for value in values}


def client(server: process.Server, service: str, region: str = "us-east-2") -> Any:
    """A client of the local AWS."""
    variables = environment(server.url, region)
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=server.url,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def listed(server: process.Server, regions: tuple[str, ...]) -> dict[str, list[Any]]:
    """What a listing of each service finds, where it finds anything."""
    found: dict[str, list[Any]] = {}
    for region in regions:
        for service, call, parameters, select in LISTINGS:
            answer = getattr(client(server, service, region), call)(**parameters)
            if selected := select(answer):
                found[f"{region} {service} {call}"] = selected
    return found


@pytest.mark.requirement("W8.2")
@pytest.mark.requirement("W0.1")
def test_everything_synthesized_is_deployed_and_the_second_plan_is_empty(
    rehearsal: Rehearsal, platform: Synthesized
) -> None:
    types = platform.configuration["resource"]
    total = sum(len(blocks) for blocks in types.values())
    assert f"{total} resources of {len(types)} types" in rehearsal.output
    assert "second plan: empty" in rehearsal.output


@pytest.mark.requirement("W8.2")
def test_the_longest_chain_of_waits_stands_beside_the_time(rehearsal: Rehearsal) -> None:
    for phase in ("terraform apply", "terraform destroy"):
        (line,) = set(re.findall(rf"^ *{phase} +(\S+) s +(\d+) s: (.+?) *$", rehearsal.output, re.MULTILINE))
        wall_time, chain_time, chain = line
        assert 0 < float(chain_time) <= float(wall_time) + 1  # Terraform counts a resource's time in whole seconds
        assert " > " in chain


@pytest.mark.requirement("W8.2")
def test_no_request_breaks_the_published_contract(rehearsal: Rehearsal) -> None:
    assert rehearsal.violations == []
    assert len(rehearsal.calls) > 1000  # there was something to look at


@pytest.mark.requirement("W0.3")
def test_state_lies_encrypted_in_its_bucket_which_outlives_the_platform(
    rehearsal: Rehearsal, local_settings: Settings
) -> None:
    assert rehearsal.state_encryption == "aws:kms"
    assert rehearsal.buckets_left == [local_settings.state.bucket]
    locks = [call for call in rehearsal.calls if "terraform.tfstate.tflock" in str(call.resource)]
    assert {call.action for call in locks} >= {"s3:PutObject", "s3:DeleteObject"}


@pytest.mark.requirement("W0.5")
def test_no_secret_is_in_state_or_on_the_screen(rehearsal: Rehearsal) -> None:
    assert '"type": "aws_kms_key"' in rehearsal.state  # it is the state
    for pattern in SECRETS:
        assert not pattern.search(rehearsal.state), pattern.pattern
    on_screen = rehearsal.output.replace("AKIAIOSFODNN7EXAMPLE", "")  # the local AWS's own, printed to be used
    assert not any(pattern.search(on_screen) for pattern in SECRETS)


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W3.3")
def test_the_passwords_that_were_made_are_nowhere_but_in_their_secrets(rehearsal: Rehearsal) -> None:
    assert rehearsal.passwords_found == {"administrator": [], "payments": []}


@pytest.mark.requirement("W3.5")
@pytest.mark.requirement("W7.2")
def test_a_failover_to_another_instance_or_region_leaves_terraform_nothing_to_do(rehearsal: Rehearsal) -> None:
    there, back = rehearsal.failed_over
    assert (there.code, back.code) == (0, 0), there.output + back.output
    clusters = [
        "us-west-2:123456789012:cluster:payments-recovery-database-local",
        f"us-east-2:123456789012:cluster:{CLUSTER}",
    ]
    assert [there.writers, back.writers] == [[f"arn:aws:rds:{one}"] for one in clusters]
    assert (there.plan, back.plan) == ([], [])


@pytest.mark.requirement("W3.4")
@pytest.mark.requirement("W3.5")
def test_a_running_platform_can_be_set_to_restore_snapshots_instead(rehearsal: Rehearsal) -> None:
    assert rehearsal.applied.recovery_clusters == []
    assert rehearsal.applied.plan == []


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W3.3")
def test_a_lost_master_password_is_replaced_and_known_to_nobody(rehearsal: Rehearsal) -> None:
    assert rehearsal.applied.new_passwords == ["administrator"]
    assert rehearsal.applied.found == []


@pytest.mark.requirement("W0.5")
@pytest.mark.requirement("W2.1")
def test_the_origin_secret_was_made_and_terraform_knows_nothing_of_it(rehearsal: Rehearsal) -> None:
    assert len(rehearsal.origin_secret) >= 64
    assert '"type": "aws_lambda_invocation"' in rehearsal.state  # which made what sends and what accepts it
    assert "rule_group_arn" in rehearsal.state
    assert rehearsal.origin_secret not in rehearsal.state
    assert rehearsal.origin_secret not in rehearsal.output
    assert not any(rehearsal.origin_secret in line for plan in rehearsal.plans.values() for line in plan)


@pytest.mark.requirement("W8.2")
def test_destruction_leaves_nothing(rehearsal: Rehearsal) -> None:
    assert rehearsal.left == {}


@pytest.mark.requirement("W0.2")
def test_each_region_was_sent_what_stands_in_it(rehearsal: Rehearsal, platform: Synthesized) -> None:
    made = Counter(call.region for call in rehearsal.calls if call.action == "ec2:CreateSubnet" and call.status == 200)
    stood = Counter({"aws": "us-east-2", "aws.recovery": "us-west-2"}[s["provider"]] for s in _subnets(platform))
    assert made == stood


def _subnets(platform: Synthesized) -> list[dict[str, Any]]:
    return list(platform.resources("aws_subnet").values())


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_settings_replaces_nothing_that_is_in_use(rehearsal: Rehearsal, change: str) -> None:
    plan = [line.split(" ", 1) for line in rehearsal.plans[change]]
    assert plan, "the change changes nothing"
    undone = [(action, address) for action, address in plan if action in {"replace", "delete"}]
    if change == "removed-service":
        undone = [one for one in undone if one[0] != "delete" or "payments" not in one[1]]
    if change == "database-recovery":  # who works with what stands by goes with it
        undone = [one for one in undone if one[0] != "delete" or "recovery_payments-processing" not in one[1]]
    expected = {
        "nat-and-tags": {"aws_nat_gateway", "aws_eip", "aws_route", "aws_route_table"},
        "database-recovery": NEW_BY_NATURE | STANDING_BY,
        "routing": {"aws_route53_record"},  # those of the other name, which the distribution has left by then
    }
    assert [one for one in undone if one[1].split(".")[0] not in expected.get(change, NEW_BY_NATURE)] == []


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("change", CHANGED)
def test_each_part_of_a_change_of_settings_changes_what_it_is_about(rehearsal: Rehearsal, change: str) -> None:
    done: dict[str, set[str]] = {}
    for line in rehearsal.plans[change]:
        action, address = line.split(" ", 1)
        done.setdefault(action, set()).add(address.split(".")[0])
    for action, types in CHANGED[change].items():
        assert types <= done[action]


@pytest.mark.requirement("W7.1")
def test_a_service_that_settings_no_longer_have_goes_and_nothing_else(rehearsal: Rehearsal) -> None:
    plan = [line.split(" ", 1) for line in rehearsal.plans["removed-service"]]
    gone = {address.split(".")[0] for action, address in plan if action == "delete"}
    assert gone >= {"aws_ecs_service", "aws_lb_listener_rule", "aws_lb_target_group", "aws_codedeploy_deployment_group"}
    # The smoke test forgets its checks, the others' scaling its connections, the composite alarms' rules its symptoms,
    # and the board its graphs; the endpoints and the load balancer stay as they are.
    assert {address.split(".")[0] for action, address in plan if action == "update"} == {
        "aws_appautoscaling_policy",
        "aws_cloudwatch_dashboard",
        "aws_iam_role_policy",
        "aws_lambda_function",
        "terraform_data",
    }


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize("region", ["primary", "recovery"])
@pytest.mark.parametrize("service", ["web", "payments"])
def test_a_service_goes_before_what_leads_to_it(rehearsal: Rehearsal, region: str, service: str) -> None:
    """Terraform destroys first what depends on other things: no more releases, then no tasks, no rules, no targets."""
    needs = {
        f"{one['type']}.{one['name']}": set(one["instances"][0].get("dependencies", []))
        for one in json.loads(rehearsal.state)["resources"]
        if one["mode"] == "managed"
    }

    def of(type_: str, part: str) -> set[str]:
        return {address for address in needs if address.startswith(f"{type_}.{region}_services_{service}{part}")}

    order = [
        of("aws_codedeploy_deployment_group", "-release_group"),
        of("aws_ecs_service", "_service"),
        of("aws_lb_listener_rule", "_"),
        of("aws_lb_target_group", "_"),
    ]
    assert [len(one) for one in order] == [1, 1, 2, 2]
    for first, then in itertools.pairwise(order):
        assert all(needs[one] & then for one in first)
    (running,) = order[1]
    assert order[2] <= needs[running]


@pytest.mark.requirement("W1.2", "W2.3", "W2.4", "Q2")
def test_a_release_ends_with_the_new_image_and_an_empty_plan(rehearsal: Rehearsal) -> None:
    released = rehearsal.released
    assert (released.code, released.image) == (0, NEW), released.output
    assert released.weights == {"production": {"blue": 0, "green": 100}, "test": {"blue": 0, "green": 100}}
    assert released.plan == []
    assert rehearsal.asked == ["/"]  # by the smoke test, through the test listener


@pytest.mark.requirement("W1.2", "W2.3", "W2.4", "Q2")
def test_a_release_that_an_alarm_takes_back_leaves_the_image_the_weights_and_the_plan(rehearsal: Rehearsal) -> None:
    rolled_back = rehearsal.rolled_back
    assert (rolled_back.code, rolled_back.image) == (3, NEW), rolled_back.output
    assert "web-blue-slow" in rolled_back.output
    assert rolled_back.weights == {"production": {"blue": 0, "green": 100}, "test": {"blue": 0, "green": 100}}
    assert rolled_back.plan == []


@pytest.mark.requirement("W7.1")
@pytest.mark.parametrize(
    ("change", "type_"),
    [("rule", "aws_lb_listener_rule"), ("health-check", "aws_lb_target_group")],
)
def test_rules_and_target_groups_are_changed_in_place(rehearsal: Rehearsal, change: str, type_: str) -> None:
    assert {line.split(" ")[0] for line in rehearsal.plans[change] if f" {type_}." in line} == {"update"}


@pytest.mark.requirement("W1.2")
@pytest.mark.parametrize("change", ["image", "size"])
def test_a_running_blue_green_service_is_left_to_its_release(rehearsal: Rehearsal, change: str) -> None:
    """CodeDeploy owns its task definition: Terraform makes a revision and does not touch the service."""
    assert any(" aws_ecs_task_definition." in line for line in rehearsal.plans[change])
    assert not [line for line in rehearsal.plans[change] if " aws_ecs_service." in line]


@pytest.mark.requirement("W7.1")
@pytest.mark.requirement("W3.1")
@pytest.mark.parametrize("change", [name for name in CHANGES if name.startswith("database-")])
def test_a_change_of_the_database_is_made_in_place(rehearsal: Rehearsal, change: str) -> None:
    of_database = [line.split(" ", 1) for line in rehearsal.plans[change]]
    of_primary = [
        (action, address)
        for action, address in of_database
        if address.startswith(DATABASE_TYPES) and ".primary_" in address and address.split(".")[0] not in NEW_BY_NATURE
    ]
    assert {action for action, _ in of_primary} <= {"create" if change == "database-readers" else "update"}
    assert bool(of_primary) == (change != "database-recovery")


@pytest.mark.requirement("W3.3")
def test_a_lost_master_password_is_made_anew_in_cluster_and_secret_together(rehearsal: Rehearsal) -> None:
    changed = {line.rsplit("_", 1)[0] for line in rehearsal.plans["database-password"]}
    assert changed == {
        "update aws_rds_cluster.primary_database_cluster",
        "replace aws_secretsmanager_secret_version.primary_database-secrets_master-version",
    }


@pytest.mark.requirement("W8.1")
def test_workflows_may_do_what_was_done_and_nothing_else_without_a_reason(
    rehearsal: Rehearsal, platform: Synthesized, local_settings: Settings
) -> None:
    found = roles(platform.configuration, account_id=local_settings.account_id)
    held = Record(rehearsal.calls, found, local_settings).held()
    assert held.refused == ()
    assert held.escapes == ()
    assert held.idle == ()
    assert held.administrators  # the roles were made, and not by themselves


@pytest.mark.requirement("W8.1")
def test_a_reviewer_who_may_only_read_the_state_sees_the_whole_change(rehearsal: Rehearsal) -> None:
    assert rehearsal.applied.done
    assert sorted(rehearsal.applied.reviewed) == sorted(rehearsal.applied.done)
    by_plan_role = [call for call in rehearsal.calls if "/payments-delivery-plan-local/" in call.assumed_role]
    assert {call.action for call in by_plan_role} >= {"s3:GetObject", "cloudfront:ListCachePolicies"}
    assert not [call for call in by_plan_role if call.operation in {"GetSecretValue", "PutObject"}]


@pytest.mark.requirement("W3.2")
def test_a_nights_snapshot_is_exported_by_the_platforms_own_rule_machine_and_roles(
    rehearsal: Rehearsal, platform: Synthesized
) -> None:
    exported = rehearsal.exported
    assert exported.status == "SUCCEEDED"
    assert exported.record["Export"]["KmsKeyId"] == exported.key_of_export
    assert exported.record["Export"]["IamRoleArn"] == "arn:aws:iam::123456789012:role/payments-snapshot-export-local"
    (policy,) = [
        policy
        for policy in policies(platform.configuration, account_id="123456789012")
        if "snapshot-export_machine-policy" in policy.owner
    ]
    calls = [call for call in rehearsal.calls if call.assumed_role == EXPORT_MACHINE]
    assert {call.operation for call in calls} >= {"StartExportTask", "DescribeExportTasks", "PutObject", "DescribeKey"}
    assert [call.action for call in calls if not allowed(policy.document, call)] == []


def allowed(document: dict[str, Any], call: Call) -> bool:
    """Whether a statement allows the action on some resource: the conditions are those of other calls."""
    request = Asked(action=call.action, resource="x", principal="y")
    return any(
        evaluate({"Statement": [statement | {"Resource": ["*"]}]}, request) is Decision.ALLOW
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    )
