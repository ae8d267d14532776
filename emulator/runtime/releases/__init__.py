"""Blue/green releases of ECS services by CodeDeploy.

appspec     the AppSpec: task definition, container, hooks
deployment  one release: its request, progress and representation in CodeDeploy
traffic     weights of a pair of target groups in listeners and their rules
lifecycle   lifecycle events, stop and rollback

The operations of CodeDeploy are in :mod:`emulator.moto.codedeploy`.
"""
