"""Settings that the payment platform and the payment API share: both run the same service and functions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.base import matching

CONNECTION_SHARE = 0.8
"""The share of a database's connections that services and functions may hold; the rest is for administration,
rotation and failover."""
VISIBILITY_PER_TIMEOUT = 6
"""A queue's visibility timeout by the timeout of the function behind it.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
MAX_RECEIVES = 1000
"""Deliveries of a message to process a payment before its queue moves it to the dead letters: the most that SQS allows.
An outage of the acquirer takes many, of three days some 400. The function itself gives up what fails while others
succeed. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
RECONCILE_SECONDS = 240
"""The timeout of the function that reconciles payments."""
SETTLEMENT_PREFIX = "settlement/"
"""What the keys of the acquirer's settlement files begin with, in their bucket."""
SETTLEMENT_OVERDUE_SECONDS = 2 * 86_400
"""How old money may be that no settlement file tells of: files are daily, and one may be late by a day."""
LEAST_AUDIT_MONTHS = 12
"""PCI DSS 4.0.1, 10.5.1: audit logs are kept for twelve months at least. The database refuses less, too."""
FUNCTIONS_CA_FILE = "/var/task/shared/rds-ca-bundle.pem"
"""The certificate authorities of RDS, in the archive of each function that connects to the database."""

AuditMonths = Annotated[int, Field(ge=LEAST_AUDIT_MONTHS, le=120)]
"""Months of audit events in the database; the bounds are the payments service's."""
DomainName = Annotated[
    str,
    matching(
        r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "a domain name is allowed, such as pay.example.com"
    ),
]
