"""Secret rotation by a Lambda function: common code of all such functions, whatever the secret is for.

Secrets Manager invokes a function four times, for the steps createSecret, setSecret, testSecret and finishSecret, and
starts over if one of them fails. It needs boto3.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from shared.secret_rotation.environment import json_object, required
from shared.secret_rotation.secret import CURRENT, PENDING, PREVIOUS, RotationRefused, Secret
from shared.secret_rotation.steps import RotationFailed, Steps, cause_of, log, run

__all__ = [
    "CURRENT",
    "PENDING",
    "PREVIOUS",
    "RotationFailed",
    "RotationRefused",
    "Secret",
    "Steps",
    "cause_of",
    "json_object",
    "log",
    "required",
    "run",
]
