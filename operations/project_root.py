"""The checkout that the commands act in."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]
