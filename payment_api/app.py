#!/usr/bin/env python3
"""Synthesizes the payment API of one environment (PLATFORM_ENVIRONMENT): `cdk synth` in this folder."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the project, and not this folder with its own `settings`

from payment_api.settings import load_or_exit  # noqa: E402
from settings import chosen_environment  # noqa: E402

settings = load_or_exit(chosen_environment())  # before heavy imports, so that errors in settings show at once

from aws_cdk import App  # noqa: E402

from payment_api import checks  # noqa: E402
from payment_api.stack import build  # noqa: E402

app = App()
build(app, settings)
checks.install(app, settings)
app.synth()
