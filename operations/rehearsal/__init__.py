"""Rehearsal of operation on this machine: customers pay while the platform is operated, and each payment is counted."""
