"""The local AWS of the payment API: ministack, which emulates CloudFormation, with additions for this app.

    server.py           the server itself (``python -m emulator.ministack``), on 127.0.0.1 only
    process.py          start, find and stop one in the background; the environment that points clients at it
    registry.py         adds a CloudFormation type or an API
    existing.py         prerequisites of a deployment: secrets, trust store, certificate, hosted zone
    inventory.py        remaining resources, to prove that a destruction left nothing
    *.py                additions to ministack, one file for each service

moto, the local AWS of the payment platform, does not work here: its CloudFormation reports a stack as complete without
having created its resources.
"""
