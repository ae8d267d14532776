"""ECR, ECS, load balancers, CodeDeploy, scaling and functions."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.finders.listing import Clients, Finder, by, named, pages


def _clusters(clients: Clients) -> list[str]:
    ecs = clients("ecs")
    arns = list(pages(clients, "ecs", "list_clusters", "clusterArns"))
    clusters = ecs.describe_clusters(clusters=arns)["clusters"] if arns else []
    return [cluster["clusterArn"] for cluster in clusters if cluster["status"] != "INACTIVE"]


def _services(clients: Clients) -> Iterator[str]:
    for cluster in _clusters(clients):
        for arn in pages(clients, "ecs", "list_services", "serviceArns", cluster=cluster):
            (service,) = clients("ecs").describe_services(cluster=cluster, services=[arn])["services"]
            if service["status"] != "INACTIVE":
                yield service["serviceArn"]


def _listeners(clients: Clients) -> Iterator[str]:
    for load_balancer in pages(clients, "elbv2", "describe_load_balancers", "LoadBalancers"):
        arn = load_balancer["LoadBalancerArn"]
        for listener in pages(clients, "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn):
            yield listener["ListenerArn"]


def _rules(clients: Clients) -> Iterator[str]:
    for listener in _listeners(clients):
        for rule in pages(clients, "elbv2", "describe_rules", "Rules", ListenerArn=listener):
            if not rule["IsDefault"]:
                yield rule["RuleArn"]


def _deployment_groups(clients: Clients) -> Iterator[str]:
    for application in pages(clients, "codedeploy", "list_applications", "applications"):
        groups = pages(clients, "codedeploy", "list_deployment_groups", "deploymentGroups", applicationName=application)
        yield from (f"{application}/{group}" for group in groups)


def _deployment_configs(clients: Clients) -> Iterator[str]:
    names = pages(clients, "codedeploy", "list_deployment_configs", "deploymentConfigsList")
    return (name for name in names if not name.startswith("CodeDeployDefault."))


def _scaling(operation: str, key: str, id_key: str) -> Finder:
    finders = [
        by("application-autoscaling", operation, key, id_key, ServiceNamespace=namespace)
        for namespace in ("ecs", "rds")
    ]
    return lambda clients: (found for find in finders for found in find(clients))


def _ecr_replication(clients: Clients) -> Iterator[str]:
    registry = clients("ecr").describe_registry()
    if registry["replicationConfiguration"]["rules"]:
        yield registry["registryId"]


REGIONAL: dict[str, Finder] = {
    "repository": by("ecr", "describe_repositories", "repositories", "repositoryName"),
    "image replication": _ecr_replication,
    "cluster": _clusters,
    "service": _services,
    "task definition": named("ecs", "list_task_definitions", "taskDefinitionArns"),
    "load balancer": by("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    "listener": _listeners,
    "listener rule": _rules,
    "target group": by("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    "codedeploy application": named("codedeploy", "list_applications", "applications"),
    "deployment group": _deployment_groups,
    "deployment configuration": _deployment_configs,
    "scalable target": _scaling("describe_scalable_targets", "ScalableTargets", "ScalableTargetARN"),
    "scaling policy": _scaling("describe_scaling_policies", "ScalingPolicies", "PolicyARN"),
    "scheduled action": _scaling("describe_scheduled_actions", "ScheduledActions", "ScheduledActionARN"),
    "function": by("lambda", "list_functions", "Functions", "FunctionName"),
    "workflow": by("stepfunctions", "list_state_machines", "stateMachines", "name"),
}
