"""Rehearsal of the payment API's operation on this machine: clients pay while it is updated, rotated, rolled back."""
