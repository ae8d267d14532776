"""Code that several programs of this repository import, as `shared.NAME`: the functions, the service, both systems.

It needs only Python, and boto3 where a docstring says so. A function names the files that it needs in its packages.txt,
the image of services/payments in its Dockerfile.
"""
