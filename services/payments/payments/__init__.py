"""The payments service: the API, the processing of operations, and the domain and database that both share.

The life of a payment is :mod:`payments.states`; what is stored, :mod:`payments.repository`; how operations are
performed, :mod:`payments.processing`. Lambda functions include this package whole, without the packages that only the
API needs (:mod:`payments.api` and what it imports).
"""
