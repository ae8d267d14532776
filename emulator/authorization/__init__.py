"""Authorization in the local AWS: who makes a request, what it asks of IAM, and the policies that decide on it.

callers    who a request's access key stands for, and from which network
requests   the actions and condition keys of a request, and what it asks of keys and roles besides
resources  the ARNs on which a request is authorized
policies   the policies that have a say, from the state of moto
gate       the decision, and its record

A caller with the administrator's access key is allowed everything, as the root user of an account is; everybody else is
allowed what policies allow. Of sessions by web identity, which are a workflow's, refusals are recorded only, so far.
"""
