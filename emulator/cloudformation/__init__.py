"""CloudFormation of the payment API's local AWS: ministack's, whose resources are made by calls to the local AWS.

Each type of a service that acts here (tasks, functions, databases, networks, permissions) is made by the calls that
CloudFormation makes on AWS, so that what is deployed is run, and held against AWS's models, as the platform's is. The
types of other services stay ministack's own (emulator/ministack/additions.py).

    registry.py   ministack's table of types, and how a type is added to it
    calls.py      a call with a resource's properties as parameters
    types.py      registration of a type
    *.py          types, one file for each service
"""
