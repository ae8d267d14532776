"""The local AWS of the payment API: ministack, which plays CloudFormation, and what it lacks for this app.

    server.py           the server itself (``python -m emulator.ministack``), on 127.0.0.1 alone
    process.py          start, find and stop one in the background; the environment that points clients at it
    registry.py         how a CloudFormation type, or an API, is added
    existing.py         what an account has before the app is deployed: secrets, trust store, certificate, zone
    inventory.py        what still exists, to prove that a destroy left nothing
    *.py                what ministack lacks, one file a service

moto, the local AWS of the payment platform, is no choice here: its CloudFormation says that a stack is complete when it
has made nothing of it.
"""
