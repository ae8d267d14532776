"""Compute of a region in a picture: services and functions, with their queues, workflows and repositories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from operations.picture.model import Box, Icon, View, box, counted, some, with_unit
from operations.picture.plan import Resource


def services(view: View) -> Iterator[Box]:
    """Each service with its tasks, its scaling and its kind of release."""
    for service in sorted(view.of("aws_ecs_service"), key=lambda one: not one.blocks("load_balancer")):
        tasks = [one for one in view.of("aws_ecs_task_definition") if service.names("task_definition", one)]
        targets = view.naming("aws_appautoscaling_target", "resource_id", service)
        groups = view.naming("aws_codedeploy_deployment_group", "ecs_service", service)
        schedules = [
            one
            for target in targets
            for one in view.naming("aws_appautoscaling_scheduled_action", "resource_id", target)
        ]
        lines = [
            "" if service.blocks("load_balancer") else "worker",
            _capacity(service),
            *(_size(task) for task in tasks),
            *(_bounds(target) for target in targets),
            "scheduled scaling" if schedules else "",
            _release(service, groups),
        ]
        of = [service, *tasks, *targets, *groups, *schedules]
        yield from box(Icon.CONTAINERS, view.name(service), lines, of)


def _capacity(service: Resource) -> str:
    said = {"FARGATE": "Fargate", "FARGATE_SPOT": "Fargate Spot"}
    used = [str(one.get("capacity_provider")) for one in service.blocks("capacity_provider_strategy")]
    used = used or [service.text("launch_type")]
    return " and ".join(said.get(one, one) for one in sorted(set(used)))


def _size(task: Resource) -> str:
    processor, memory = task.number("cpu"), task.number("memory")
    return f"{with_unit(processor / 1024, 'vCPU')}, {with_unit(memory / 1024, 'GB')}" if processor and memory else ""


def _bounds(target: Resource) -> str:
    return f"{target.values.get('min_capacity')} to {target.values.get('max_capacity')} tasks"


def _release(service: Resource, groups: Sequence[Resource]) -> str:
    if service.block("deployment_controller").get("type") == "CODE_DEPLOY":
        return "blue/green" if groups else ""
    return "rollback on failure" if service.block("deployment_circuit_breaker").get("rollback") else ""


def functions(view: View, *, in_network: bool) -> Iterator[Box]:
    """The functions in the network, or those outside of it."""
    found = [one for one in view.of("aws_lambda_function") if bool(one.block("vpc_config")) is in_network]
    sources = [
        (function, one)
        for function in found
        for one in view.naming("aws_lambda_event_source_mapping", "function_name", function)
    ]
    fed = {function for function, _ in sources}
    lines = [view.name(one, "function_name") + (" (SQS)" if one in fed else "") for one in found]
    yield from box(Icon.FUNCTIONS, "Functions", sorted(lines), [*found, *(one for _, one in sources)])


def queues(view: View) -> Iterator[Box]:
    """The queues; dead-letter queues are counted only."""
    found = view.of("aws_sqs_queue")
    dead = [one for one in found if any(_takes_dead_letters(one, other) for other in found)]
    living = [one for one in found if one not in dead]
    lines = [", ".join(view.names(living)), some(dead, "dead-letter queue")]
    yield from box(Icon.QUEUES, counted(len(found), "SQS queue"), lines, found)


def _takes_dead_letters(queue: Resource, other: Resource) -> bool:
    """Whether ``queue`` is the dead-letter queue of ``other``, by reference or by ARN."""
    name = queue.text("name")
    return other.names("redrive_policy", queue) or (bool(name) and f':{name}"' in other.text("redrive_policy"))


def workflows(view: View) -> Iterator[Box]:
    """State machines, event rules and schedules."""
    machines, rules = view.of("aws_sfn_state_machine"), view.of("aws_cloudwatch_event_rule")
    schedules = view.of("aws_scheduler_schedule")
    lines = [
        *view.names(machines),
        some(rules, "event rule"),
        some(schedules, "schedule"),
    ]
    yield from box(Icon.WORKFLOWS, "Workflows and events", lines, [*machines, *rules, *schedules])


def repositories(view: View) -> Iterator[Box]:
    """The image repositories."""
    found, copies = view.of("aws_ecr_repository"), view.of("aws_ecr_replication_configuration")
    lines = [", ".join(view.names(found)), "replicated" if copies else ""]
    yield from box(Icon.IMAGES, "Image repositories", lines, [*found, *copies])
