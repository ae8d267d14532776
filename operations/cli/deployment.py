"""Commands that deploy and destroy the payment platform, locally and on AWS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from operations.cli.parameters import Environment, settings_of
from operations.deployment.synthesized import absolute
from operations.outcome import console

application = typer.Typer()


@application.command("deploy-local")
def deploy_local(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the local AWS on 127.0.0.1.")] = 5566,
    tasks: Annotated[int, typer.Option(min=0, help="How many tasks of a service run at most; 0 are none.")] = 2,
) -> None:
    """Deploy everything to a local AWS, prove that a second plan is empty, and leave it running."""
    from operations.deployment.local import LocalDeployment

    LocalDeployment(console(), tasks=tasks).deploy(port)


@application.command()
def pay(
    amount: Annotated[int, typer.Option(min=1, help="In the currency's smallest unit.")] = 1000,
    currency: Annotated[str, typer.Option(help="By its ISO code.")] = "USD",
    only_key: Annotated[bool, typer.Option("--only-key", help="Print an API key, and send nothing.")] = False,
) -> None:
    """Send a payment through what deploy-local made, wait until it is settled, and show its way hop by hop."""
    from operations.deployment.local import DIRECTORY, ENVIRONMENT
    from operations.pay.command import Payer

    payer = Payer(settings_of(ENVIRONMENT), DIRECTORY, console())
    payer.print_key() if only_key else payer.pay(amount, currency)


@application.command("rehearse-load")
def rehearse_load(
    customers: Annotated[int, typer.Option(min=1, help="How many pay at the same time.")] = 4,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two payments of a customer.")] = 0.5,
    only: Annotated[list[str] | None, typer.Option(help="An event; repeatable. Default: all of them.")] = None,
) -> None:
    """Let customers pay while what deploy-local made is operated and breaks, and count each payment."""
    from operations.deployment.local import DIRECTORY, ENVIRONMENT
    from operations.rehearsal.command import LoadRehearsal

    rehearsal = LoadRehearsal(settings_of(ENVIRONMENT), DIRECTORY, ENVIRONMENT, console())
    rehearsal.run(customers, pause, only or [])


@application.command("rehearse-environments")
def rehearse_environments(
    only: Annotated[list[str] | None, typer.Option(help="An event; repeatable. Default: all of them.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the local AWS on 127.0.0.1.")] = 5588,
    end: Annotated[
        bool, typer.Option("--end", help="Stop the local AWS that --only has left; do nothing else.")
    ] = False,
) -> None:
    """Deploy, operate and destroy the shipped settings beside each other in one account of a local AWS.

    With --only its local AWS is left running for further events.
    """
    from operations.rehearsal.environments.command import EnvironmentsRehearsal

    rehearsal = EnvironmentsRehearsal(console())
    rehearsal.end() if end else rehearsal.run(only or [], port=port)


@application.command("test-permissions")
def live_with_permissions(
    only: Annotated[list[str] | None, typer.Option(help="A step; repeatable. Default: all of them.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the platform deployed, for the next run.")] = False,
    share: Annotated[float, typer.Option(min=0, max=1, help="Of the needed statements, how many to delete.")] = 0,
    seed: Annotated[int, typer.Option(help="Chooses which.")] = 0,
) -> None:
    """Live the platform's life with every permission enforced, and show which statements no step uses."""
    from operations.deployment.local import ENVIRONMENT
    from operations.permissions.command import PermissionsTest
    from operations.permissions.sample import Sample

    test = PermissionsTest(settings_of(ENVIRONMENT), console())
    test.run(only or [], keep=keep, sample=Sample(share=share, seed=seed))


@application.command("test-ways")
def leave_out_ways(
    environment: Annotated[str, typer.Option(help="The environment to synthesize.")] = "local",
    share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave out this share of the parts alone, and show each.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses which.")] = 0,
) -> None:
    """Leave out each rule, entry, route and endpoint of the network, and show those that no connection needs."""
    from operations.ways.command import run

    run(environment, settings_of(environment), share, seed, console())


@application.command("destroy-local")
def destroy_local(
    abandon: Annotated[
        bool,
        typer.Option("--abandon", help="Stop the local AWS without destroying first; its state is in memory only."),
    ] = False,
) -> None:
    """Destroy everything that deploy-local created, show that nothing is left, and stop the local AWS."""
    from operations.deployment.local import LocalDeployment

    deployment = LocalDeployment(console())
    deployment.abandon() if abandon else deployment.destroy()


@application.command()
def bootstrap(environment: Environment) -> None:
    """Create the state bucket and its key, or verify and correct them. Never weakens an existing one."""
    from operations.state.bootstrap import run

    run(settings_of(environment), console())


@application.command()
def preflight(environment: Environment) -> None:
    """Check the prerequisites of an environment's first deployment: zone, quotas, roles, what the account has once."""
    from operations.deployment.deploy import Deployment

    Deployment(absolute(environment), settings_of(environment), console()).preflight()


@application.command()
def diff(environment: Environment) -> None:
    """Show the plan of a deployment."""
    from operations.deployment.deploy import Deployment

    Deployment(absolute(environment), settings_of(environment), console()).diff()


@application.command()
def review(
    plan: Annotated[
        str | None,
        typer.Argument(help="Output of terraform show -json: a file, - for standard input. Without it, plan now."),
    ] = None,
    *,
    environment: Annotated[str, typer.Option(help="The environment to plan where no PLAN is given.")] = "local",
    most_characters: Annotated[
        int | None, typer.Option(min=1000, help="Maximum length of the page: details are cut. If not given, none is.")
    ] = None,
    refuse_loss: Annotated[
        bool, typer.Option("--refuse-loss", help="Exit code 3 if a resource with data would be destroyed.")
    ] = False,
    from_state: Annotated[
        bool, typer.Option("--from-state", help="Plan from the state only: no lock, no refresh from AWS.")
    ] = False,
    write: Annotated[Path | None, typer.Option(help="File for the complete page, for deploy --reviewed.")] = None,
    summary: Annotated[Path | None, typer.Option(help="A job's summary, to which the complete page is added.")] = None,
) -> None:
    """Show a plan to a reviewer, as Markdown: data loss first, then access and network."""
    from operations.review.command import Request, run

    request = Request(
        plan=plan,
        environment=environment,
        most_characters=most_characters,
        refuse_loss=refuse_loss,
        from_state=from_state,
        write=write,
        summary=summary,
    )
    raise typer.Exit(run(request, console()))


@application.command()
def drift(
    environment: Environment,
    *,
    write: Annotated[Path | None, typer.Option(help="File for the page.")] = None,
    summary: Annotated[Path | None, typer.Option(help="A job's summary, to which the page is added.")] = None,
) -> None:
    """Show what differs between an environment's settings and AWS, without reading a secret. Exit code 3: something."""
    from operations.deployment.deploy import Deployment
    from operations.review.drift import run

    deployment = Deployment(absolute(environment), settings_of(environment), console(stderr=True))
    raise typer.Exit(run(deployment, environment, write=write, summary=summary, console=console()))


@application.command()
def deploy(
    environment: Environment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before changing anything.")] = False,
    reviewed: Annotated[
        Path | None,
        typer.Option(help="An approved page of review --write: apply exactly that plan or nothing."),
    ] = None,
) -> None:
    """Deploy an environment to AWS."""
    from operations.deployment.deploy import Deployment
    from operations.review.apply import apply

    deployment = Deployment(absolute(environment), settings_of(environment), console())
    apply(deployment, environment, reviewed) if reviewed else deployment.deploy(approve=approve)


@application.command()
def delivery(environment: Environment) -> None:
    """Show the roles by which GitHub plans and deploys an environment, as name=value lines for a workflow."""
    from operations.deployment.delivery import lines

    found = list(lines(settings_of(environment)))
    for line in found:
        typer.echo(line)
    if not found:
        typer.echo(f"{environment}: nobody, as delivery.repository is not set", err=True)


@application.command()
def env(environment: Environment) -> None:
    """Synthesize an environment, and print what a shell needs for npx cdktf and terraform: eval "$(make -s env)"."""
    from operations.deployment.shell import lines

    for line in lines(absolute(environment), settings_of(environment), os.environ):
        typer.echo(line)


@application.command()
def unlock(
    environment: Environment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before freeing the lock.")] = False,
) -> None:
    """Show who has locked an environment's state, since when, and whether that run goes on; free it after asking."""
    from operations.deployment.deploy import Deployment

    Deployment(absolute(environment), settings_of(environment), console()).unlock(approve=approve)


@application.command("state-replica")
def state_replica(
    environment: Environment,
    go_on: Annotated[bool, typer.Option("--continue", help="Have the state go on in the recovery region.")] = False,
    come_back: Annotated[bool, typer.Option("--return", help="Copy what went on there to the state bucket.")] = False,
    accept_behind: Annotated[bool, typer.Option("--accept-behind", help="Continue though it is not the last.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask.")] = False,
) -> None:
    """Compare the replica of an environment's state with it; continue from it while the primary region is lost."""
    from operations.deployment.state_replica import run

    run(
        settings_of(environment),
        console(),
        go_on=go_on,
        come_back=come_back,
        accept_behind=accept_behind,
        approve=approve,
    )


@application.command()
def destroy(
    environment: Environment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before destroying anything.")] = False,
) -> None:
    """Destroy an environment on AWS, unless it is protected by its settings or as it is deployed."""
    from operations.deployment.deploy import Deployment
    from operations.review.page import losses
    from operations.review.plan import read

    deployment = Deployment(absolute(environment), settings_of(environment), console())
    deployment.destroy(approve=approve, summarize=lambda plan: losses(read(plan, environment)))
