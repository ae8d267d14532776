"""Metrics of AWS's services that alarms look at, and that nothing here publishes, with the reason.

An alarm on one of them has no data in the local AWS. A test holds the list against the alarms of the platform, and
fires each of them by values that it puts itself (tests/alarms).
"""

from __future__ import annotations

from collections.abc import Mapping

NO_JOBS = "no backup or copy runs"
NO_OBJECTS = "objects are not replicated"
NO_GATEWAY = "nothing goes through a NAT gateway"
NO_LOAD = "all databases share the machine's processor and memory"

UNPUBLISHED: Mapping[tuple[str, str], str] = {
    ("AWS/Backup", "NumberOfBackupJobsCompleted"): NO_JOBS,
    ("AWS/Backup", "NumberOfCopyJobsCompleted"): NO_JOBS,
    ("AWS/CertificateManager", "DaysToExpiry"): "certificates here are issued for the rehearsal, and not renewed",
    ("AWS/NATGateway", "ErrorPortAllocation"): NO_GATEWAY,
    ("AWS/NATGateway", "PacketsDropCount"): NO_GATEWAY,
    (
        "AWS/RDS",
        "AuroraGlobalDBReplicationLag",
    ): "a follower here is not in another region",
    ("AWS/RDS", "AuroraReplicaLagMaximum"): "one server stands for all readers",
    ("AWS/RDS", "CPUUtilization"): NO_LOAD,
    ("AWS/RDS", "Deadlocks"): "the statistics of PostgreSQL are not read",
    ("AWS/RDS", "FreeableMemory"): NO_LOAD,
    ("AWS/S3", "OperationsFailedReplication"): NO_OBJECTS,
    ("AWS/S3", "ReplicationLatency"): NO_OBJECTS,
}
"""The reason of each, by namespace and name."""
