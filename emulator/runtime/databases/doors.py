"""Doors of clusters that take IAM tokens: they check the token, and hand the connection on to the server's socket.

PostgreSQL itself could check a token only by PAM, without which its packages are built. A door ends TLS with the
server's certificate; a user that is a member of rds_iam has to send a token as password, any other user logs in at the
server, by SCRAM.
https://www.postgresql.org/docs/current/protocol-flow.html
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from emulator.passages import passing
from emulator.runtime.databases.server import Server
from emulator.runtime.databases.tokens import Cluster, TokenError, allowed_by

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
CLEARTEXT_PASSWORD = struct.pack("!cII", b"R", 8, 3)
MOST_OF_A_MESSAGE = 1 << 20
CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What a door leads to."""

    server: Server
    cluster: Cluster


class Doors:
    """The doors of one local AWS, by their address."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._behind: dict[str, Behind] = {}
        self._listening: dict[str, socket.socket] = {}
        self._lock = threading.Lock()

    def lead(self, address: str, behind: Behind) -> None:
        """Let the door at an address lead there from now on; it is opened if there is none."""
        with self._lock:
            self._behind[address] = behind
            if address in self._listening:
                return
            listening = socket.create_server((address, behind.cluster.port))
            self._listening[address] = listening
        threading.Thread(target=self._serve, args=(address, listening), name=f"door {address}", daemon=True).start()

    def close(self, address: str) -> None:
        """Close a door."""
        with self._lock:
            self._behind.pop(address, None)
            if listening := self._listening.pop(address, None):
                listening.close()

    def _serve(self, address: str, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            behind = self._behind.get(address)
            if behind is None:
                client.close()
                continue
            threading.Thread(target=_admitted, args=(client, behind), name=f"at {address}", daemon=True).start()


DOORS = Doors()
"""The doors of this process."""


def _admitted(client: socket.socket, behind: Behind) -> None:
    """Serve one connection to its end."""
    with contextlib.suppress(OSError, ssl.SSLError, EOFError), _closing(client) as raw:
        own, startup = _startup(raw, behind)
        with own:
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(behind.server.folder / f".s.PGSQL.{behind.cluster.port}"))
            with server:
                if _may_enter(own, startup, behind):
                    server.sendall(startup)
                    _relay(own, server)


@contextlib.contextmanager
def _closing(client: socket.socket) -> Iterator[socket.socket]:
    try:
        yield client
    finally:
        client.close()


def _startup(client: socket.socket, behind: Behind) -> tuple[socket.socket, bytes]:
    """The connection, by TLS if the client asks for it, and the client's startup message."""
    while True:
        (length,) = struct.unpack("!I", _exactly(client, 4))
        message = struct.pack("!I", length) + _exactly(client, min(length, MOST_OF_A_MESSAGE) - 4)
        (code,) = struct.unpack("!I", message[4:8])
        if code == GSS_REQUEST:
            client.sendall(b"N")
        elif code == SSL_REQUEST:
            client.sendall(b"S")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(behind.server.folder / "server.pem")
            client = context.wrap_socket(client, server_side=True)
        else:
            return client, message


def _may_enter(client: socket.socket, startup: bytes, behind: Behind) -> bool:
    """Whether the connection is handed on; a refused client gets the error that RDS sends."""
    (code,) = struct.unpack("!I", startup[4:8])
    if code == CANCEL_REQUEST:
        return True
    words = startup[8:].split(b"\0")
    user = dict(zip(words[::2], words[1::2], strict=False)).get(b"user", b"").decode()
    encrypted = isinstance(client, ssl.SSLSocket)
    if behind.cluster.forces_tls and not encrypted:
        _refuse(client, f'no pg_hba.conf entry for user "{user}", no encryption')
        return False
    if user == behind.cluster.master or not _logs_in_by_iam(behind.server, user):
        return True
    with passing("database", behind.cluster.resource_id, f"login of {user}") as passage:
        client.sendall(CLEARTEXT_PASSWORD)
        token = _password(client)
        try:
            if not encrypted:
                raise TokenError("a token needs an encrypted connection")
            passage.way = allowed_by(token, user, behind.cluster)
        except TokenError as refused:
            passage.way, passage.outcome = str(refused), "refused"
            _refuse(client, f'PAM authentication failed for user "{user}"')
            return False
        passage.outcome = "logged in"
    return True


def _logs_in_by_iam(server: Server, user: str) -> bool:
    asked = (
        "SELECT 1 FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member "
        "WHERE g.rolname = 'rds_iam' AND u.rolname = %s"
    )
    with server.session() as session:
        return session.execute(asked, (user,)).fetchone() is not None


def _password(client: socket.socket) -> str:
    kind, length = struct.unpack("!cI", _exactly(client, 5))
    text = _exactly(client, min(length, MOST_OF_A_MESSAGE) - 4)
    return text.rstrip(b"\0").decode(errors="replace") if kind == b"p" else ""


def _refuse(client: socket.socket, message: str) -> None:
    fields = b"".join(
        code + text.encode() + b"\0"
        for code, text in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", "28000"), (b"M", message))
    )
    client.sendall(b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0")


def _exactly(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = client.recv(count - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Hand on what each side sends, until one of them ends."""
    while True:
        waiting = isinstance(client, ssl.SSLSocket) and client.pending()
        ready = [client] if waiting else select.select([client, server], [], [])[0]
        for one, other in ((client, server), (server, client)):
            if one in ready:
                data = one.recv(CHUNK)
                if not data:
                    return
                other.sendall(data)
