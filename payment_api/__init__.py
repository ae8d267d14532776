"""The payment API: an AWS CDK app for one region, with a second region for the replica of its documents.

app.py         settings -> App -> the two stacks -> synth; nothing else
settings/      typed settings, and one TOML file an environment
stack.py       the stack, read top to bottom like a table of contents
replica.py     the small stack of the replica region
*.py           one construct a noun
"""
