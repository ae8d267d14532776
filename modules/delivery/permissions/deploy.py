"""All policies of the deploy role, by the purpose that their names carry."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from modules.delivery.permissions.containers import CONTAINERS
from modules.delivery.permissions.data import DATA
from modules.delivery.permissions.edge import EDGE
from modules.delivery.permissions.fail_over import FAIL_OVER
from modules.delivery.permissions.grants import Grant
from modules.delivery.permissions.network import NETWORK
from modules.delivery.permissions.operations import OPERATIONS
from modules.delivery.permissions.security import SECURITY
from modules.delivery.permissions.state import STATE
from modules.delivery.permissions.watch import WATCH

# By policy: a managed policy may have 6,144 characters, and a role ten of them.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
DEPLOY: Mapping[str, tuple[Grant, ...]] = MappingProxyType(
    {
        "state": STATE,
        "network": NETWORK,
        "edge": EDGE,
        "containers": CONTAINERS,
        "data": DATA,
        "security": SECURITY,
        "operations": OPERATIONS,
        "fail-over": FAIL_OVER,
        "watch": WATCH,
    }
)
