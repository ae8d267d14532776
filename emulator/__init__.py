"""A local AWS to rehearse on: moto as a server, held to AWS's own published service models.

The infrastructure does not know that it is rehearsed. It reaches the local AWS by environment variables alone
(:func:`emulator.process.environment`); no line of a stack or a module imports this package.

    emulator.process    start, find and stop a server in the background; the environment that points clients at it
    emulator.server     the server itself (``python -m emulator serve``)
    emulator.services   what the stack needs and moto lacks, one file a service
    emulator.functions  Lambda functions, as processes of the local Python
    emulator.clock      how fast releases go
    emulator.contract   every request held against the model of its service
    emulator.record     every call, as JSON lines
    emulator.inventory  what still exists, to prove that a destroy left nothing
"""
