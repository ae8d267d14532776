"""Why a role is allowed or denied: ``python -m policy.why ROLE ACTION RESOURCE [--caller-in-network]``.

All policies that apply are evaluated: the role's identity policies and boundary, the resource's own policy, a
key's, and with ``--caller-in-network`` that of the VPC endpoint. RESOURCE is an ARN, "*" or the address of a resource
of the configuration, such as ``aws_sqs_queue.NAME``.

Exit codes: 0 allowed, 1 refused, 2 bad input.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from iam import reference
from iam.authorization import Verdict, authorize
from iam.evaluation import Request
from operations.outcome import EXIT_FAILED, Refused, console, exit_codes
from policy.deciding import Deciding
from settings import load

CONFIGURATION = Path("cdktf.out/stacks/payment-platform/cdk.tf.json")


def why(
    role: Annotated[str, typer.Argument(help="The name of a role, such as payments-web-task-us-east-2-local.")],
    action: Annotated[str, typer.Argument(help="Such as sqs:SendMessage.")],
    resource: Annotated[str, typer.Argument(help='An ARN, "*", or the address of a resource.')],
    *,
    caller_in_network: Annotated[
        bool, typer.Option("--caller-in-network", help="The caller is in the VPC and leaves by its endpoints.")
    ] = False,
    condition: Annotated[
        list[str] | None, typer.Option(help="A condition key that the request carries, KEY=VALUE; repeatable.")
    ] = None,
    configuration: Annotated[
        Path, typer.Option(help="The synthesized configuration (make synth writes it).")
    ] = CONFIGURATION,
    environment: Annotated[str, typer.Option(help="Whose settings it was synthesized from.")] = "local",
) -> None:
    """Show the statements that allow or deny a role's action, across all policies that apply."""
    verdict = decide(
        _read(configuration),
        account_id=load(environment).account_id,
        role=role,
        action=action,
        resource=resource,
        in_network=caller_in_network,
        context=dict(_pair(one) for one in condition or []),
    )
    out = console()
    for line in lines(verdict):
        out.print(line, markup=False, emoji=False)
    if not verdict.is_allowed:
        raise typer.Exit(EXIT_FAILED)


def decide(
    configuration: dict[str, object],
    *,
    account_id: str,
    role: str,
    action: str,
    resource: str,
    in_network: bool,
    context: dict[str, str],
) -> Verdict:
    """The verdict on a request, by the policies of a configuration.

    Raises:
        Refused: the role, the resource or the action is not known.
    """
    deciding = Deciding(configuration, account_id=account_id)
    try:
        caller, arn = deciding.role(role), deciding.arn(resource)
        takes_resources = bool(reference.resource_patterns(action))
    except LookupError as unknown:
        raise Refused(str(unknown)) from None
    request = Request(
        action=action,
        resource=arn if takes_resources else "*",
        principal=f"arn:aws:sts::{account_id}:assumed-role/{role}/session",
        role=caller.arn,
        context={
            "aws:PrincipalArn": caller.arn,
            "aws:PrincipalAccount": account_id,
            "aws:ResourceAccount": account_id,
            **_where(arn),
            **context,
        },
    )
    return authorize(request, deciding.policies(caller, action, arn, in_network=in_network))


def _where(arn: str) -> dict[str, str]:
    region = arn.split(":")[3] if arn.startswith("arn:") else ""
    return {"aws:SecureTransport": "true", **({"aws:RequestedRegion": region} if region else {})}


def lines(verdict: Verdict) -> list[str]:
    """The explanation: the decision, every statement that applied, and the missing permission."""
    asked = verdict.request
    decision = "allowed" if verdict.is_allowed else f"refused by {verdict.refused_by}"
    said = [f"  {one}" for one in verdict.said]
    missing = [] if verdict.is_allowed else [f"missing: {verdict.missing}"]
    return [f"{decision}: {asked.action} on {asked.resource}", *said, *missing]


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise Refused(f"--condition {text}: is not KEY=VALUE")
    return key, value


def _read(path: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{path} does not exist: run make synth") from None
    return found


if __name__ == "__main__":
    with exit_codes():
        typer.run(why)
