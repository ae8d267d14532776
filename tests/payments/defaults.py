"""Settings of the payments service that neither platform says, each with the reason why its default does for both.

A new setting of the service is either a setting of both platforms or a row here: none is forgotten.
"""

from __future__ import annotations

from payments.settings import ServiceSettings

DEFAULTS = {
    "credential_seconds": "how fast a revocation takes effect is promised to merchants, everywhere the same",
    "merchant_requests_per_second": "of one process, by what was measured of it",
    "merchant_burst": "likewise",
    "merchant_share": "likewise",
    "merchant_refusal_seconds": "likewise",
    "unknown_credentials_per_second": "likewise",
    "unknown_credentials_burst": "likewise",
    "acquirer_api": "the settings of the platforms know acquirers of the platform's own form",
    "acquirer_merchant_account": "of another form alone",
    "http_port": "for measurements on one machine: a task listens by TLS",
    "listen": "a container's own network",
    "waiting_seconds": "shorter than any time-out in front of it",
    "request_seconds": "likewise",
    "drain_seconds": "fits into the time in which both deregister a task",
    "stop_seconds": "fits into the time after which both kill a task",
    "publishes": "each task of the API sends the outbox, and drops what is kept no longer",
    "idempotency_days": "the contract with merchants (openapi.json), everywhere the same",
}


def unsaid(variables: set[str], *, by_default: set[str]) -> set[str]:
    """The settings of the service that neither the variables of its task nor a reason cover.

    ``by_default`` are settings of which this platform relies on the default and the other one does not.
    """
    return set(ServiceSettings.model_fields) - {name.lower() for name in variables} - set(DEFAULTS) - by_default
