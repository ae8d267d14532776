"""Blue/green releases of ECS services, as CodeDeploy plays them.

appspec     what is to be released, and what is to be asked on the way
deployment  one release: what was asked, how far it is, and how CodeDeploy says so
traffic     the weights of a pair of target groups in listeners and their rules
lifecycle   the steps, and what stops and takes back

How a release is asked for is in :mod:`emulator.moto.codedeploy`.
"""
