"""PostgreSQL servers behind the Aurora clusters of the local AWS.

Each Aurora PostgreSQL cluster with an instance has one server, and a second one, which stands in for all of its
readers, where it has any. The writer's server in the primary cluster takes writes; all others follow it by streaming
replication. Their endpoints have the names that RDS gives them (:mod:`emulator.runtime.names`).

The servers start when a function or task that may connect to one starts in a VPC, or when a rehearsal requests them.
From then on they follow every change of the clusters.
"""
