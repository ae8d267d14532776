"""Commands for merchants and their credentials, of either system."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.cli.parameters import api_settings_of, settings_of
from operations.region import Region
from settings.naming import Names

application = typer.Typer()

Environment = Annotated[str, typer.Option(help="A name in settings/environments, or a .toml file.")]
PaymentApi = Annotated[bool, typer.Option("--payment-api", help="ENVIRONMENT is one of the payment API's.")]
Where = Annotated[Region, typer.Option(help="Region of the function: recovery where the primary one is lost.")]


@application.command()
def merchant(
    name: Annotated[str, typer.Argument(help="Of the merchant, who is made where there is none of this name.")],
    *,
    environment: Environment = "local",
    scopes: Annotated[
        str, typer.Option(help="Of the key, separated by commas.")
    ] = "payments:read,payments:write,refunds:write",
    days: Annotated[float | None, typer.Option(help="Until the key expires; without it, never.")] = None,
    payment_api: PaymentApi = False,
    region: Where = Region.PRIMARY,
) -> None:
    """Make a merchant and a key of it, which is printed once."""
    from operations.merchants.command import Administration, show

    own, place = _place(environment, region, payment_api=payment_api)
    show([Administration.of(own, place).make_key(name, scopes, days)])


@application.command(context_settings={"ignore_unknown_options": True})
def merchants(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="list; keys list NAME, keys create NAME --scopes ..., keys rotate ID, keys revoke ID; "
            "certificates list NAME, certificates add NAME FINGERPRINT, certificates revoke FINGERPRINT."
        ),
    ] = None,
    *,
    environment: Environment = "local",
    payment_api: PaymentApi = False,
    region: Where = Region.PRIMARY,
) -> None:
    """List merchants; list, create, rotate and revoke their keys and certificates."""
    from operations.merchants.command import Administration, show

    own, place = _place(environment, region, payment_api=payment_api)
    show(Administration.of(own, place).perform(arguments or ["list"]))


@application.command(context_settings={"ignore_unknown_options": True})
def settlement(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="differences; differences --all, files, resolve ID EXPLANATION."),
    ] = None,
    *,
    environment: Environment = "local",
    payment_api: PaymentApi = False,
    region: Where = Region.PRIMARY,
) -> None:
    """List what differs from the acquirer's settlement files, and the files; resolve a difference."""
    from operations.merchants.command import Administration, show

    own, place = _place(environment, region, payment_api=payment_api)
    show(Administration.of(own, place).perform(["settlement", *(arguments or ["differences"])]))


@application.command(context_settings={"ignore_unknown_options": True})
def epochs(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="list; begin CAUSE, such as 'restored to 12:05'.")
    ] = None,
    *,
    environment: Environment = "local",
    payment_api: PaymentApi = False,
    region: Where = Region.PRIMARY,
) -> None:
    """List the epochs of the database; begin one after rows were lost, so that what is older is looked up first."""
    from operations.merchants.command import Administration, show

    own, place = _place(environment, region, payment_api=payment_api)
    show(Administration.of(own, place).perform(["epochs", *(arguments or ["list"])]))


def _place(environment: str, region: Region, *, payment_api: bool) -> tuple[Names, str]:
    """The names of an environment, and AWS's name of the region."""
    primary = region is Region.PRIMARY
    if payment_api:
        api = api_settings_of(environment)
        return api.names, api.region if primary else api.replica_region
    settings = settings_of(environment)
    return settings.names, (settings.primary if primary else settings.recovery).name
