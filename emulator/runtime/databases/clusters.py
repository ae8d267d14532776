"""Reconciles the servers with the state of RDS: which exist, their parameters, which one writes and which follow."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence

from emulator.runtime.databases import configuration
from emulator.runtime.databases.desired import Place, Wanted, endpoints, wanted
from emulator.runtime.databases.doors import DOORS, Behind
from emulator.runtime.databases.folder import FOLDER
from emulator.runtime.databases.server import Server
from emulator.runtime.databases.tokens import Cluster
from emulator.runtime.names import NAMES
from emulator.turns import let_others, turn

_log = logging.getLogger(__name__)


class Servers:
    """The servers of one local AWS."""

    def __init__(self) -> None:
        self._running: dict[Place, Server] = {}
        self._original: dict[Place, Server] = {}
        self._instances: dict[str, tuple[str, ...]] = {}
        self._passwords: dict[str, str] = {}  # as last set through RDS; a rotation may have changed them since
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Start without servers: in a fork those of the original process are only the source of the fork's copies."""
        self._original = {**self._original, **self._running}
        self._running = {}
        self._are_wanted = False
        self._settling = threading.Lock()

    def start(self) -> str:
        """Start to reconcile, from now on after every change too; returns as :meth:`settle` does."""
        self._are_wanted = True
        return self.settle()

    def settle(self) -> str:
        """Reconcile the servers, if they were started. Other requests proceed meanwhile. Returns the error, if any."""
        if not self._are_wanted:
            return ""
        with let_others(), self._settling:
            with turn():
                servers, names = wanted(), endpoints()
            try:
                self._settle(servers, names)
            except Exception as failure:  # noqa: BLE001 (the RDS call itself succeeded; clients that connect will notice)
                _log.exception("the databases are not as RDS says")
                return str(failure) or repr(failure)
        return ""

    def _settle(self, servers: list[Wanted], names: Mapping[str, Sequence[str]]) -> None:
        self._forget(servers, names)
        for one in servers:
            self._follow_the_writer(one)
        by_place = {one.place: one for one in servers}
        # The former writer ends first: it sends its followers what they lack.
        for place, server in sorted(self._running.items(), key=lambda item: not item[1].is_primary):
            self._end_what_is_over(server, by_place.get(place))
        for one in servers:
            if one.is_reachable and one.has_writer:
                self._settle_one(one)

    def _forget(self, servers: list[Wanted], names: Mapping[str, Sequence[str]]) -> None:
        """Remove what is gone; a program that starts before a cluster has an instance resolves its endpoints too."""
        for place in [one for one in self._running if one.cluster not in names]:
            self._running.pop(place).remove()
        listed = {name for one in servers for name in one.names} | {name for two in names.values() for name in two}
        table = NAMES.table()
        for name in table.keys() - listed:
            DOORS.close(table[name])
            NAMES.forget(name)
        for name in sorted(listed):
            NAMES.address(name)

    def _follow_the_writer(self, one: Wanted) -> None:
        """Swap the servers after a failover within a cluster: that of the readers is now that of the writer."""
        place = one.place
        if place.is_reader:
            return
        before, self._instances[place.cluster] = self._instances.get(place.cluster), one.instances
        reader = Place(cluster=place.cluster, is_reader=True)
        if before in {None, one.instances} or not {place, reader} <= self._running.keys():
            return
        self._running[place].stop()
        self._running[place], self._running[reader] = self._running[reader], self._running[place]

    @staticmethod
    def _end_what_is_over(server: Server, one: Wanted | None) -> None:
        if one is None:
            server.stop()
        elif not one.is_reachable:
            server.stop(at_once=True)
        elif server.is_primary and (one.source is not None or not one.has_writer):
            server.stop()

    def _settle_one(self, one: Wanted) -> None:
        if one.source is None:
            self._settle_writer(one)
        elif one.source in self._running and self._running[one.source].is_running:
            self._settle_reader(one, self._running[one.source])

    def _settle_writer(self, one: Wanted) -> None:
        if one.place not in self._running:
            self._running[one.place] = self._begun(one)
            return
        server = self._running[one.place]
        self._configure(server, one, None)
        if not server.is_running:
            server.start()
        if not server.is_primary:
            server.promote()
        if one.password and one.password != self._passwords.get(one.place.cluster):
            server.set_password(one.master, one.password)
            self._passwords[one.place.cluster] = one.password

    def _begun(self, one: Wanted) -> Server:
        """A new, empty server; in a fork a copy of the original's."""
        originals = [self._original[place] for place in self._original if place.cluster in one.group]
        origin = next((server for server in originals if server.is_primary), None)
        server = Server.copied(origin, is_primary=True) if origin else Server.made(one.major, one.port)
        self._configure(server, one, None)
        server.start()
        if origin is None:
            server.populate(master=one.master, password=one.password, database=one.database)
            self._passwords[one.place.cluster] = one.password
        return server

    def _settle_reader(self, one: Wanted, source: Server) -> None:
        server = self._running.get(one.place)
        if server is None or not server.is_running or server.follows != (source.folder, source.generation):
            if server is not None:
                self._running.pop(one.place).remove()
            server = self._running[one.place] = Server.copied(source, is_primary=False)
        self._configure(server, one, source)
        if not server.is_running:
            server.start()

    @staticmethod
    def _configure(server: Server, one: Wanted, source: Server | None) -> None:
        addresses = [NAMES.address(name) for name in one.names]
        settings = configuration.settings_of(
            one.parameters,
            folder=server.folder,
            addresses=[] if one.takes_tokens else addresses,
            port=one.port,
            source=source.folder if source else None,
        )
        if not one.takes_tokens:
            server.configure(settings, configuration.access(one.parameters, one.major), one.certified)
            return
        server.configure(settings, configuration.access_behind_a_door(one.master), one.certified)
        behind = Behind(server=server, cluster=_cluster(one))
        for address in addresses:
            DOORS.lead(address, behind)

    def sessions(self) -> Iterator[tuple[Place, bool, Server]]:
        """Each server that runs, with its place and whether it writes."""
        for place, server in list(self._running.items()):
            if server.is_running:
                yield place, server.is_primary, server

    def end(self) -> None:
        """Stop all servers at once."""
        FOLDER.end()


def _cluster(one: Wanted) -> Cluster:
    return Cluster(
        resource_id=one.resource_id,
        region=one.region,
        names=frozenset(one.names),
        port=one.port,
        master=one.master,
        forces_tls=configuration.forces_tls(one.parameters, one.major),
    )


SERVERS = Servers()
"""The servers of this process."""
