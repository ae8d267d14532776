"""Commands of the payment API, locally and on AWS."""

from __future__ import annotations

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
    """Show the changes of a deployment."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).diff()


@application.command("deploy-api")
def deploy_api(
    environment: ApiEnvironment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before changing anything.")] = False,
) -> None:
    """Deploy an environment of the payment API to AWS, and write cfn-outputs/flat-outputs.json."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).deploy(approve=approve)


@application.command("destroy-api")
def destroy_api(
    environment: ApiEnvironment,
    approve: Annotated[bool, typer.Option("--approve", help="Do not ask before destroying anything.")] = False,
) -> None:
    """Destroy an environment of the payment API on AWS, unless its settings say protected = true."""
    from operations.payment_api.deploy import Deployment

    Deployment(environment, api_settings_of(environment), console()).destroy(approve=approve)
