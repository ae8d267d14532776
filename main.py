#!/usr/bin/env python3
"""Synthesizes the payment platform of one environment: `python main.py --environment staging`."""

import os
import signal
import sys

# Ctrl-C ends it at once and in silence, at whatever it is, here or in Node: nobody uses what is half written.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))

import synthesis  # noqa: E402
from settings import chosen_environment, load_or_exit  # noqa: E402

settings = load_or_exit(chosen_environment())  # before heavy imports, so that errors in settings show at once
synthesis.prepare()

from cdktf import App  # noqa: E402

from stacks.payment_platform import PaymentPlatform  # noqa: E402
from synthesis.packaging import PackagingFailed  # noqa: E402

app = App()
try:
    PaymentPlatform(app, "payment-platform", settings=settings)
except PackagingFailed as failure:
    sys.exit(str(failure))
app.synth()
