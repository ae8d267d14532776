"""Names of resources, derived in one place, so that they contain the suffix and fit AWS's limits (W0.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NameLimit:
    """The longest name that a kind of resource may have, and the longest purpose for which the stack makes one."""

    kind: str
    characters: int
    longest_purpose: str
    source: str


# The purposes are those that the stack uses; tests/platform/test_platform.py holds the synthesized names against them.
BUCKET = NameLimit(
    kind="S3 bucket",
    characters=63,
    longest_purpose="static-assets",
    source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
)
ROLE = NameLimit(
    kind="IAM role",
    characters=64,
    longest_purpose="forward-load-balancer-logs-us-east-2",
    source="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
)


TARGET_GROUP = NameLimit(
    kind="target group",
    characters=32,
    longest_purpose="(service)-g",
    source="https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html",
)


# The database clusters, by purpose. A global database requires different names in its regions.
DATABASE = "database"
RECOVERY_DATABASE = "recovery-database"
# Purposes whose full names the policies of keys and queues must know before there is anything of the name.
SNAPSHOT_EXPORT = "snapshot-export"
BACKUP_FAILURES = "backup-failures"
RESTORE_FAILURES = "restore-failures"
BACKUPS = "backups"  # the bucket of exports
# Name prefixes of the roles and buckets of the account's audit, and of the roles of AWS Config among them.
AUDIT = "audit"
CONFIGURATION = "configuration"
# Name prefix of the roles and policies of deployment from CI; those that a deployment creates do not have it.
DELIVERY = "delivery"
ROLE_BOUNDARY = f"{DELIVERY}-role-boundary"
DELIVERY_BOUNDARY = f"{DELIVERY}-boundary"
# Services whose settings only an administrator changes: the boundary of the deploy role allows reading them.
WATCHERS = ("access-analyzer", "cloudtrail", "config", "guardduty", "securityhub")
# Who else than AWS's own services reads and writes objects: S3 that replicates, and RDS that exports. Their names; the
# deploy role makes none of them, and changes nobody's trust in them (modules/delivery/roles.py).
KEEPERS = ("{prefix}-*-replication-{suffix}", "{prefix}-snapshot-export-{suffix}")

# Functions that other code refers to: `make migrate` invokes the first, `make merchant` the second, and scaling counts
# the third.
PREPARE_DATABASE = "prepare-database"
ADMINISTER_MERCHANTS = "administer-merchants"
PROCESS_PAYMENT = "process-payment"
# `make database`: the purpose of its task's role and group, and the database's role that operators log in as.
DATABASE_OPERATORS = "database-operators"
OPERATOR_USERNAME = "payments_operator"
THREAT_FINDINGS = "threat-findings"
CLUSTER = "cluster"

# Tag of a task definition's revision: registered by Terraform, from settings, or by a release, with the image that it
# releases. By it a release finds the revision of the current settings (operations/release/service.py).
MADE_BY, SETTINGS, RELEASE = "made-by", "settings", "release"


@dataclass(frozen=True)
class Names:
    """Makes the names of one environment from a prefix, the environment's suffix and the account."""

    prefix: str
    suffix: str
    account_id: str

    def of(self, purpose: str) -> str:
        """The name of a resource that is unique within an account and region: ``payments-alarms-staging``."""
        return f"{self.prefix}-{purpose}-{self.suffix}"

    def bucket(self, purpose: str, region: str) -> str:
        """The name of a bucket. Bucket names are unique over all accounts, so the account and region are in it."""
        return f"{self.of(purpose)}-{self.account_id}-{region}"

    def log_group(self, purpose: str) -> str:
        """The name of a log group; all of an environment's lie below one path, which key policies name."""
        return f"/{self.prefix}/{self.suffix}/{purpose}"

    def database_logs(self, cluster: str) -> str:
        """The path below which RDS writes the logs of the cluster of this purpose; it chooses the path itself.

        https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.CloudWatch.html
        """
        return f"/aws/rds/cluster/{self.of(cluster)}"

    def container_insights_logs(self) -> str:
        """The path of the log group of Container Insights for the cluster, which AWS fixes.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-performance-logs-ECS.html
        """
        return f"/aws/ecs/containerinsights/{self.of(CLUSTER)}"

    def secret(self, purpose: str) -> str:
        """The name of a secret; all of an environment's lie below one path."""
        return f"{self.prefix}/{self.suffix}/{purpose}"

    def vended_log_group(self, service: str, purpose: str) -> str:
        """The name of a log group that a service has its logs delivered to; below AWS's path for such.

        Outside that path every such group makes one policy of the account longer, until it is too long.
        https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
        """
        return f"/aws/vendedlogs/{service}{self.log_group(purpose)}"

    def key_alias(self, purpose: str) -> str:
        """The alias of a key."""
        return f"alias/{self.of(purpose)}"

    def firewall_log_group(self, purpose: str) -> str:
        """The name of a log group of a web ACL, which AWS wants to begin so.

        https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
        """
        return f"aws-waf-logs-{self.prefix}/{self.suffix}/{purpose}"

    def repository(self, service: str) -> str:
        """The name of a service's image repository; all of an environment's lie below one path."""
        return f"{self.prefix}/{self.suffix}/{service}"

    def alarm(self, purpose: str) -> str:
        """The name of an alarm; a path too, as the policies of keys and topics name all alarms of an environment.

        A pattern with hyphens would not do: ``payments-*-7`` takes in the environment ``pr-7``.
        """
        return f"{self.prefix}/{self.suffix}/{purpose}"

    def target_group(self, service: str, colour: str) -> str:
        """The name of a service's blue or green target group, with the colour's first letter: at most 32 characters."""
        return self.of(f"{service}-{colour[0]}")

    def too_long(self, regions: Sequence[str], services: Sequence[str] = ()) -> Iterator[str]:
        """The error if these parts make a name longer than AWS allows, for the longest name; None if all fit."""
        longest_names = {
            BUCKET: max((self.bucket(BUCKET.longest_purpose, region) for region in regions), key=len),
            ROLE: max((self.of(ROLE.longest_purpose), *(self.of(f"{one}-execution") for one in services)), key=len),
            TARGET_GROUP: max((self.target_group(one, "green") for one in services), key=len, default=""),
        }
        tightest = max(longest_names, key=lambda limit: len(longest_names[limit]) - limit.characters)
        name = longest_names[tightest]
        if (excess := len(name) - tightest.characters) > 0:
            yield (
                f"one that is {excess} shorter is: the {tightest.kind} {name!r} would have {len(name)} characters and "
                f"AWS allows {tightest.characters}"
            )
