"""Policies and delivery roles of the rehearsal's platform."""

from __future__ import annotations

import pytest

from iam.synthesized import Policy, policies
from policy.delivery import Role, roles
from tests.policy.delivery_support import ACCOUNT
from tests.synthesized import Synthesized


@pytest.fixture(scope="module")
def of_delivery(platform: Synthesized) -> dict[str, Role]:
    return roles(platform.configuration, account_id=ACCOUNT)


@pytest.fixture(scope="module")
def all_policies(platform: Synthesized) -> list[Policy]:
    return list(policies(platform.configuration, account_id=ACCOUNT))
