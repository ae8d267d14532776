"""Whose credentials these are: nothing is read or changed in another account than the environment's own."""

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
    """Turn an error of an AWS call into ``Failed`` or ``Refused`` with one line that names the call."""
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
    """Whether botocore raised it: of an endpoint, a region or a number in variables or profile that cannot be."""
    frames = list(traceback.walk_tb(error.__traceback__))
    module = str(frames[-1][0].f_globals.get("__name__", ""))
    return module.startswith("botocore.")


def refuse_other_account(settings: Settings, session: boto3.Session, region: str | None = None) -> None:
    """Make sure that the session's credentials belong to the account of the settings.

    Args:
        settings: of the environment.
        session: whose credentials are meant.
        region: where to ask; the primary region when not given.

    Raises:
        Refused: they belong to another one, or AWS does not accept them.
        Failed: AWS could not be asked.
    """
    refuse_account_other_than(settings.account_id, session, region or settings.primary.name)


def refuse_account_other_than(account_id: str, session: boto3.Session, region: str) -> None:
    """As ``refuse_other_account``, of an account by its id, which STS is asked for in a region."""
    with aws_errors_in_words():
        found = session.client("sts", region_name=region).get_caller_identity()["Account"]
    if found != account_id:
        raise Refused(f"account_id: the credentials belong to {found}; the settings say {account_id}")
