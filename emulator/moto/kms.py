"""KMS: the rotation period of a key."""

from __future__ import annotations

import json
from typing import Any

from moto.kms.responses import KmsResponse

from emulator.moto.extend import Method, override

DEFAULT_ROTATION_PERIOD_DAYS = 365
"""KMS's own default when rotation is enabled without a period (EnableKeyRotation, API reference)."""


@override(KmsResponse)
def enable_key_rotation(original: Method, self: Any) -> str:
    """Store the period with the key."""
    answer: str = original(self)
    _key(self).rotation_period_days = self._get_param("RotationPeriodInDays", DEFAULT_ROTATION_PERIOD_DAYS)
    return answer


@override(KmsResponse)
def get_key_rotation_status(original: Method, self: Any) -> str:
    """Answer the stored period."""
    status = json.loads(original(self))
    if status["KeyRotationEnabled"]:
        status["RotationPeriodInDays"] = _key(self).rotation_period_days
    return json.dumps(status)


def _key(self: Any) -> Any:
    return self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]
