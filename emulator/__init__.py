"""A local AWS to rehearse on: moto as a server, held to AWS's own published service models.

The infrastructure does not know that it is rehearsed. It reaches the local AWS by environment variables alone
(:func:`emulator.address.environment`); no line of a stack or a module imports this package.

    emulator.address    where a local AWS is, and the environment that points clients at it
    emulator.process    start, find and stop a server in the background
    emulator.server     the server itself (``python -m emulator serve``)
    emulator.moto       what the stack needs and moto lacks, one file a service
    emulator.ministack  the local AWS of the payment API: ministack with what its template needs
    emulator.runtime    what really runs: functions, load balancers, releases
    emulator.clock      how fast releases go
    emulator.contract   every request held against the model of its service
    emulator.record     every call, as JSON lines
    emulator.inventory  what still exists, to prove that a destroy left nothing; by emulator.finders, a kind each
"""
