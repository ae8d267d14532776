"""Parameter groups of Aurora PostgreSQL: TLS only, and a log of connections, changes and slow statements (W3.1).

Creates a parameter group for the cluster and one for its instances. Their names contain their
major version: an upgrade creates new ones next to the old.

No parameter is set to its family's default: AWS does not change the source and apply method of such a parameter, and
Terraform would plan to change them for ever. Comments below describe the defaults that matter.
https://github.com/hashicorp/terraform-provider-aws/issues/23335
"""

from __future__ import annotations

from collections.abc import Mapping

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.db_parameter_group import DbParameterGroup, DbParameterGroupParameter
from cdktf_cdktf_provider_aws.rds_cluster_parameter_group import (
    RdsClusterParameterGroup,
    RdsClusterParameterGroupParameter,
)
from constructs import Construct

from settings.database import DatabaseSettings
from settings.naming import Names

# Need a restart, which RDS does not perform by itself. The others take effect at once.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Reference.ParameterGroups.html
STATIC = {"shared_preload_libraries"}
FIRST_MAJOR_WITH_TLS_FORCED = 17


class DatabaseParameters(Construct):
    """The parameter groups of a cluster and of its instances."""

    requirements = ("W3.1", "W5.5")

    def __init__(self, scope: Construct, id_: str, *, names: Names, purpose: str, settings: DatabaseSettings) -> None:
        """``purpose`` is the cluster's, as in its name."""
        super().__init__(scope, id_)
        name = names.of(f"{purpose}-{settings.major_version}")
        family = f"aurora-postgresql{settings.major_version}"
        # Instances depend on their groups: the new group must exist before the old is deleted.
        lifecycle = TerraformResourceLifecycle(create_before_destroy=True)
        self.cluster_group = RdsClusterParameterGroup(
            self,
            "cluster",
            name=name,
            family=family,
            description=f"Cluster of {names.of(purpose)}",
            parameter=[
                RdsClusterParameterGroupParameter(name=key, value=value, apply_method=_apply_method(key))
                for key, value in _of_cluster(settings).items()
            ],
            lifecycle=lifecycle,
        )
        self.instance_group = DbParameterGroup(
            self,
            "instance",
            name=name,
            family=family,
            description=f"Instances of {names.of(purpose)}",
            parameter=[
                DbParameterGroupParameter(name=key, value=value, apply_method=_apply_method(key))
                for key, value in OF_INSTANCES.items()
            ],
            lifecycle=lifecycle,
        )


def _of_cluster(settings: DatabaseSettings) -> Mapping[str, str]:
    """In addition to the defaults: TLS 1.2 or newer, and from major version 17 on connections by TLS only.

    By settings the writer of a global database blocks commits that its region's loss would lose: of either cluster, as
    either may have the writer.
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-manage-recovery.html
    """
    forced = {} if int(settings.major_version) >= FIRST_MAJOR_WITH_TLS_FORCED else {"rds.force_ssl": "1"}
    blocks = {"rds.global_db_rpo": str(settings.recovery_point_seconds)} if settings.enforce_recovery_point else {}
    return {
        **forced,
        **blocks,
        "rds.accepted_password_auth_method": "scram",  # no MD5
        "shared_preload_libraries": "pg_stat_statements,pgaudit",
        # For an audit: changes of structure and permissions (PCI DSS 10.2), in addition to connections.
        "pgaudit.log": "ddl,role",
        "log_statement": "ddl",
        "log_connections": "1",
        "log_disconnections": "1",
        "log_lock_waits": "1",
        "log_min_duration_statement": str(settings.slow_statement_milliseconds),
        # A statement is logged without its bound values, which may be card data.
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }


# In addition to track_io_timing, which is on by default.
OF_INSTANCES = {
    "idle_in_transaction_session_timeout": "60000",  # ms; a forgotten transaction holds locks, and cleaning up
}


def _apply_method(parameter: str) -> str:
    return "pending-reboot" if parameter in STATIC else "immediate"
