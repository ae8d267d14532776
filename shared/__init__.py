"""Code that several programs of this repository import, as `shared.NAME`: the functions, the service, both systems.

It needs nothing but Python, and boto3 where its docstring says so. A function names what it needs in its packages.txt,
the image of services/payments in its Dockerfile.
"""
