"""Rotates the passwords of a PostgreSQL database (W3.3), by one of two strategies.

- Alternating users, for a secret that names a master secret (`masterarn`). There are two users, NAME and NAME_clone,
  and each rotation sets a new password for the idle one and makes it the current one. The other's stays valid until
  the next rotation, so that no login fails, even with a value that was read a while ago.
- Single user, for a secret that names none, such as the master's. PostgreSQL has one password for each user: once it
  is changed, the old one is refused. So the change and the move of AWSCURRENT are next to each other, in
  setSecret: between the end of ALTER ROLE and the effect of UpdateSecretVersionStage, one call, AWSCURRENT is refused.
  An error in between restores the old password. Only if the function is killed at that moment does AWSCURRENT stay
  refused until the next invocation; AWSPENDING is valid meanwhile.

The second user is a member of the first and acts as it (`ALTER ROLE NAME_clone SET role = NAME`): it has all present
and future permissions of the first, and objects that either creates belong to the first. Each of its rotations copies
settings, connection limit and validity. The password itself is never sent: its SCRAM-SHA-256 verifier is.

A secret is JSON as RDS has it: engine (postgres or aurora-postgresql), host, username, password; port, dbname,
masterarn and ssl may be left out. https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
Connections use TLS, with a server certificate verified by rds-ca-bundle.pem, and never otherwise: a secret with
`"ssl": false` is refused.

Environment variables, all optional:

- DATABASE_HOST: endpoints of clusters that may have the writer, separated by commas, in place of the secret's own host.
  The password is changed at the writer, which in a global database may be in either region;
- APPLICATION_USERS: the names, separated by commas, of those first users of two that may be created, with the right to
  connect to their database, if missing, and whose current password may be reset if the database refuses it, as after a
  restore. No other user is: a principal that may write a secret could otherwise take over any user;
- PASSWORD_LENGTH and EXCLUDED_CHARACTERS: of new passwords, in place of those below.

Its calls to AWS are in calls.toml; for a master secret that another function rotates GetSecretValue only, and where
secrets are replicated kms:Encrypt, too, and all three on the replicas' key. The master user needs CREATEROLE; from
PostgreSQL 16 on it must have created the first user.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from shared.postgresql_rotation.connection import cause, connected, first_that_opens, opens
from shared.postgresql_rotation.login import Login
from shared.postgresql_rotation.users import application_users, bring_up, new_password
from shared.secret_rotation import CURRENT, PENDING, PREVIOUS, RotationRefused, Secret, Steps, run

PASSWORD_LENGTH = 40
# Besides letters and digits only - . _ and ~ remain, which have no meaning in URLs, connection strings and shells.
# RDS takes no / @ " or space: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html
EXCLUDED_CHARACTERS = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}"


def handler(event: Mapping[str, str], _context: object) -> None:
    """Run one step of a rotation. Errors are reported without secrets."""
    run(event, Steps(create=_create, set=_set, test=_test, cause=cause))


def _create(secret: Secret) -> None:
    """Keep a new password, of the same user or of the other one, under AWSPENDING."""
    if secret.pending_or_none() is not None:
        return
    current = Login.of(secret.current())
    username = current.other_user if current.master_arn else current.username
    secret.put_pending(current.has(username=username, password=_random_password(secret)))


def _random_password(secret: Secret) -> str:
    length = int(os.environ.get("PASSWORD_LENGTH", PASSWORD_LENGTH))
    return secret.random_password(length, excluded=os.environ.get("EXCLUDED_CHARACTERS", EXCLUDED_CHARACTERS))


def _set(secret: Secret) -> None:
    current, pending = Login.of(secret.current()), Login.of(secret.pending())
    if pending.place != current.place:
        raise RotationRefused("the pending secret is of another database than the current one")
    expected = current.other_user if current.master_arn else current.username
    if pending.username != expected:
        raise RotationRefused("the pending secret is of a user whom this rotation has nothing to do with")
    if current.master_arn:
        _set_other_user(secret, current, pending)
    else:
        _set_own_password(secret, current, pending)


def _test(secret: Secret) -> None:
    """Log in with the new password, and check the user."""
    pending = Login.of(secret.pending())
    with connected(pending) as connection:
        user = pending.first_user if pending.master_arn else pending.username
        if connection.run("SELECT current_user = :user", user=user) != [[True]]:
            raise RotationRefused("the new user does not work as the first one")


def _set_own_password(secret: Secret, current: Login, pending: Login) -> None:
    if opens(pending):  # an earlier call was ended between the two
        secret.promote()
        return
    # The value of an earlier rotation may be in a version without a staging label.
    known = first_that_opens(
        itertools.chain([current], (login for login in _readable(secret) if login.enters_as(current)))
    )
    with connected(known) as connection:
        try:
            connection.run(new_password(pending))
            secret.promote()
        except Exception:
            if not secret.refreshed().is_current:  # otherwise it is done, and only the answer was lost
                _take_back(current, pending)
                raise


def _take_back(current: Login, pending: Login) -> None:
    """Make the current secret valid again, by a new connection, as the previous one may have failed."""
    if opens(pending):
        with connected(pending) as connection:
            connection.run(new_password(current))


def _set_other_user(secret: Secret, current: Login, pending: Login) -> None:
    if opens(pending):
        return
    master = _master(secret, current)
    repair = not opens(current)
    if repair and current.first_user not in application_users():
        raise RotationRefused(
            "the current secret does not open the database, and its user is not among APPLICATION_USERS"
        )
    with connected(master) as connection:
        # In one transaction: a user that can log in has all that it should have.
        connection.run("BEGIN")
        for login in (current, pending) if repair else (pending,):
            bring_up(connection, login)
        connection.run("COMMIT")


def _master(secret: Secret, current: Login) -> Login:
    """The login of the master, also while its own password is about to change."""
    arn = _in_the_region_of(secret.arn, current.master_arn)
    values = (secret.value_of(arn, stage) for stage in (CURRENT, PENDING, PREVIOUS))
    masters = (Login.of(value) for value in values if value is not None)
    master = first_that_opens(login for login in masters if login.place == current.place)
    if master.username in {current.first_user, current.username, current.other_user}:
        raise RotationRefused("the master is one of the users that alternate")
    return master


def _in_the_region_of(arn: str, another: str) -> str:
    """The ARN of another secret's replica in a secret's region: they differ by the region alone.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html
    """
    parts = another.split(":")
    return ":".join([*parts[:3], arn.split(":")[3], *parts[4:]])


def _readable(secret: Secret) -> Iterator[Login]:
    """The former values of the secret that are logins."""
    previous = secret.previous()
    for value in itertools.chain([] if previous is None else [previous], secret.unstaged_values()):
        with suppress(RotationRefused):
            yield Login.of(value)
