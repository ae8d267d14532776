"""Merchants and their credentials, made and changed by an environment's own function."""
