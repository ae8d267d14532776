"""Draws the architecture of a platform from its plan."""
