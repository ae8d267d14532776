"""`python -m operations`: the commands people run. Each is a name here and a module of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operations.deployment.synthesized import absolute
from operations.outcome import Refused, console, exit_codes
from operations.region import Region
from operations.release.request import Request as ReleaseRequest
from settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from payment_api.settings import Settings as ApiSettings

application = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The payment platform's commands. Exit codes: 0 done, 1 failed, 2 bad input or an unmet condition, "
    "130 interrupted (Terraform then ends by itself, and releases its lock).",
)

Environment = Annotated[
    str, typer.Argument(help="A name in settings/environments, or the path of a .toml file of that form.")
]


@application.command("deploy-local")
def deploy_local(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the local AWS on 127.0.0.1.")] = 5566,
) -> None:
    """Deploy everything to a local AWS, prove that a second plan is empty, and leave it running."""
    from operations.deployment.local import LocalDeployment

    LocalDeployment(console()).deploy(port)


@application.command("destroy-local")
def destroy_local(
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Stop the local AWS without destroying first: it is all in its memory.")
    ] = False,
) -> None:
    """Destroy what deploy-local made, show that nothing is left, and stop the local AWS."""
    from operations.deployment.local import LocalDeployment

    deployment = LocalDeployment(console())
    deployment.abandon() if abandon else deployment.destroy()


@application.command()
def bootstrap(environment: Environment) -> None:
    """Create the bucket and key for Terraform's state, or verify and mend them. Never weakens what exists."""
    from operations.state.bootstrap import run

    run(_settings(environment), console())


@application.command()
def diff(environment: Environment) -> None:
    """Show what deploy would change."""
    from operations.deployment.deploy import Deployment

    Deployment(absolute(environment), _settings(environment), console()).diff()


@application.command()
def review(
    plan: Annotated[
        str | None,
        typer.Argument(help="A file that terraform show -json wrote, - for standard input, or none: plan now."),
    ] = None,
    *,
    environment: Annotated[str, typer.Option(help="What is planned where no PLAN is given.")] = "local",
    most_characters: Annotated[
        int, typer.Option(min=1000, help="The longest page: details are left out from its end.")
    ] = 60_000,
    refuse_loss: Annotated[
        bool, typer.Option("--refuse-loss", help="Exit code 3 if something that holds data would be lost.")
    ] = False,
    from_state: Annotated[
        bool, typer.Option("--from-state", help="Plan from the state as it is: no lock, no question to AWS.")
    ] = False,
    write: Annotated[Path | None, typer.Option(help="A file that takes the whole page, for deploy --reviewed.")] = None,
) -> None:
    """Show what a plan would change as a reviewer wants to see it: what loses data first, and in Markdown."""
    from operations.review.command import Request, run

    request = Request(
        plan=plan,
        environment=environment,
        most_characters=most_characters,
        refuse_loss=refuse_loss,
        from_state=from_state,
        write=write,
    )
    raise typer.Exit(run(request, console()))


@application.command()
def deploy(
    environment: Environment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before changing anything.")] = False,
    reviewed: Annotated[
        Path | None,
        typer.Option(help="A page that review --write wrote and somebody approved: change that and nothing else."),
    ] = None,
) -> None:
    """Deploy an environment to AWS."""
    from operations.deployment.deploy import Deployment
    from operations.review.apply import apply

    deployment = Deployment(absolute(environment), _settings(environment), console())
    apply(deployment, environment, reviewed) if reviewed else deployment.deploy(approve=approve)


@application.command()
def delivery(environment: Environment) -> None:
    """Show who may plan and deploy an environment from GitHub, as name=value lines that a workflow reads."""
    from operations.deployment.delivery import lines

    found = list(lines(_settings(environment)))
    for line in found:
        typer.echo(line)
    if not found:
        typer.echo(f"{environment}: nobody, as delivery.repository is not set", err=True)


@application.command()
def destroy(
    environment: Environment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before destroying anything.")] = False,
) -> None:
    """Destroy an environment on AWS, unless it is protected by its settings or as it is deployed."""
    from operations.deployment.deploy import Deployment
    from operations.review.page import losses
    from operations.review.plan import read

    deployment = Deployment(absolute(environment), _settings(environment), console())
    deployment.destroy(approve=approve, summarize=lambda plan: losses(read(plan, environment)))


@application.command()
def release(
    service: Annotated[str, typer.Argument(help="A blue/green service of the settings.")],
    *,
    image: Annotated[
        str | None,
        typer.Option(help="What to release, by digest: registry/name@sha256:... If not given, what runs, as set now."),
    ] = None,
    environment: Annotated[str, typer.Option(help="A name in settings/environments, or a .toml file.")] = "local",
    region: Annotated[Region, typer.Option(help="Where; each region is released by itself.")] = Region.PRIMARY,
    resume: Annotated[bool, typer.Option("--resume", help="Watch the deployment that is in progress.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it and roll it back.")] = False,
    without_running_alarms: Annotated[
        bool,
        typer.Option(
            "--without-running-alarms", help="Mend a version whose alarms are on: only the new version's are watched."
        ),
    ] = False,
) -> None:
    """Release an image, with the settings as deployed, as a canary, and watch it. Exit code 3: rolled back."""
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
    raise typer.Exit(run(request, _settings(environment), console()))


@application.command()
def failover(
    to: Annotated[Region, typer.Argument(help="Where the platform is to serve from, and have its writer.")],
    *,
    environment: Annotated[str, typer.Option(help="A name in settings/environments, or a .toml file.")] = "local",
    lost_region: Annotated[
        bool, typer.Option("--lost-region", help="The other region is lost: go on without it, and lose what it held.")
    ] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before each step.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Take another run's lock, that has ended without a word.")
    ] = False,
) -> None:
    """Move the platform to its other region, step by step, or back. Exit code 3: not finished, and it says where."""
    from operations.failover.command import run
    from operations.failover.request import Request

    request = Request(to=to, environment=environment, lost_region=lost_region, approve=approve, take_over=take_over)
    raise typer.Exit(run(request, _settings(environment), console()))


@application.command("deploy-api-local")
def deploy_api_local(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the local AWS on 127.0.0.1.")] = 5577,
) -> None:
    """Deploy the payment API to a local AWS, prove that a second deployment is empty, and leave it running."""
    from operations.payment_api.local import LocalPaymentApi

    LocalPaymentApi(console()).deploy(port)


@application.command("test-api-local")
def test_api_local() -> None:
    """Run the integration tests against what deploy-api-local made."""
    from operations.payment_api.local import LocalPaymentApi

    LocalPaymentApi(console()).verify()


@application.command("destroy-api-local")
def destroy_api_local(
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Stop the local AWS without destroying first: it is all in its memory.")
    ] = False,
) -> None:
    """Destroy what deploy-api-local made, show that nothing is left, and stop the local AWS."""
    from operations.payment_api.local import LocalPaymentApi

    deployment = LocalPaymentApi(console())
    deployment.abandon() if abandon else deployment.destroy()


ApiEnvironment = Annotated[
    str, typer.Argument(help="A name in payment_api/settings/environments, or the path of a .toml file of that form.")
]


@application.command("preflight-api")
def preflight_api(environment: ApiEnvironment) -> None:
    """Read whether everything exists that must exist before deploy-api."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, _api_settings(environment), console()).preflight()


@application.command("bootstrap-api")
def bootstrap_api(environment: ApiEnvironment) -> None:
    """Make what the CDK needs in both regions of the account, once."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, _api_settings(environment), console()).bootstrap()


@application.command("diff-api")
def diff_api(environment: ApiEnvironment) -> None:
    """Show what deploy-api would change."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, _api_settings(environment), console()).diff()


@application.command("deploy-api")
def deploy_api(
    environment: ApiEnvironment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before changing anything.")] = False,
) -> None:
    """Deploy an environment of the payment API to AWS, and write cfn-outputs/flat-outputs.json."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, _api_settings(environment), console()).deploy(approve=approve)


@application.command("destroy-api")
def destroy_api(
    environment: ApiEnvironment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before destroying anything.")] = False,
) -> None:
    """Destroy an environment of the payment API on AWS, unless its settings say that it is protected."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, _api_settings(environment), console()).destroy(approve=approve)


@application.command()
def redrive(
    queue: Annotated[str, typer.Argument(help="Name or URL of the queue whose dead letters are meant.")],
    *,
    return_: Annotated[bool, typer.Option("--return", help="Give them back to the queue.")] = False,
    discard: Annotated[
        str | None, typer.Option(metavar="REASON", help="Delete them, and keep them in --record.")
    ] = None,
    record: Annotated[Path, typer.Option(help="The file that takes what is discarded.")] = Path("discarded.jsonl"),
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
    completed: Annotated[
        bool, typer.Option("--completed", help="Only of operations that are completed by now.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The most messages that are looked at.")] = 1000,
    region: Annotated[str | None, typer.Option(help="Where; AWS_REGION when not given.")] = None,
) -> None:
    """Show a queue's dead letters, and return or discard them; without --return or --discard nothing is changed."""
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
            region=region,
            filter=wanted,
            limit=limit,
            database=database,
            return_=return_,
            discard=discard,
            record=record,
        ),
        console(),
    )


@application.command()
def migrate(environment: Environment) -> None:
    """Bring the schema of an environment's database up to date, by the function of its last deployment."""
    from operations.deployment.migrate import run

    run(_settings(environment), console())


@application.command()
def estimate(
    environments: Annotated[
        list[str] | None, typer.Argument(help="Names in settings/environments, or .toml files; none: all of them.")
    ] = None,
    *,
    prices: Annotated[Path | None, typer.Option(help="A table like operations/estimate/prices.toml.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write docs/cost.md instead.")] = False,
) -> None:
    """Show what environments cost a month before anything is used, and what that leaves out."""
    from operations.estimate import command as estimates

    if write:
        estimates.PAGE.write_text(estimates.page(), encoding="utf-8")
    else:
        estimates.run(environments or [], prices, console())


@application.command()
def picture(
    plan: Annotated[
        str | None,
        typer.Argument(
            help="A file that terraform show -json wrote, or a cdk.tf.json; - for standard input; none: synthesize now."
        ),
    ] = None,
    *,
    environment: Annotated[str, typer.Option(help="What is synthesized where no PLAN is given.")] = "local",
    output: Annotated[
        Path | None,
        typer.Option(
            help="The SVG file. If not given, docs/architecture.svg, and without PLAN the tables beside it, too."
        ),
    ] = None,
) -> None:
    """Draw the architecture of what a plan, or an environment, would build, as an SVG."""
    from operations.picture.command import run

    run(plan, environment, output, console())


def _settings(environment: str) -> Settings:
    try:
        return load(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error


def _api_settings(environment: str) -> ApiSettings:
    from payment_api.settings import load as load_api

    try:
        return load_api(environment)
    except SettingsError as error:
        raise Refused(str(error)) from error


def main() -> None:
    """Run the command that the arguments name."""
    with exit_codes():
        application(prog_name="python -m operations")


if __name__ == "__main__":
    main()
