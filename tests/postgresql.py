"""A real PostgreSQL for tests, which takes encrypted connections only; a CA of its own has signed its certificate.

It is of the major version that POSTGRESQL_MAJOR names, by default of the one that the platform's database has, from the
packages of package-lock.json. ``running()`` makes a cluster in a new folder, starts it on a free port of localhost and
removes both at the end. It is quick, as nothing is synced to disk, and survives no power cut. Started by root, it runs
as ``postgres`` or ``nobody``: PostgreSQL refuses to be root.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from emulator.runtime.postgresql import PostgresqlNotFound, give_away, installed, packaged, run
from settings.database import DatabaseSettings

HOST = "localhost"
ADDRESS = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS = 60
ATTEMPTS = 5  # another process may take the free port before PostgreSQL does
MAJOR_VARIABLE = "POSTGRESQL_MAJOR"
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "32MB"}


@dataclass(frozen=True)
class Postgresql:
    """A running cluster: where it is, who its superuser is, and the CA that vouches for it."""

    binaries: Path
    folder: Path
    port: int
    ca: Path
    password: str = field(repr=False)
    host: str = HOST

    def connection(self, user: str, password: str, database: str = "postgres") -> dict[str, Any]:
        """What psycopg needs for a connection that verifies the server's certificate."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": database,
            "user": user,
            "password": password,
            "sslmode": "verify-full",
            "sslrootcert": str(self.ca),
        }

    def connect(
        self, user: str = SUPERUSER, password: str | None = None, database: str = "postgres"
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection in autocommit; the superuser's unless told otherwise."""
        chosen = self.password if password is None else password
        return psycopg.connect(**self.connection(user, chosen, database), autocommit=True)

    def execute(
        self, statement: LiteralString, parameters: Sequence[object] = (), database: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, and return its rows."""
        with self.connect(database=database) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def configure(self, **settings: str) -> None:
        """Change settings that need no restart, such as ``ssl="off"``, for the connections that come."""
        with (self.folder / "data" / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._control("reload")

    def log(self) -> str:
        """What the server has logged so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it at once, with all of its connections."""
        self._control("stop", "--mode=immediate", "--wait")

    def start(self) -> None:
        """Start it and wait until it takes connections.

        Raises:
            subprocess.CalledProcessError: it did not start; why is in its log.
        """
        log = f"--log={self.folder / 'log'}"
        options = f"-p {self.port} -h {ADDRESS} -k ''"
        self._control("start", log, f"--options={options}", "--wait", f"--timeout={START_SECONDS}")

    def _control(self, *arguments: str) -> None:
        run([self.binaries / "pg_ctl", f"--pgdata={self.folder / 'data'}", "--silent", *arguments])


def find_binaries() -> Path:
    """The folder with the PostgreSQL of POSTGRESQL_MAJOR; without that variable that of the platform's database.

    Where its package is not installed, the newest PostgreSQL on this machine; what is on PATH comes first.

    Raises:
        PostgresqlNotFound: there is none, or none that is new enough or of the version that is asked for.
    """
    asked = os.environ.get(MAJOR_VARIABLE)
    found = packaged(int(asked or DatabaseSettings().major_version))
    if asked and found is None:
        raise PostgresqlNotFound(f"{MAJOR_VARIABLE}: there is no PostgreSQL {asked} in node_modules; run `make setup`")
    return found or installed()


@contextmanager
def running(settings: Mapping[str, str] | None = None) -> Iterator[Postgresql]:
    """A cluster with these settings beside its own, such as ``{"log_statement": "all"}``, until the end of the block.

    Raises:
        PostgresqlNotFound: there is no PostgreSQL on this machine.
    """
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        password = new_password()
        ca = _make_cluster(binaries, folder, password, settings or {})
        server = _started(binaries, folder, ca, password)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def new_password() -> str:
    """The superuser's, of a cluster."""
    return secrets.token_urlsafe()


def initialize(binaries: Path, data: Path, password_file: Path) -> None:
    """Make the data directory of a cluster."""
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    run([
        binaries / "initdb", f"--pgdata={data}", f"--username={SUPERUSER}", f"--pwfile={password_file}", *options,
    ])  # fmt: skip


def _make_cluster(binaries: Path, folder: Path, password: str, settings: Mapping[str, str]) -> Path:
    """Make the cluster's files, and return the CA's certificate."""
    data, password_file = folder / "data", folder / "password"
    password_file.write_text(password, encoding="utf-8")
    _make_certificates(folder)
    give_away(folder, *folder.iterdir())
    initialize(binaries, data, password_file)
    password_file.unlink()
    certificates = {"ssl": "on", "ssl_cert_file": str(folder / "server.pem"), "ssl_key_file": str(folder / "key.pem")}
    lines = [f"{name} = '{value}'\n" for name, value in {**QUICK, **certificates, **settings}.items()]
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.writelines(lines)
    # Encrypted only, as RDS with rds.force_ssl.
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    return folder / "ca.pem"


def _started(binaries: Path, folder: Path, ca: Path, password: str) -> Postgresql:
    attempts = ATTEMPTS
    while True:
        server = Postgresql(binaries=binaries, folder=folder, port=_free_port(), ca=ca, password=password)
        attempts -= 1
        try:
            server.start()
        except subprocess.CalledProcessError:
            if not attempts or "could not bind" not in server.log():
                raise
        else:
            return server


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        return int(free.getsockname()[1])


def _make_certificates(folder: Path) -> None:
    """ca.pem, and server.pem with key.pem, which the CA vouches for as localhost."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address(ADDRESS))])
    ca = (
        _certificate("CA of a test", ca_key, issuer="CA of a test")
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _certificate(HOST, key, issuer="CA of a test")
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "key.pem").chmod(0o600)
    folder.chmod(0o755)  # the caller reads the CA
    (folder / "ca.pem").chmod(0o644)


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, *, issuer: str) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
