"""PostgreSQL servers behind the clusters of RDS.

Of each Aurora PostgreSQL cluster that has an instance one server, and a second one where it has readers, which all
readers of the cluster are. The writer's server of a cluster that writes takes writes; all others follow it by streaming
replication. Their endpoints have the names that RDS gives them (:mod:`emulator.runtime.names`).

They start when somebody in a VPC starts who may connect to one, or when a rehearsal asks for them, and are what the
clusters say from then on.
"""
