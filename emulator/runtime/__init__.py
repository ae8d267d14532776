"""Execution of deployed resources: functions, load balancers, releases, pollers of queues."""
