"""The front that the servers of the local AWS share: what it reads of a request, and what it refuses."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from emulator.runtime.forwarding import Answer, Front, Request

pytestmark = pytest.mark.requirement("W8.3")


class Echo(Front):
    """Answers with what it has read."""

    def reply(self, request: Request) -> Answer | None:
        """The request's body; nothing at /none, and a gap at /gap."""
        if request.path == "/gap":
            raise NotImplementedError("an action")
        return None if request.path == "/none" else Answer(status=200, body=request.host.encode() + b" " + request.body)


@pytest.fixture
def client() -> Iterator[http.client.HTTPConnection]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    yield connection
    connection.close()
    server.shutdown()
    server.server_close()


def test_body_and_host_reach_the_reply(client: http.client.HTTPConnection) -> None:
    client.request("POST", "/x", body=b"hello", headers={"Host": "Pay.example.com:443"})
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (200, b"pay.example.com hello")


def test_body_in_chunks_is_read_whole_and_the_connection_goes_on(client: http.client.HTTPConnection) -> None:
    for _ in range(2):
        client.request("POST", "/x", body=iter([b"hel", b"lo"]), headers={"Host": "a"}, encode_chunked=True)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"a hello")


@pytest.mark.parametrize(
    "headers",
    [
        {"Transfer-Encoding": "gzip"},
        {"Content-Length": "many"},
        {"Content-Length": "-1"},
        {"Transfer-Encoding": "chunked"},
    ],
)
def test_body_without_a_known_length_is_refused(client: http.client.HTTPConnection, headers: dict[str, str]) -> None:
    client.putrequest("POST", "/x")
    for name, value in headers.items():
        client.putheader(name, value)
    client.endheaders(b"no size\r\n")
    answer = client.getresponse()
    assert answer.status == 400
    assert answer.read().startswith(b"<html>")


def test_what_is_not_played_is_named(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/gap")
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (501, b"the local AWS lacks an action")


def test_connection_without_a_reply_is_closed(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/none")
    with pytest.raises(http.client.RemoteDisconnected):
        client.getresponse()
