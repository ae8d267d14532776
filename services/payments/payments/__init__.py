"""Takes payments: the API, the domain and the database that the API and the functions behind it share.

What a payment goes through is :mod:`payments.states`; what is stored, and how, :mod:`payments.repository`. Functions
of AWS Lambda take this package as it is, without the modules of the API (:mod:`payments.api` and what it needs).
"""
