"""Tasks of ECS that run: a container as a process of this machine, in namespaces of its own.

image        what an image is made of, as far as it runs here
box          what one container gets: command, variables, files, mounts, ways out
definitions  a box from a task definition of ECS and an image
namespaces   Linux's namespaces, mounts and addresses
container    the program that a box becomes: ``python -m emulator.runtime.tasks.container``
credentials  sessions of task roles, where ECS's agent answers them
running      one container that runs, as the local AWS sees it
keeper       as many as services want: started, checked, replaced, stopped
"""
