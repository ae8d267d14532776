"""Load on the payments service, and an account of its responses."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from tests.payments.support import Running, authorized, keyed

SECONDS_TO_END = 30


@dataclass
class Load:
    """Clients that create payments until they are stopped, spread as by a load balancer."""

    urls: Sequence[str]
    key: str = field(repr=False)
    """The API key."""
    accepted: list[str] = field(default_factory=list)
    """The ids of payments that were answered 202."""
    failed: list[str] = field(default_factory=list)
    """What else there was: statuses, and errors of connections that had taken a request."""
    leaving: set[str] = field(default_factory=set)
    """URLs that have sent Connection: close; a load balancer sends them nothing new."""
    under_way: Counter[str] = field(default_factory=Counter)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Be one of the clients."""
        with httpx.Client(timeout=10, trust_env=False, headers=authorized(self.key)) as client:
            while not self._stopping.is_set():
                self._take(client)

    def stop(self) -> None:
        """Send no more."""
        self._stopping.set()

    def _take(self, client: httpx.Client) -> None:
        key = str(uuid4())
        body = {"amount": 100, "currency": "USD", "token": "tok_load_1"}
        with self._lock:
            url = next(url for url in self.urls if url not in self.leaving)
            self.under_way[url] += 1
        try:
            answer = client.post(f"{url}/api/v1/payments", json=body, headers=keyed(key))
        except httpx.TransportError as error:
            self.failed.append(type(error).__name__)
            return
        finally:
            with self._lock:
                self.under_way[url] -= 1
        if answer.headers.get("Connection") == "close":
            self.leaving.add(url)
        if answer.status_code == 202:
            self.accepted.append(answer.json()["id"])
        else:
            self.failed.append(f"{answer.status_code} {answer.text}")

    def wait_for(self, count: int) -> None:
        """Until so many more payments were accepted."""
        wanted = len(self.accepted) + count
        until(lambda: len(self.accepted) >= wanted, f"{count} more payments")


def until(done: Callable[[], bool], what: str) -> None:
    """Wait until something is so; how long it takes says nothing."""
    deadline = time.monotonic() + SECONDS_TO_END
    while not done():
        assert time.monotonic() < deadline, f"there were no {what} within {SECONDS_TO_END} s"
        time.sleep(0.01)


@contextmanager
def load(*services: Running, clients: int = 4) -> Iterator[Load]:
    """Load until the end of the block; the clients try the services in this order."""
    one = Load([service.url for service in services], services[0].key)
    threads = [threading.Thread(target=one.run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield one
    finally:
        one.stop()
        for thread in threads:
            thread.join()
