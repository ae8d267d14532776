"""A local AWS for rehearsals: moto as a server, with requests validated against AWS's published service models.

The infrastructure does not know that it is rehearsed. It reaches the local AWS by environment variables only
(:func:`emulator.address.environment`); no line of a stack or a module imports this package.

    emulator.address    where a local AWS is, and the environment that points clients at it
    emulator.process    start, find and stop a server in the background
    emulator.server     the server itself (``python -m emulator serve``)
    emulator.moto       additions to moto that the stack needs, one file for each service
    emulator.ministack  the local AWS of the payment API: ministack with additions
    emulator.runtime    what is executed: functions, load balancers, releases
    emulator.clock      the speed of releases
    emulator.contract   validation of every request against the model of its service
    emulator.record     record of every call, as JSON lines
    emulator.inventory  remaining resources, to prove that a destruction left nothing
    emulator.finders    finds them: a finder for each resource type
"""
