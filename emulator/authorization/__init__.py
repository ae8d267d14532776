"""Authorization in the local AWS: the caller of a request, the actions that it needs, and the policies that decide.

callers    the principal of a request's access key, and the network that it calls from
requests   the actions and condition keys of a request, and those for the keys and roles that it uses
resources  the ARNs on which a request is authorized
policies   the applicable policies, from the state of moto
statements every statement of every policy that there is
struck     statements that decide nothing for a while
uses       which statement allowed what, and whether it was needed
gate       the decision, and its record

A caller with the administrator's access key is allowed everything, like the root user of an account, but what the
policy of a bucket denies; all others are allowed what policies allow.
"""
