"""Commands that operate a deployed environment: releases, failover, schema, dead letters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli.parameters import Environment, api_settings_of, settings_of
from operations.outcome import console
from operations.region import Region
from operations.release.request import Request as ReleaseRequest
from settings.naming import OPERATOR_USERNAME

if TYPE_CHECKING:
    from operations.redrive.request import Place

application = typer.Typer()


@application.command()
def release(
    service: Annotated[str, typer.Argument(help="A blue/green service of the settings.")],
    *,
    image: Annotated[
        str | None,
        typer.Option(
            help="Image by digest: registry/name@sha256:... Default: the running image, with changed settings."
        ),
    ] = None,
    environment: Annotated[str, typer.Option(help="A name in settings/environments, or a .toml file.")] = "local",
    region: Annotated[
        Region, typer.Option(help="Region of the release; each region is released separately.")
    ] = Region.PRIMARY,
    resume: Annotated[bool, typer.Option("--resume", help="Watch the deployment in progress.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it and roll it back.")] = False,
    without_running_alarms: Annotated[
        bool,
        typer.Option(
            "--without-running-alarms", help="Replace a version whose alarms fire: only the new version's are watched."
        ),
    ] = False,
) -> None:
    """Release an image with the settings deployed last, by a canary, and watch it. Exit code 3: rolled back."""
    from operations.release.command import run

    request = ReleaseRequest(
        service=service,
        image=image,
        environment=environment,
        region=region,
        resume=resume,
        stop=stop,
        without_running_alarms=without_running_alarms,
    )
    raise typer.Exit(run(request, settings_of(environment), console()))


@application.command()
def failover(
    to: Annotated[Region, typer.Argument(help="Target region: serves customers and has the writer afterwards.")],
    *,
    environment: Annotated[str, typer.Option(help="A name in settings/environments, or a .toml file.")] = "local",
    lost_region: Annotated[
        bool, typer.Option("--lost-region", help="The other region is lost: fail over without it, with data loss.")
    ] = False,
    accept_data_loss: Annotated[
        bool,
        typer.Option(
            "--accept-data-loss", help="With --lost-region: also lose more than the recovery point objective."
        ),
    ] = False,
    without_epoch: Annotated[
        bool,
        typer.Option("--without-epoch", help="With --lost-region: leave the epoch to the service's first operation."),
    ] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before each step.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take over the lock of a run that was killed.")
    ] = False,
) -> None:
    """Fail over to the other region step by step, or fail back. Exit code 3: not complete, with the steps done."""
    from operations.failover.command import run
    from operations.failover.request import Request

    request = Request(
        to=to,
        environment=environment,
        lost_region=lost_region,
        accept_data_loss=accept_data_loss,
        without_epoch=without_epoch,
        approve=approve,
        take_over=take_over,
    )
    raise typer.Exit(run(request, settings_of(environment), console()))


@application.command()
def migrate(environment: Environment) -> None:
    """Migrate the schema of an environment's database, by the function of its last deployment."""
    from operations.deployment.migrate import run

    run(settings_of(environment), console())


@application.command()
def database(
    environment: Environment,
    *,
    role: Annotated[str, typer.Option(help="The database's role; it logs in by IAM.")] = OPERATOR_USERNAME,
    region: Annotated[Region, typer.Option(help="Whose database, and by whose network.")] = Region.PRIMARY,
    minutes: Annotated[int, typer.Option(min=1, max=480, help="The session ends after so many minutes.")] = 60,
    query: Annotated[str | None, typer.Option(metavar="SQL", help="Run it, and end; psql asks otherwise.")] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Kept with the session.")] = "make database",
    policy: Annotated[bool, typer.Option("--policy", help="Print the IAM policy that an operator needs.")] = False,
) -> None:
    """Read an environment's database by psql: by a task of its own, with a login by IAM, logged, for a while."""
    from operations.database.command import Request, run, show_policy

    request = Request(role=role, region=region, minutes=minutes, query=query, reason=reason)
    (show_policy if policy else run)(request, settings_of(environment), console())


@application.command()
def redrive(
    queue: Annotated[
        str, typer.Argument(help="Name or URL of the queue; its redrive policy names the dead-letter queue.")
    ],
    *,
    return_: Annotated[bool, typer.Option("--return", help="Move them back to the queue.")] = False,
    discard: Annotated[
        str | None, typer.Option(metavar="REASON", help="Delete them, and write them to --record.")
    ] = None,
    record: Annotated[Path, typer.Option(help="File for discarded messages.")] = Path("discarded.jsonl"),
    older_than: Annotated[str | None, typer.Option(metavar="AGE", help="Such as 90m, 2h or 3d.")] = None,
    newer_than: Annotated[str | None, typer.Option(metavar="AGE", help="Such as 90m, 2h or 3d.")] = None,
    payment: Annotated[str | None, typer.Option(metavar="ID", help="Of one payment.")] = None,
    database: Annotated[
        bool,
        typer.Option("--database", help="Read the database of DATABASE_HOST ...; the options below need it."),
    ] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Text in the reason or last error.")] = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Such as EUR.")] = None,
    min_amount: Annotated[int | None, typer.Option(min=1, help="In minor units.")] = None,
    max_amount: Annotated[int | None, typer.Option(min=1, help="In minor units.")] = None,
    completed: Annotated[bool, typer.Option("--completed", help="Only messages of completed operations.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of messages to receive.")] = 1000,
    environment: Annotated[str, typer.Option(help="A name in settings/environments, or a .toml file.")] = "local",
    payment_api: Annotated[
        bool, typer.Option("--payment-api", help="ENVIRONMENT is one of the payment API's, and so is the queue.")
    ] = False,
    region: Annotated[Region, typer.Option(help="Region of the queue.")] = Region.PRIMARY,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before deleting anything.")] = False,
) -> None:
    """Show a queue's dead letters; --return moves them back, --discard deletes them."""
    from operations.redrive.command import run
    from operations.redrive.request import Filter, Request, duration

    wanted = Filter(
        older_than=duration("--older-than", older_than),
        newer_than=duration("--newer-than", newer_than),
        payment=payment,
        reason=reason,
        currency=currency,
        min_amount=min_amount,
        max_amount=max_amount,
        completed=completed,
    )
    run(
        Request(
            queue=queue,
            place=_place(environment, region, payment_api=payment_api),
            approve=approve,
            filter=wanted,
            limit=limit,
            database=database,
            return_=return_,
            discard=discard,
            record=record,
        ),
        console(),
    )


def _place(environment: str, region: Region, *, payment_api: bool) -> Place:
    from operations.redrive.request import Place

    primary = region is Region.PRIMARY
    if payment_api:
        api = api_settings_of(environment)
        name = api.region if primary else api.replica_region
        return Place(environment=api.environment_suffix, account_id=api.account_id, region=name)
    settings = settings_of(environment)
    name = (settings.primary if primary else settings.recovery).name
    return Place(environment=settings.environment_suffix, account_id=settings.account_id, region=name)
