"""Commands of the payment API, locally and on AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from operations.cli.parameters import api_settings_of
from operations.outcome import console

application = typer.Typer()

ApiEnvironment = Annotated[
    str, typer.Argument(help="A name in payment_api/settings/environments, or the path of a .toml file of that form.")
]


@application.command("deploy-api-local")
def deploy_api_local(
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the local AWS on 127.0.0.1.")] = 5577,
) -> None:
    """Deploy the payment API to a local AWS, prove that a second deployment is empty, and leave it running."""
    from operations.payment_api.local import LocalPaymentApi

    LocalPaymentApi(console()).deploy(port)


@application.command("test-api-local")
def test_api_local() -> None:
    """Run the integration tests against the deployment of deploy-api-local."""
    from operations.payment_api.local import LocalPaymentApi

    LocalPaymentApi(console()).verify()


@application.command("destroy-api-local")
def destroy_api_local(
    abandon: Annotated[
        bool,
        typer.Option("--abandon", help="Stop the local AWS without destroying first; its state is in memory only."),
    ] = False,
) -> None:
    """Destroy everything that deploy-api-local created, show that nothing is left, and stop the local AWS."""
    from operations.payment_api.local import LocalPaymentApi

    deployment = LocalPaymentApi(console())
    deployment.abandon() if abandon else deployment.destroy()


@application.command("pay-api")
def pay_api(
    amount: Annotated[int, typer.Option(min=1, help="The amount, in the currency's smallest unit.")] = 1200,
    currency: Annotated[str, typer.Option(help="The currency, by ISO 4217.")] = "EUR",
) -> None:
    """Send a payment to the deployment of deploy-api-local as a merchant's client does, and show its way."""
    from operations.payment_api.pay import pay

    pay(amount, currency, console())


@application.command("rehearse-api")
def rehearse_api(
    clients: Annotated[int, typer.Option(min=1, help="How many pay at the same time.")] = 4,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two payments of a client.")] = 0.5,
    only: Annotated[list[str] | None, typer.Option(help="An event; repeatable. Default: all of them.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the local AWS on 127.0.0.1.")] = 5577,
) -> None:
    """Let clients pay while the payment API is operated on a local AWS, count each payment, and destroy it at the end.

    With --only it is left as it is. What is not deployed yet is deployed first.
    """
    from operations.payment_api.local import LocalPaymentApi
    from operations.payment_api.rehearsal.command import ApiRehearsal

    ApiRehearsal(LocalPaymentApi(console()), console()).run(clients, pause, only or [], port=port)


@application.command("preflight-api")
def preflight_api(environment: ApiEnvironment) -> None:
    """Check the prerequisites of deploy-api."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).preflight()


@application.command("bootstrap-api")
def bootstrap_api(environment: ApiEnvironment) -> None:
    """Bootstrap the CDK in both regions of the account, once."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).bootstrap()


@application.command("diff-api")
def diff_api(environment: ApiEnvironment) -> None:
    """Show the changes of a deployment by the templates; nothing is prepared."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).diff()


@application.command("prepare-api")
def prepare_api(
    environment: ApiEnvironment,
    write: Annotated[Path | None, typer.Option(help="File for the page, for deploy-api --reviewed.")] = None,
    summary: Annotated[
        Path | None, typer.Option(help="File of a job's summary, to which the page is appended.")
    ] = None,
) -> None:
    """Prepare change sets of a deployment for an approval, and show their page; nothing is executed."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).prepare(write, summary)


@application.command("deploy-api")
def deploy_api(
    environment: ApiEnvironment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before changing anything.")] = False,
    reviewed: Annotated[
        Path | None,
        typer.Option(help="An approved page of prepare-api --write: execute exactly its change sets or nothing."),
    ] = None,
) -> None:
    """Deploy an environment of the payment API to AWS, and write cfn-outputs/flat-outputs.json."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).deploy(approve=approve, reviewed=reviewed)


@application.command("destroy-api")
def destroy_api(
    environment: ApiEnvironment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before destroying anything.")] = False,
) -> None:
    """Destroy an environment of the payment API on AWS, unless its settings say protected = true."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).destroy(approve=approve)
