"""What these tests share."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from payments.settings import read

REGIONS = {"primary": "us-east-2", "recovery": "us-west-2"}


def understood(kind: type[BaseSettings], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What services/payments makes of the environment that the platform gives it, and of nothing else."""
    for name in list(os.environ):
        if name.startswith(("DATABASE_", "ACQUIRER_", "PROCESSING_", "QUEUE_", "AWS_REGION", "ENVIRONMENT_SUFFIX")):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, re.sub(r"\$\{.*\}", "of-the-resource", value))
    return read(kind)
