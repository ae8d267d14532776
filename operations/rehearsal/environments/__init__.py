"""Rehearsal of the shipped settings on this machine: environments in one account, from deployment to destruction."""
