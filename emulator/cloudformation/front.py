"""Where the local AWS is whose CloudFormation this process serves."""

from __future__ import annotations

URL_VARIABLE = "LOCAL_AWS_URL"
"""In this process's environment: its URL."""
