"""HTTP as AWS clients speak it: connections that stay, bodies that are announced, chunked or absent."""

from __future__ import annotations

import functools
import http.client
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import werkzeug.test

from emulator.application import LocalAws
from emulator.process import Server
from emulator.record import read_calls
from tests.emulator.support import Client

pytestmark = pytest.mark.requirement("W8.2")

SCOPE = "Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-2/{}/aws4_request"
LIST_KEYS = {
    "Authorization": f"AWS4-HMAC-SHA256 {SCOPE.format('kms')}",
    "Content-Type": "application/x-amz-json-1.1",
    "X-Amz-Target": "TrentService.ListKeys",
}


def connection_to(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)


def test_a_connection_takes_one_request_after_another(aws: Server) -> None:
    # Where the server ends it after each answer, an answer is lost now and then, and its request sent twice.
    connection = connection_to(aws)
    connection.connect()
    opened = connection.sock
    for body, status in (("{}", 200), ('{"Limit": 0}', 400), ('{"Limit": 10}', 200)):
        connection.request("POST", "/", body=body, headers=LIST_KEYS)
        response = connection.getresponse()
        response.read()
        assert (response.status, response.getheader("Connection")) == (status, None)
        assert connection.sock is opened
    connection.close()


def test_request_body_is_requested_at_once(aws: Server) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in {**LIST_KEYS, "Content-Length": "2"}.items())
    with socket.create_connection((urlsplit(aws.url).hostname, urlsplit(aws.url).port), timeout=30) as sent:
        sent.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{head}\r\n".encode())
        assert sent.recv(100).startswith(b"HTTP/1.1 100 ")
        sent.sendall(b"{}")
        assert sent.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_body_may_come_in_chunks(aws: Server) -> None:
    for chunks, status in (([b'{"Li', b'mit": 10}'], 200), ([b'{"Li', b'mit": 0}'], 400)):
        connection = connection_to(aws)
        connection.request("POST", "/", body=iter(chunks), headers=LIST_KEYS, encode_chunked=True)
        assert connection.getresponse().status == status
        connection.close()


def test_response_to_head_has_the_content_length(client: Callable[..., Client], aws: Server) -> None:
    s3 = client("s3", "us-east-1")
    s3.create_bucket(Bucket="http-bodies")
    for key, body in (("short", b"12345"), ("empty", b""), ("long", bytes(range(256)) * 1000)):
        s3.put_object(Bucket="http-bodies", Key=key, Body=body)
        assert s3.head_object(Bucket="http-bodies", Key=key)["ContentLength"] == len(body)
        assert s3.get_object(Bucket="http-bodies", Key=key)["Body"].read() == body
        assert s3.delete_object(Bucket="http-bodies", Key=key)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_nothing_follows_the_answer_to_a_head_but_the_next_answer(aws: Server) -> None:
    signed = f"Host: x\r\nAuthorization: AWS4-HMAC-SHA256 {SCOPE.format('s3')}\r\nx-amz-colour: red\r\n"
    heads = [f"HEAD /missing/key HTTP/1.1\r\n{signed}{ending}\r\n" for ending in ("", "Connection: close\r\n")]
    with socket.create_connection((urlsplit(aws.url).hostname, urlsplit(aws.url).port), timeout=30) as sent:
        sent.sendall("".join(heads).encode())
        answers = b"".join(iter(lambda: sent.recv(10_000), b"")).decode()
    first, second, rest = answers.split("\r\n\r\n")
    assert first.startswith("HTTP/1.1 400 ")
    assert second.startswith("HTTP/1.1 400 ")
    assert rest == ""


@pytest.mark.parametrize("key", ["a b/ü", "a+b", "a%2Fb", "/leading", "trailing/", "a//b", "?query=1", "v20180820/x"])
def test_a_key_of_any_characters_is_one_object(key: str, client: Callable[..., Client], aws: Server) -> None:
    s3 = client("s3", "us-east-1")
    s3.create_bucket(Bucket="http-keys")
    s3.put_object(Bucket="http-keys", Key=key, Body=key.encode())
    assert read_calls(aws.directory)[-1].resource == {"Bucket": "http-keys", "Key": key}
    assert s3.get_object(Bucket="http-keys", Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="http-keys")["Contents"]] == [key]
    s3.delete_object(Bucket="http-keys", Key=key)


def test_a_presigned_url_is_a_call_like_any_other(client: Callable[..., Client], aws: Server) -> None:
    s3 = client("s3", "us-east-1", signature="s3v4")
    s3.create_bucket(Bucket="http-presigned")
    s3.put_object(Bucket="http-presigned", Key="k", Body=b"content")
    url = urlsplit(s3.generate_presigned_url("get_object", {"Bucket": "http-presigned", "Key": "k"}))
    connection = connection_to(aws)
    connection.request("GET", f"{url.path}?{url.query}")
    assert connection.getresponse().read() == b"content"
    connection.close()
    call = read_calls(aws.directory)[-1]
    assert (call.action, call.caller) == ("s3:GetObject", "AKIAIOSFODNN7EXAMPLE")


def test_moto_gets_one_request_at_a_time_but_for_those_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = [0]
    most = [0]

    def slow(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        inside[0] -= 1
        start_response("200 OK", [])
        return [b""]

    local_aws = LocalAws(tmp_path)
    monkeypatch.setattr(local_aws, "_moto", slow)
    receive = {
        "Authorization": f"AWS4-HMAC-SHA256 {SCOPE.format('sqs')}",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.ReceiveMessage",
    }

    def at_once(headers: dict[str, str], body: str) -> int:
        most[0] = 0
        post = functools.partial(werkzeug.test.Client(local_aws).post, "/", headers=headers, data=body)
        threads = [threading.Thread(target=post) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return most[0]

    at_once(LIST_KEYS, "{}")  # loads the model
    assert at_once(LIST_KEYS, "{}") == 1
    assert at_once(receive, '{"QueueUrl": "http://127.0.0.1/123456789012/queue"}') > 1


def test_failure_in_motos_own_interface_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_environ: object, _start_response: object) -> list[bytes]:
        raise RuntimeError("dictionary changed size during iteration")

    local_aws = LocalAws(tmp_path)
    monkeypatch.setattr(local_aws, "_moto", fail)
    answer = werkzeug.test.Client(local_aws).get("/moto-api/data.json")
    assert answer.status_code == 501
    assert "changed size" in answer.text
