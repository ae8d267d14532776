"""Values that live for one run of Terraform and are in neither plan nor state (W0.5).

CDKTF is older than Terraform's ephemeral blocks, so that they are elements of our own here.
https://developer.hashicorp.com/terraform/language/block/ephemeral
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdktf import Fn, TerraformElement, Token
from constructs import Construct

from modules.region import Region

PASSWORD_TYPE = "aws_secretsmanager_random_password"  # noqa: S105 (the name of a type)
# Letters and digits need no quoting and no escaping in URLs, and RDS accepts them all. 40 of them are 238 bits.
PASSWORD_LENGTH = 40


class EphemeralPassword(TerraformElement):
    """A password that Secrets Manager generates in each run. Only a write-only argument may receive it."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(scope, id_, f"ephemeral.{PASSWORD_TYPE}")
        self._block = {
            "provider": Region.of(self).provider.fqn,
            "password_length": PASSWORD_LENGTH,
            "exclude_punctuation": True,
            "require_each_included_type": True,
        }
        self.value = Token.as_string(Fn.lookup_nested(self.fqn, ["random_password"]))

    def to_terraform(self) -> dict[str, Any]:
        """Called by CDKTF."""
        metadata = {"path": self.node.path, "uniqueId": self.friendly_unique_id}
        block = {**self._block, "//": {"metadata": metadata}}  # as CDKTF writes it into every other block
        return {"ephemeral": {PASSWORD_TYPE: {self.friendly_unique_id: block}}}


def as_hcl(blocks: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Ephemeral blocks, by type and name, in HCL, which CDKTF leaves out of what it writes in that language."""
    return "".join(
        f'\nephemeral "{type_}" "{name}" {{\n{_arguments(block)}}}\n'
        for type_, named in blocks.items()
        for name, block in named.items()
    )


def _arguments(block: Mapping[str, Any]) -> str:
    values = {name: value if name == "provider" else json.dumps(value) for name, value in block.items()}
    return "".join(f"  {name} = {value}\n" for name, value in values.items() if name != "//")
