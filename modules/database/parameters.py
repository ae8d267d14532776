"""Parameter groups of Aurora PostgreSQL: TLS only, and a log of connections, changes and slow statements (W3.1).

Creates a parameter group for the cluster and one for its instances. Their names carry the major version that they are
for: an upgrade makes new ones beside the old.

No parameter is set to its family's default: AWS keeps the source and apply method of such a one as they are, and
Terraform would want to change them in every plan. What a default does is said below.
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

# Need a restart, which RDS leaves to whoever wants them. The others hold at once.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Reference.ParameterGroups.html
STATIC = {"shared_preload_libraries"}
FIRST_MAJOR_WITH_TLS_FORCED = 17


class DatabaseParameters(Construct):
    """The parameter groups of a cluster and of its instances."""

    requirements = ("W3.1", "W5.5")

    def __init__(self, scope: Construct, id_: str, *, names: Names, purpose: str, settings: DatabaseSettings) -> None:
        """``purpose`` is what the cluster is for, as in its name."""
        super().__init__(scope, id_)
        name = names.of(f"{purpose}-{settings.major_version}")
        family = f"aurora-postgresql{settings.major_version}"
        # Instances hang on their groups: a new group first, then the old can go.
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
    """Beside TLS 1.2 or newer, and connections by TLS alone from major version 17 on, which are the defaults.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Security.html
    """
    forced = {} if int(settings.major_version) >= FIRST_MAJOR_WITH_TLS_FORCED else {"rds.force_ssl": "1"}
    return forced | {
        "rds.accepted_password_auth_method": "scram",  # no MD5
        "shared_preload_libraries": "pg_stat_statements,pgaudit",
        # What an auditor asks for: who changed the structure or the rights (PCI DSS 10.2), beside who came and went.
        "pgaudit.log": "ddl,role",
        "log_statement": "ddl",
        "log_connections": "1",
        "log_disconnections": "1",
        "log_lock_waits": "1",
        "log_min_duration_statement": str(settings.slow_statement_milliseconds),
        # A statement is logged as its text stands, without the values that were bound to it: those may be of cards.
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }


# Beside track_io_timing, which is on by default.
OF_INSTANCES = {
    "idle_in_transaction_session_timeout": "60000",  # ms; a forgotten transaction holds locks, and cleaning up
}


def _apply_method(parameter: str) -> str:
    return "pending-reboot" if parameter in STATIC else "immediate"
