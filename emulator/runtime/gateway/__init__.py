"""API Gateway's REST APIs on their custom domains, as they are deployed: mutual TLS, keys, authorizers, VPC links.

    server.py       the names' HTTPS, with the trust store of each
    deployed.py     what is deployed, read by API Gateway's own API
    answering.py    a request's way: method, authorizer, key, validation, integration
    throttling.py   rates and quotas of stages and usage plans

What is not played is refused with 501: methods without HTTP_PROXY through a VPC link, other authorizers than Lambda's
of requests, mappings of bodies. The web ACL of a stage is not evaluated.
"""
