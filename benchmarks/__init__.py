"""Measurements: each is a command that runs both sides of a comparison in turns and prints the ratio."""
