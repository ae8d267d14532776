"""ECS: cluster, repositories, task definitions, blue/green services, workers, scaling and releases."""
