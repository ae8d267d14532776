"""Whether a connection is possible in a VPC: by security groups, network ACLs and routes, with the reason.

It knows neither AWS's API nor an emulator: who asks describes the network (:mod:`reachability.network`), and
:func:`reachability.connection.evaluate` answers.
"""
