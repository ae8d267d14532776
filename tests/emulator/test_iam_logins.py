"""Logins by IAM at a cluster of RDS: a token as password, for whom a policy allows it, and by TLS alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from emulator import process
from emulator.address import TOKENS_VARIABLE
from emulator.process import Server
from tests.emulator.roles import make_role
from tests.emulator.support import client_for

pytestmark = [pytest.mark.requirement("P6.5", "P4.2")]

REGION, PORT, MASTER, PASSWORD = "us-east-2", 5432, "administrator", "first-password"
USER = "payments_service"


class Cluster:
    """A cluster whose users may log in by IAM, with a user who does."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server, self._client = server, client_for(server)
        rds = self._client("rds", REGION)
        sent = {"Engine": "aurora-postgresql", "EngineVersion": "17.9", "MasterUsername": MASTER}
        sent |= {"MasterUserPassword": PASSWORD, "DatabaseName": "payments"}
        made = rds.create_db_cluster(DBClusterIdentifier="by-iam", EnableIAMDatabaseAuthentication=True, **sent)
        self.name, self.resource_id = made["DBCluster"]["Endpoint"], made["DBCluster"]["DbClusterResourceId"]
        rds.create_db_instance(
            DBInstanceIdentifier="by-iam-1",
            DBClusterIdentifier="by-iam",
            DBInstanceClass="db.r8g.large",
            Engine="aurora-postgresql",
        )
        found = process.databases(server)
        self._address, self._ca = found.names[self.name], folder / "ca.pem"
        self._ca.write_text(found.authority, encoding="ascii")
        with closing(self.connect(MASTER, PASSWORD)) as session:
            session.execute(f'CREATE USER "{USER}"'.encode())
            session.execute(f'GRANT rds_iam TO "{USER}"'.encode())
            session.commit()

    def connect(self, user: str, password: str, **changed: Any) -> psycopg.Connection[Any]:
        """A connection, by verified TLS."""
        place = {"host": self.name, "hostaddr": self._address, "port": PORT, "dbname": "payments"}
        security = {"sslmode": "verify-full", "sslrootcert": str(self._ca), "connect_timeout": 10}
        return psycopg.connect(user=user, password=password, **{**place, **security, **changed})

    def token(self, *users: str, for_user: str = USER) -> str:
        """A token for ``for_user`` by a session of a role that may log in as ``users``."""
        place = f"arn:aws:rds-db:{REGION}:123456789012:dbuser:{self.resource_id}"
        resources = [f"{place}/{one}" for one in users] or [f"{place}/nobody"]
        statement = {"Effect": "Allow", "Action": "rds-db:connect", "Resource": resources}
        role = make_role(self._client, "lambda.amazonaws.com", "logs-in", statement)
        session = self._client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        make: Any = boto3.client
        signer = make(
            "rds",
            region_name=REGION,
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )
        return str(signer.generate_db_auth_token(DBHostname=self.name, Port=PORT, DBUsername=for_user))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TOKENS_VARIABLE, "1")
        server = process.start(tmp_path_factory.mktemp("by-iam") / "aws")
    try:
        yield Cluster(server, tmp_path_factory.mktemp("ca"))
    finally:
        process.stop(server)


def test_token_of_a_role_that_may_log_in_is_a_password(cluster: Cluster) -> None:
    with closing(cluster.connect(USER, cluster.token(USER))) as session:
        assert session.execute("SELECT current_user").fetchone() == (USER,)


@pytest.mark.parametrize("flaw", ["no permission", "another user", "changed", "a password", "no TLS"])
def test_nothing_else_is(cluster: Cluster, flaw: str) -> None:
    token = cluster.token(USER)
    makers: dict[str, Callable[[], str]] = {
        "no permission": lambda: cluster.token(),  # noqa: PLW0108 (of another type)
        "another user": lambda: cluster.token(USER, for_user=MASTER),
        "changed": lambda: token[:-1] + ("0" if token[-1] != "0" else "1"),
        "a password": lambda: PASSWORD,
        "no TLS": lambda: token,
    }
    sent = makers[flaw]()
    changed = {"sslmode": "disable"} if flaw == "no TLS" else {}
    with pytest.raises(psycopg.OperationalError, match=r"PAM authentication failed|no encryption"):
        cluster.connect(USER, sent, **changed)
