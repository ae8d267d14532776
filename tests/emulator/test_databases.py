"""A real PostgreSQL behind the clusters of RDS: by name, by verified TLS, by the master's password, followed, moved."""

from __future__ import annotations

import io
import json
import socket
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from emulator import process
from emulator.__main__ import application as command
from emulator.process import Server
from emulator.runtime.databases.server import find_binaries
from emulator.runtime.postgresql import major_version
from settings.common import FUNCTIONS_CA_FILE
from synthesis import packaging
from synthesis.packaging import FUNCTIONS
from tests.emulator.network_support import interface_endpoint
from tests.emulator.release_support import eventually
from tests.emulator.roles import make_role
from tests.emulator.support import Client, client_for
from tests.warm_aws import LocalAws

pytestmark = pytest.mark.requirement("W8.3")

PASSWORD = "first-password"
FAMILY = "aurora-postgresql17"
PRIMARY, RECOVERY = "us-east-2", "us-west-2"


@dataclass(frozen=True)
class Deployed:
    """A global database of two clusters, of which the first has a writer and two readers."""

    server: Server
    client: Callable[..., Client]
    databases: process.Databases
    ca: Path

    def cluster(self, region: str) -> dict[str, Any]:
        """One of the clusters, as RDS describes it."""
        return dict(self.client("rds", region).describe_db_clusters()["DBClusters"][0])

    def connection(self, name: str, password: str = PASSWORD, **changed: Any) -> dict[str, Any]:
        """What psycopg needs for the master's verified connection to an endpoint."""
        return {
            "host": name,
            "hostaddr": self.databases.names[name],
            "user": "administrator",
            "password": password,
            "dbname": "payments",
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca),
            "connect_timeout": 5,
            **changed,
        }

    def execute(self, name: str, statement: str, **changed: Any) -> list[Any]:
        """The rows of a statement at an endpoint."""
        with psycopg.connect(**self.connection(name, **changed), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def comes(self, name: str, statement: str, rows: list[Any]) -> bool:
        """Whether a statement soon has these rows at a server that follows."""

        def here() -> bool:
            try:
                return self.execute(name, statement) == rows
            except psycopg.Error:
                return False

        return bool(eventually(here))

    def hosts(self) -> str:
        """The endpoints of both clusters, as the stack gives them to whoever connects."""
        return ",".join(self.cluster(region)["Endpoint"] for region in (PRIMARY, RECOVERY))

    def move_the_writer(self, region: str) -> None:
        """Switch over to the cluster of a region."""
        rds, group = self.client("rds", region), {"GlobalClusterIdentifier": "both"}
        rds.switchover_global_cluster(**group, TargetDbClusterIdentifier=self.cluster(region)["DBClusterArn"])
        eventually(lambda: "FailoverState" not in rds.describe_global_clusters(**group)["GlobalClusters"][0])

    def writing_region(self) -> str:
        """Where the writer is."""
        (group,) = self.client("rds").describe_global_clusters()["GlobalClusters"]
        return next(str(one["DBClusterArn"]).split(":")[3] for one in group["GlobalClusterMembers"] if one["IsWriter"])


def _deploy(client: Callable[..., Client]) -> None:
    rds = client("rds", PRIMARY)
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="parameters", DBParameterGroupFamily=FAMILY, Description="of the cluster"
    )
    rds.create_db_parameter_group(
        DBParameterGroupName="parameters", DBParameterGroupFamily=FAMILY, Description="of the instances"
    )
    timeout = {"ParameterName": "idle_in_transaction_session_timeout", "ParameterValue": "60000"}
    rds.modify_db_parameter_group(
        DBParameterGroupName="parameters", Parameters=[{**timeout, "ApplyMethod": "immediate"}]
    )
    cluster = {"Engine": "aurora-postgresql", "EngineVersion": "17.9"}
    arn = rds.create_db_cluster(
        DBClusterIdentifier="first",
        MasterUsername="administrator",
        MasterUserPassword=PASSWORD,
        DatabaseName="payments",
        DBClusterParameterGroupName="parameters",
        **cluster,
    )["DBCluster"]["DBClusterArn"]
    instance = {"Engine": "aurora-postgresql", "DBInstanceClass": "db.r8g.large"}
    for number in (1, 2, 3):
        rds.create_db_instance(
            DBInstanceIdentifier=f"first-{number}",
            DBClusterIdentifier="first",
            DBParameterGroupName="parameters",
            **instance,
        )
    rds.create_global_cluster(GlobalClusterIdentifier="both", SourceDBClusterIdentifier=arn)
    there = client("rds", RECOVERY)
    there.create_db_cluster(DBClusterIdentifier="second", GlobalClusterIdentifier="both", **cluster)
    there.create_db_instance(DBInstanceIdentifier="second-1", DBClusterIdentifier="second", **instance)


@pytest.fixture(scope="module")
def deployed(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    directory = tmp_path_factory.mktemp("databases")
    with empty_aws(directory / "aws", seconds_per_minute=0.05) as server:
        client = client_for(server)
        _deploy(client)
        databases = process.databases(server)
        ca = directory / "ca.pem"
        ca.write_text(databases.authority, encoding="ascii")
        yield Deployed(server, client, databases, ca)


def test_each_endpoint_that_rds_names_leads_to_a_server_whose_certificate_has_that_name(deployed: Deployed) -> None:
    for region in (PRIMARY, RECOVERY):
        writes = region == deployed.writing_region()
        cluster = deployed.cluster(region)
        instances = deployed.client("rds", region).describe_db_instances()["DBInstances"]
        writer = {one["DBInstanceIdentifier"]: one["IsClusterWriter"] for one in cluster["DBClusterMembers"]}
        expected = {cluster["Endpoint"]: writes, cluster["ReaderEndpoint"]: False} | {
            one["Endpoint"]["Address"]: writes and writer[one["DBInstanceIdentifier"]] for one in instances
        }
        for name, takes_writes in expected.items():
            assert deployed.execute(name, "SHOW transaction_read_only") == [("off" if takes_writes else "on",)], name
    major = major_version(find_binaries(17))  # what RDS was asked for, if its Node package is installed
    assert deployed.execute(cluster["Endpoint"], "SHOW server_version_num")[0][0].startswith(str(major))


def test_endpoint_of_the_global_database_leads_to_the_writer_and_is_in_no_certificate(deployed: Deployed) -> None:
    (group,) = deployed.client("rds").describe_global_clusters()["GlobalClusters"]
    assert deployed.execute(group["Endpoint"], "SHOW transaction_read_only", sslmode="verify-ca") == [("off",)]
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        deployed.execute(group["Endpoint"], "SELECT 1")


def test_command_prints_each_endpoint_with_its_address_and_writes_the_authority(deployed: Deployed) -> None:
    said = CliRunner().invoke(command, ["databases", "--directory", str(deployed.server.directory)])
    assert said.exit_code == 0, said.output
    printed = {name: address for address, name in (line.split() for line in said.stdout.splitlines())}
    assert printed == deployed.databases.names
    assert deployed.cluster(PRIMARY)["Endpoint"] in printed
    assert (deployed.server.directory / "authority.pem").read_text(encoding="ascii") == deployed.ca.read_text()


def test_command_refuses_where_no_local_aws_runs(tmp_path: Path) -> None:
    said = CliRunner().invoke(command, ["databases", "--directory", str(tmp_path)])
    assert (said.exit_code, said.stdout) == (2, "")
    assert f"no local AWS runs in {tmp_path}" in said.stderr


def test_a_wrong_password_plain_text_and_rds_own_user_are_refused(deployed: Deployed) -> None:
    endpoint = deployed.cluster(PRIMARY)["Endpoint"]  # writer or not
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        deployed.execute(endpoint, "SELECT 1", password="guessed")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        deployed.execute(endpoint, "SELECT 1", sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
        deployed.execute(endpoint, "SELECT 1", user="rdsadmin")


def test_parameters_that_matter_hold_and_the_master_is_no_superuser(deployed: Deployed) -> None:
    endpoint = deployed.cluster(PRIMARY)["Endpoint"]
    assert deployed.execute(endpoint, "SHOW idle_in_transaction_session_timeout") == [("1min",)]
    assert deployed.execute(endpoint, "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user") == [
        (False, True)
    ]
    group = {"DBClusterParameterGroupName": "parameters"}
    forced = {"ParameterName": "rds.force_ssl", "ApplyMethod": "immediate"}
    rds = deployed.client("rds", PRIMARY)
    rds.modify_db_cluster_parameter_group(**group, Parameters=[{**forced, "ParameterValue": "0"}])
    assert eventually(lambda: deployed.execute(endpoint, "SELECT 1", sslmode="disable")) == [(1,)]
    rds.modify_db_cluster_parameter_group(**group, Parameters=[{**forced, "ParameterValue": "1"}])


def test_written_rows_are_read_in_both_regions_and_survive_a_switchover(deployed: Deployed) -> None:
    old, new = deployed.writing_region(), RECOVERY if deployed.writing_region() == PRIMARY else PRIMARY
    before, after = deployed.cluster(old), deployed.cluster(new)
    deployed.execute(before["Endpoint"], "CREATE TABLE kept AS SELECT 1 AS value")
    for reader in (before["ReaderEndpoint"], after["Endpoint"]):
        assert deployed.comes(reader, "SELECT value FROM kept", [(1,)])

    deployed.move_the_writer(new)
    deployed.execute(after["Endpoint"], "INSERT INTO kept VALUES (2)")
    for reader in (before["Endpoint"], before["ReaderEndpoint"]):
        assert deployed.execute(reader, "SHOW transaction_read_only") == [("on",)]
        assert deployed.comes(reader, "SELECT value FROM kept", [(1,), (2,)])


def test_failover_within_a_cluster_gives_the_writers_endpoint_to_the_instance_that_is_promoted(
    deployed: Deployed,
) -> None:
    region = PRIMARY
    if deployed.writing_region() != region:
        deployed.move_the_writer(region)
    endpoint = deployed.cluster(region)["Endpoint"]
    deployed.execute(endpoint, "CREATE TABLE survives AS SELECT 1 AS value")
    rds = deployed.client("rds", region)
    rds.failover_db_cluster(DBClusterIdentifier="first", TargetDBInstanceIdentifier="first-3")
    described = rds.describe_db_instances()["DBInstances"]
    address = {one["DBInstanceIdentifier"]: one["Endpoint"]["Address"] for one in described}
    assert deployed.execute(endpoint, "INSERT INTO survives VALUES (2) RETURNING value") == [(2,)]
    assert deployed.execute(address["first-3"], "SHOW transaction_read_only") == [("off",)]
    for reader in (address["first-1"], address["first-2"], deployed.cluster(RECOVERY)["Endpoint"]):
        assert deployed.comes(reader, "SELECT value FROM survives", [(1,), (2,)])


def test_servers_of_a_lost_region_refuse_connections_until_it_is_back(deployed: Deployed) -> None:
    lost = deployed.writing_region()
    endpoint = deployed.cluster(lost)["Endpoint"]
    deployed.execute(endpoint, "CREATE TABLE before AS SELECT 1 AS value")
    process.lose_region(deployed.server, lost)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        deployed.execute(endpoint, "SELECT 1")
    process.restore_region(deployed.server, lost)
    assert deployed.execute(endpoint, "SELECT value FROM before") == [(1,)]


def test_master_password_is_the_one_last_set_through_rds(deployed: Deployed) -> None:
    cluster = deployed.cluster(deployed.writing_region())
    name, endpoint = {"DBClusterIdentifier": cluster["DBClusterIdentifier"]}, cluster["Endpoint"]
    deployed.execute(endpoint, "ALTER ROLE administrator PASSWORD 'rotated'")
    rds = deployed.client("rds", deployed.writing_region())
    rds.modify_db_cluster(**name, BackupRetentionPeriod=7, ApplyImmediately=True)
    assert deployed.execute(endpoint, "SELECT 1", password="rotated") == [(1,)], "and nobody sets it back"
    rds.modify_db_cluster(**name, MasterUserPassword="another-password", ApplyImmediately=True)
    assert deployed.execute(endpoint, "SELECT 1", password="another-password") == [(1,)]
    rds.modify_db_cluster(**name, MasterUserPassword=PASSWORD, ApplyImmediately=True)


def test_fork_has_the_data_of_its_base_and_writes_of_one_do_not_reach_the_other(
    deployed: Deployed, tmp_path: Path
) -> None:
    endpoint = deployed.cluster(deployed.writing_region())["Endpoint"]
    deployed.execute(endpoint, "CREATE TABLE shared AS SELECT 1 AS value")
    with process.forked(deployed.server, tmp_path / "fork") as fork:
        copy = Deployed(fork, client_for(fork), process.databases(fork), deployed.ca)
        assert copy.execute(endpoint, "DELETE FROM shared RETURNING value") == [(1,)]
        assert deployed.execute(endpoint, "SELECT value FROM shared") == [(1,)]


def _zip_of(function: str) -> bytes:
    """A function as it is packaged, but for its libraries: those of this machine stand for them."""
    folder = FUNCTIONS / function
    files = packaging._of_the_repository(folder / packaging.PACKAGES, packaging.REPOSITORY)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, path in {**files, "handler.py": folder / "handler.py"}.items():
            zipped.write(path, name)
    return archive.getvalue()


def _function(deployed: Deployed, name: str, variables: dict[str, str]) -> str:
    """A function in the VPC of the writer's region, with a way to the APIs that it calls; returns its ARN."""
    region = deployed.writing_region()

    def make(service: str) -> Any:
        return deployed.client(service, region)

    (vpc,) = make("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    subnets = make("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    if not make("ec2").describe_vpc_endpoints()["VpcEndpoints"]:
        interface_endpoint(make("ec2"), subnets[0]["SubnetId"], "secretsmanager", region)
        (default,) = make("ec2").describe_security_groups(GroupNames=["default"])["SecurityGroups"]
        # As that of any VPC has by AWS: https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
        among_members = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": default["GroupId"]}]}
        make("ec2").authorize_security_group_ingress(GroupId=default["GroupId"], IpPermissions=[among_members])
    made = make("lambda").create_function(
        FunctionName=name.replace("_", "-"),
        Role=make_role(make, "lambda.amazonaws.com", name),
        Runtime="python3.13",
        Handler="handler.handler",
        Code={"ZipFile": _zip_of(name)},
        Timeout=60,
        VpcConfig={"SubnetIds": [subnets[0]["SubnetId"]], "SecurityGroupIds": []},
        Environment={"Variables": {"DATABASE_HOST": deployed.hosts(), **variables}},
    )
    return str(made["FunctionArn"])


def test_functions_migrate_the_schema_and_rotate_the_master_password_with_the_variables_of_the_stack(
    deployed: Deployed,
) -> None:
    region = deployed.writing_region()
    secrets = deployed.client("secretsmanager", region)
    login = {"engine": "postgres", "host": "unknown", "username": "administrator", "password": PASSWORD}
    value = json.dumps({**login, "dbname": "payments"})
    secret = secrets.create_secret(Name="master", SecretString=value)["ARN"]
    migrating = {
        "DATABASE_NAME": "payments",
        "DATABASE_LOGIN": "secret",
        "DATABASE_SECRET_ARN": secret,
        "DATABASE_CA_FILE": FUNCTIONS_CA_FILE,
        "DATABASE_LOGINS": json.dumps({"payments": "api"}),
    }
    arn = _function(deployed, "prepare_database", migrating)
    answer = deployed.client("lambda", region).invoke(FunctionName=arn, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    endpoint = deployed.cluster(region)["Endpoint"]
    assert deployed.execute(endpoint, "SELECT rolname FROM pg_roles WHERE rolname = 'payments'") == [("payments",)]
    assert deployed.execute(endpoint, "SELECT count(*) > 0 FROM pg_tables WHERE tableowner = 'administrator'") == [
        (True,)
    ]

    arn = _function(deployed, "rotate_database_secret", {})
    secrets.rotate_secret(SecretId=secret, RotationLambdaARN=arn)
    rotated = eventually(lambda: _changed(secrets, secret, PASSWORD))
    assert deployed.execute(endpoint, "SELECT 1", password=rotated) == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        deployed.execute(endpoint, "SELECT 1")


def _changed(secrets: Client, secret: str, before: str) -> str:
    password = str(json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])["password"])
    return "" if password == before else password


def test_cluster_has_its_endpoints_from_its_creation_until_it_is_deleted(empty_aws: LocalAws, tmp_path: Path) -> None:
    with empty_aws(tmp_path / "aws") as server:
        rds = client_for(server)("rds")
        engine = {"Engine": "aurora-postgresql"}
        rds.create_db_cluster(
            DBClusterIdentifier="one",
            EngineVersion="17.9",
            MasterUsername="administrator",
            MasterUserPassword=PASSWORD,
            **engine,
        )
        cluster = rds.describe_db_clusters()["DBClusters"][0]
        assert {cluster["Endpoint"], cluster["ReaderEndpoint"]} == process.databases(server).names.keys()
        rds.create_db_instance(
            DBInstanceIdentifier="one-1", DBClusterIdentifier="one", DBInstanceClass="db.r8g.large", **engine
        )
        address = process.databases(server).names[cluster["Endpoint"]]
        socket.create_connection((address, 5432), timeout=5).close()
        rds.delete_db_instance(DBInstanceIdentifier="one-1", SkipFinalSnapshot=True)
        rds.delete_db_cluster(DBClusterIdentifier="one", SkipFinalSnapshot=True)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, 5432), timeout=5)
        assert process.databases(server).names == {}
