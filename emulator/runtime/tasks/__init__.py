"""Running ECS tasks: each container is a process of this machine in namespaces of its own.

image        the contents of an image, as far as they are needed here
box          the specification of one container: command, variables, files, mounts, egress
definitions  builds a box from a task definition of ECS and an image
namespaces   Linux's namespaces, mounts and addresses
container    the program that runs a box: ``python -m emulator.runtime.tasks.container``
credentials  sessions of task roles, as served by ECS's agent
process      the process of one container, as the local AWS controls it
task         one task of a service: started, checked, stopped
keeper       the scheduler: as many tasks as services want, replaced when they end
"""
