"""Account check: credentials of another account than the environment's are refused before any other call."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from operations.outcome import Failed, Refused

if TYPE_CHECKING:
    from settings import Settings

# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
CREDENTIALS_NOT_ACCEPTED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


@contextmanager
def aws_errors_in_words() -> Iterator[None]:
    """Convert an error of an AWS call into ``Failed`` or ``Refused`` with one line that names the call."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound, TokenRetrievalError) as error:
        raise Refused(f"AWS credentials: {error}") from error
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        kind = Refused if code in CREDENTIALS_NOT_ACCEPTED else Failed
        raise kind(f"{error.operation_name}: {code}: {error.response['Error'].get('Message', '')}") from error
    except BotoCoreError as error:
        raise Failed(f"AWS: {error}") from error
    except ValueError as error:
        if not _is_of_the_client(error):
            raise
        raise Refused(f"AWS: {error}") from error


def _is_of_the_client(error: ValueError) -> bool:
    """Whether botocore raised it for an invalid endpoint, region or number in the variables or the profile."""
    frames = list(traceback.walk_tb(error.__traceback__))
    module = str(frames[-1][0].f_globals.get("__name__", ""))
    return module.startswith("botocore.")


def refuse_other_account(settings: Settings, session: boto3.Session, region: str | None = None) -> None:
    """Refuse credentials of another account than that of the settings.

    Args:
        settings: the settings of the environment.
        session: the session with the credentials.
        region: the region of the STS call; the primary region if not given.

    Raises:
        Refused: they belong to another account, or AWS does not accept them.
        Failed: the call to AWS failed.
    """
    refuse_account_other_than(settings.account_id, session, region or settings.primary.name)


def refuse_account_other_than(account_id: str, session: boto3.Session, region: str) -> None:
    """As ``refuse_other_account``, for an account id and the region of the STS call."""
    with aws_errors_in_words():
        found = session.client("sts", region_name=region).get_caller_identity()["Account"]
    if found != account_id:
        raise Refused(f"account_id: the credentials belong to {found}; the settings say {account_id}")
