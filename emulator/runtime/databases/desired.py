"""The desired servers, read from the Aurora PostgreSQL clusters in moto's state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.rds.models import rds_backends

from emulator.address import TOKENS_VARIABLE
from emulator.regions import REGIONS

ENGINE = "aurora-postgresql"
GLOBAL_REGION = "us-east-1"  # where moto keeps global clusters


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a server: its cluster, and whether it is that of the writer instance or of the readers."""

    cluster: str
    """The cluster's ARN."""
    is_reader: bool


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A desired server."""

    place: Place
    instances: tuple[str, ...]
    """Identifiers of the instances that it stands in for."""
    names: tuple[str, ...]
    """The names of its endpoints."""
    certified: tuple[str, ...]
    """The names in its certificate."""
    port: int
    major: int
    parameters: Mapping[str, str]
    """The parameters of the cluster's and the instance's parameter groups."""
    source: Place | None
    """The server that it follows; None for one that takes writes, and while none does."""
    has_writer: bool
    """Whether there is a writer: none while the writer of a global database moves."""
    group: frozenset[str]
    """The ARNs of the clusters with the same data."""
    is_reachable: bool
    """Whether its region is available."""
    resource_id: str
    region: str
    takes_tokens: bool
    """Whether users may log in by IAM."""
    database: str
    """The initial database of the cluster; none where empty."""
    master: str
    password: str = field(repr=False)
    """The master user's, as last set through RDS for this cluster; empty where none was, as in a secondary cluster."""


def wanted() -> list[Wanted]:
    """The servers of all clusters with an instance, writers first. The caller holds the state lock."""
    found = [server for backend in _backends() for one in _clusters(backend) for server in _servers(backend, one)]
    return sorted(found, key=lambda one: one.source is not None)


def _backends() -> list[Any]:
    return list(rds_backends[DEFAULT_ACCOUNT_ID].values())


def _clusters(backend: Any) -> list[Any]:
    return [one for one in backend.clusters.values() if one.engine == ENGINE and one.members]


def endpoints() -> dict[str, tuple[str, ...]]:
    """The names that each cluster has from its creation on, with or without instances, by ARN.

    The caller holds the state lock.
    """
    return {
        str(one.db_cluster_arn): (str(one.endpoint), str(one.reader_endpoint))
        for backend in _backends()
        for one in backend.clusters.values()
        if one.engine == ENGINE
    }


def _servers(backend: Any, cluster: Any) -> Iterator[Wanted]:
    group = _global_cluster(cluster)
    members = group.members if group else [cluster]
    writing = next((one for one in members if one.is_writer and one.members), None) if group else cluster
    arn, first = str(cluster.db_cluster_arn), cluster.writer
    readers = [one for one in cluster.members if one is not first]
    own = [str(cluster.endpoint), *([] if readers else [str(cluster.reader_endpoint)])]
    if group and cluster is writing:
        own.append(str(group.endpoint))
    source = Place(cluster=str(writing.db_cluster_arn), is_reader=False) if writing else None
    common = _common(backend, cluster) | {
        "has_writer": writing is not None,
        "group": frozenset(str(one.db_cluster_arn) for one in members),
        "master": next((str(one.master_username) for one in members if one.master_username), ""),
    }
    place = Place(cluster=arn, is_reader=False)
    follows = None if source == place else source
    yield Wanted(place=place, source=follows, **common, **_of_instances(backend, cluster, [first], own))
    if readers:
        own = [str(cluster.reader_endpoint)]
        place = Place(cluster=arn, is_reader=True)
        yield Wanted(place=place, source=source, **common, **_of_instances(backend, cluster, readers, own))


def _common(backend: Any, cluster: Any) -> dict[str, Any]:
    return {
        "port": int(cluster.port),
        "major": int(str(cluster.engine_version).partition(".")[0]),
        "is_reachable": not REGIONS.is_lost(str(backend.region_name)),
        "resource_id": str(cluster.db_cluster_resource_id),
        "region": str(backend.region_name),
        "takes_tokens": bool(cluster.iam_database_authentication_enabled) and TOKENS_VARIABLE in os.environ,
        "database": str(cluster.database_name or ""),
        "password": str(getattr(cluster, "_master_user_password", "")),
    }


def _of_instances(backend: Any, cluster: Any, instances: list[Any], own: list[str]) -> dict[str, Any]:
    addresses = [str(one.address) for one in instances]
    return {
        "instances": tuple(str(one.db_instance_identifier) for one in instances),
        "names": (*own, *addresses),
        # AWS documents no certificate for the endpoint of a global database, which is not one of the instance.
        "certified": (str(cluster.endpoint), str(cluster.reader_endpoint), *addresses),
        "parameters": _parameters(backend, cluster, instances[0]),
    }


def _global_cluster(cluster: Any) -> Any:
    """The global cluster that a cluster is a member of; None if it is in none."""
    groups = rds_backends[DEFAULT_ACCOUNT_ID][GLOBAL_REGION].global_clusters.values()
    return next((group for group in groups if cluster in group.members), None)


def _parameters(backend: Any, cluster: Any, instance: Any) -> dict[str, str]:
    groups = (
        backend.db_cluster_parameter_groups.get(cluster.parameter_group or ""),
        backend.db_parameter_groups.get(instance.db_parameter_group_name or ""),
    )
    return {
        name: str(one["ParameterValue"])
        for group in groups
        if group is not None
        for name, one in group.parameters.items()
        if "ParameterValue" in one
    }
