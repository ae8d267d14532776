"""Callers: the principal that an access key stands for, and the network from which it calls."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import get_account_id_from, iam_backends
from moto.sts.models import sts_backends

from emulator.address import ADMINISTRATOR_KEY_ID

SECONDS_OF_A_SESSION = 3600
ANONYMOUS = "anonymous"
"""The principal of an unsigned request."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The VPC of a caller, the subnets that it may be placed in, and its security groups (none: the default one)."""

    region: str
    vpc_id: str
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    has_public_address: bool = False


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The caller of a request: a session of a role, or a service principal.

    ``principal`` is the session's ARN or the service's name, ``role`` the ARN of the role, empty for a service.
    """

    principal: str
    role: str = ""
    session_policy: str = ""
    network: Network | None = None


ADMINISTRATOR = Caller(principal=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:root")
"""Where a denial is to be evaluated: of the administrator, who is allowed everything that is not denied."""


class UnknownKeyError(Exception):
    """The access key of a request belongs to no principal."""


_networks: dict[str, Network] = {}
_lock = threading.Lock()


def new_session(role_arn: str, name: str, *, region: str, network: Network | None = None) -> Any:
    """Credentials (moto's) of a new session of a role, which calls from ``network``.

    Whether the role may be assumed is checked before, by :func:`emulator.authorization.gate.may_assume`.
    """
    session = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assume_role(
        region_name=region,
        role_session_name=name,
        role_arn=role_arn,
        policy="",
        duration=SECONDS_OF_A_SESSION,
        external_id="",
    )
    if network is not None:
        with _lock:
            _networks[session.access_key_id] = network
    return session


def session_caller(session: Any) -> Caller:
    """The caller of a session (moto's)."""
    return Caller(
        principal=str(session.arn),
        role=str(session.role_arn),
        session_policy=session.policy or "",
        network=_networks.get(session.access_key_id),
    )


def caller_of(access_key_id: str) -> Caller | None:
    """The caller with an access key; None for the administrator.

    Raises:
        UnknownKeyError: the access key belongs to no principal.
    """
    if access_key_id == ADMINISTRATOR_KEY_ID:
        return None
    account = get_account_id_from(access_key_id)
    session = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key_id)
    if session is not None:
        return session_caller(session)
    for user in iam_backends[account]["aws"].users.values():
        if any(key.access_key_id == access_key_id for key in user.access_keys):
            return Caller(principal=str(user.arn))
    raise UnknownKeyError(access_key_id)
