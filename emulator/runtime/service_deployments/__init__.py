"""Deployments of ECS services by ECS itself, with managed traffic shifting: canary.

deployment  one deployment: its progress, and its representation in ECS's API
lifecycle   the lifecycle stages, hooks, alarms and the rollback

The operations of ECS are in :mod:`emulator.moto.ecs_deployments`.
"""
