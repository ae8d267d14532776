"""Address of a local AWS, the identity of the server that answers there, and the variables that point clients at it.

A leaf of this package: it imports nothing else of it.
"""

from __future__ import annotations

import http.client
import json
import os
from urllib.parse import urlsplit

HOST = "127.0.0.1"
STATE_FILE = "server.json"
"""In the server's directory: its process id and URL. Locked for as long as the server lives."""

ADMINISTRATOR_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
"""Access key id of the account's administrator, who is allowed everything: an example of AWS's documentation."""

TOKENS_VARIABLE = "LOCAL_AWS_IAM_LOGINS"
"""In the server's environment where clusters take tokens of IAM: that of the payment API, whose programs send nothing
else. Every connection then passes a door, which costs time that the platform's rehearsal under load does not have."""


def identity(url: str, seconds: float = 5.0) -> dict[str, object] | None:
    """Process id and directory of the local AWS that answers at ``url``; None when something else or nothing does."""
    # http.client ignores proxies of the environment.
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=seconds)
    try:
        connection.request("GET", "/_local-aws")
        answer = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) and answer.keys() == {"pid", "directory"} else None


def environment(url: str, region: str = "us-east-2") -> dict[str, str]:
    """Variables that point AWS clients and Terraform at the local AWS at ``url``.

    To be added to an environment without other ``AWS_`` variables;
    :func:`emulator.process.complete_environment` does both.

    Args:
        url: of the local AWS, e.g. ``http://127.0.0.1:5566``.
        region: the default region of clients.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        # Not a secret: no signature is checked here.
        "AWS_ACCESS_KEY_ID": ADMINISTRATOR_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": "local-aws",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        # No profile, region or endpoint from the user's AWS configuration files.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # S3 Control puts the account before the host (123456789012.127.0.0.1), which no resolver knows: through this
        # "proxy" such a request reaches the server too. No host is exempt, and HTTPS is not concerned.
        **dict.fromkeys(("HTTP_PROXY", "http_proxy"), url),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
    }
