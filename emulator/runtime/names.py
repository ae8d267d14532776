"""Names in the deployed network that resolve to addresses of this machine: database endpoints.

Each name has an address of its own in 127.0.0.0/8, so that its server can listen on the same port as on AWS. Functions
and tasks in the deployed network get the table of names. A name keeps its address for as long as it exists; the server
there may change. On Linux all of these addresses exist; on macOS each must be added:
``sudo ifconfig lo0 alias 127.82.0.2``.
"""

from __future__ import annotations

import os
import socket
import threading

BLOCKS = 256  # 127.82.0.0/24 to 127.82.255.0/24, one for each running local AWS
FIRST_BLOCK = "127.82"
RESERVING_PORT = 5432
RESERVED = 1
"""Of each block; only a socket of UDP is bound to it."""
ADDRESSES = range(RESERVED + 1, 255)


class NoAddressError(Exception):
    """This machine has no address for a name; the message is one line for the user."""


class Names:
    """The names of one local AWS."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Start without addresses: in a fork the servers at the existing ones belong to the original process."""
        self._addresses = {}
        self._block: int | None = None
        self._reserved: socket.socket | None = None
        self._lock = threading.Lock()

    def address(self, name: str) -> str:
        """The address of a name; a new name gets one.

        Raises:
            NoAddressError: no address is free.
        """
        with self._lock:
            if name not in self._addresses:
                self._addresses[name] = self._free()
            return self._addresses[name]

    def forget(self, name: str) -> None:
        """Remove a name."""
        with self._lock:
            self._addresses.pop(name, None)

    def nobody(self) -> str:
        """The address at which nothing listens: of names that somebody's network has no way to.

        Raises:
            NoAddressError: this machine has no addresses for names.
        """
        with self._lock:
            if self._block is None:
                self._block, self._reserved = _reserve()
            return f"{FIRST_BLOCK}.{self._block}.{RESERVED}"

    def table(self) -> dict[str, str]:
        """The address of each name."""
        with self._lock:
            return dict(self._addresses)

    def hosts(self) -> str:
        """The table as lines of a hosts file."""
        return "".join(f"{address} {name}\n" for name, address in self.table().items())

    def _free(self) -> str:
        if self._block is None:
            self._block, self._reserved = _reserve()
        taken = set(self._addresses.values())
        for number in ADDRESSES:
            address = f"{FIRST_BLOCK}.{self._block}.{number}"
            if address not in taken:
                return address
        raise NoAddressError(f"all addresses of {FIRST_BLOCK}.{self._block}.0/24 are taken")


def refusal() -> str:
    """Why this machine has no addresses for names, in one line; empty where it has."""
    try:
        _, reserving = _reserve()
    except NoAddressError as refused:
        return str(refused)
    reserving.close()
    return ""


def _reserve() -> tuple[int, socket.socket]:
    """A block that no other local AWS uses, and the socket that reserves it while it is open."""
    for block in range(BLOCKS):
        reserving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reserving.bind((f"{FIRST_BLOCK}.{block}.{RESERVED}", RESERVING_PORT))
        except OSError:
            reserving.close()
        else:
            return block, reserving
    raise NoAddressError(
        f"no address of {FIRST_BLOCK}.0.0/16 can be used; on macOS: "
        f"for n in $(seq 1 16); do sudo ifconfig lo0 alias {FIRST_BLOCK}.0.$n; done"
    )


NAMES = Names()
"""The names of this process."""
