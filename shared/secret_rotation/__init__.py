"""The rotation of a secret by a Lambda function: what all such functions do alike, whatever the secret opens.

Secrets Manager calls a function four times, with the steps createSecret, setSecret, testSecret and finishSecret, and
all over again if one of them fails. https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from secret_rotation.secret import CURRENT, PENDING, PREVIOUS, Refused, Secret
from secret_rotation.steps import Steps, log, run

__all__ = ["CURRENT", "PENDING", "PREVIOUS", "Refused", "Secret", "Steps", "log", "run"]
