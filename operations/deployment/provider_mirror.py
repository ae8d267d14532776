"""Source of Terraform's providers: a mirror on disk that has them, or the registry.

Searched in this order; the first one that has every provider of the configuration, with its version and for this
platform, is used:

1. the folder that the variable TERRAFORM_PROVIDER_MIRROR names (if it lacks a provider, that is an error);
2. the user's own CLI configuration, if it says how providers are installed (then it is left to decide);
3. Terraform's implied local mirrors
   (https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories);
4. a folder with a ``registry.terraform.io`` in it, just below a usual place for software (such as ``/opt/*``);
5. the registry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.outcome import Refused

DEFAULT_HOST = "registry.terraform.io"
PROVIDER_LOCK = Path(__file__).with_name(".terraform.lock.hcl")
"""The checksums of the providers' packages, by which `terraform init` refuses any other.

https://developer.hashicorp.com/terraform/language/files/dependency-lock
"""
MIRROR_VARIABLE = "TERRAFORM_PROVIDER_MIRROR"
CONFIGURATION_VARIABLE = "TF_CLI_CONFIG_FILE"
# A mirror is looked for in these folders and in each folder right below them.
PLACES_FOR_SOFTWARE = (
    "/opt",
    "/srv",
    "/usr/share",
    "/usr/local",
    "/usr/local/share",
    "/usr/lib",
    "/usr/local/lib",
    "/var/lib",
    "~",
)


@dataclass(frozen=True)
class Provider:
    """A provider that a configuration requires, at one exact version, for one platform such as linux_amd64."""

    host: str
    namespace: str
    type: str
    version: str
    platform: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.type} {self.version}"

    @property
    def address(self) -> str:
        """The provider's full source address, such as registry.terraform.io/hashicorp/aws."""
        return f"{self.host}/{self.namespace}/{self.type}"

    def is_in(self, mirror: Path) -> bool:
        """Whether ``mirror`` holds it, packed or unpacked.

        The layouts: https://developer.hashicorp.com/terraform/cli/config/config-file#filesystem_mirror
        """
        folder = mirror / self.host / self.namespace / self.type
        packed = folder / f"terraform-provider-{self.type}_{self.version}_{self.platform}.zip"
        unpacked = (folder / self.version / self.platform).glob(f"terraform-provider-{self.type}*")
        return packed.is_file() or any(path.is_file() for path in unpacked)


@dataclass(frozen=True)
class Installation:
    """Source of Terraform's providers: as text, and as environment variables to set and to remove."""

    source: str
    variables: Mapping[str, str]

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """``base`` with these variables, and without the name of a CLI configuration file that does not exist."""
        kept = {name: value for name, value in base.items() if name != CONFIGURATION_VARIABLE}
        return {**kept, "CHECKPOINT_DISABLE": "1", **self.variables}


def required_providers(synthesized: Path, platform: str) -> list[Provider]:
    """The providers that a synthesized configuration (``cdk.tf.json``) requires."""
    configuration: dict[str, Any] = json.loads(synthesized.read_text(encoding="utf-8"))
    required = configuration["terraform"]["required_providers"]
    return [_provider(entry["source"], entry["version"], platform) for entry in required.values()]


def find_installation(
    providers: Sequence[Provider],
    variables: Mapping[str, str],
    generated: Path,
    *,
    implied: Sequence[Path] | None = None,
    places: Sequence[Path] | None = None,
) -> Installation:
    """Find where ``providers`` come from.

    Args:
        providers: what the configuration requires.
        variables: the environment.
        generated: where a CLI configuration is written when a mirror is used.
        implied: Terraform's implied mirrors, when not those of this machine.
        places: the folders that mirrors are looked for below, when not those of this machine.

    Raises:
        Refused: TERRAFORM_PROVIDER_MIRROR names a folder that lacks a provider.
    """
    if named := variables.get(MIRROR_VARIABLE):
        return _generate(_complete_or_refuse(Path(named).expanduser(), providers), providers, generated)
    configuration = _existing_configuration(variables)
    if configuration and re.search(r"^\s*provider_installation\b", configuration.read_text("utf-8"), re.MULTILINE):
        return Installation(f"as {configuration} says", {CONFIGURATION_VARIABLE: str(configuration)})
    candidates = [*(_implied_mirrors() if implied is None else implied), *_mirrors_below(places)]
    for mirror in candidates:
        if all(provider.is_in(mirror) for provider in providers):
            return _generate(mirror, providers, generated)
    return Installation(DEFAULT_HOST, {CONFIGURATION_VARIABLE: str(configuration)} if configuration else {})


def _provider(source: str, version: str, platform: str) -> Provider:
    *host, namespace, type_ = (source if "/" in source else f"hashicorp/{source}").split("/")
    return Provider("".join(host) or DEFAULT_HOST, namespace, type_, version.removeprefix("=").strip(), platform)


def _complete_or_refuse(mirror: Path, providers: Sequence[Provider]) -> Path:
    for provider in providers:
        if not provider.is_in(mirror):
            raise Refused(
                f"{MIRROR_VARIABLE}: {str(mirror)!r} is not allowed; a folder that holds {provider.address} "
                f"{provider.version} for {provider.platform} is"
            )
    return mirror


def _existing_configuration(variables: Mapping[str, str]) -> Path | None:
    """The user's CLI configuration file; the variable may name one that does not exist."""
    named = variables.get(CONFIGURATION_VARIABLE)
    path = Path(named) if named else Path.home() / ".terraformrc"
    return path.absolute() if path.is_file() else None


def _implied_mirrors() -> list[Path]:
    folders = (
        "terraform.d/plugins",
        "~/.terraform.d/plugins",
        "~/.local/share/terraform/plugins",
        "/usr/local/share/terraform/plugins",
        "/usr/share/terraform/plugins",
        "~/Library/Application Support/io.terraform/plugins",
        "/Library/Application Support/io.terraform/plugins",
    )
    return [Path(folder).expanduser().absolute() for folder in folders]


def _mirrors_below(places: Sequence[Path] | None) -> Iterator[Path]:
    for place in [Path(name).expanduser() for name in PLACES_FOR_SOFTWARE] if places is None else places:
        yield place
        yield from _folders_in(place)


def _folders_in(place: Path) -> list[Path]:
    try:
        return sorted(entry for entry in place.iterdir() if entry.is_dir())
    except OSError:
        return []  # it does not exist or may not be read: no mirror of ours


def _generate(mirror: Path, providers: Sequence[Provider], generated: Path) -> Installation:
    mirror = mirror.absolute()
    addresses = json.dumps([provider.address for provider in providers])
    generated.parent.mkdir(parents=True, exist_ok=True)
    generated.write_text(
        "# Written by operations/deployment/provider_mirror.py.\n"
        "provider_installation {\n"
        f"  filesystem_mirror {{\n    path    = {json.dumps(str(mirror))}\n    include = {addresses}\n  }}\n"
        f"  direct {{\n    exclude = {addresses}\n  }}\n"
        "}\n",
        encoding="utf-8",
    )
    return Installation(f"the mirror {mirror}", {CONFIGURATION_VARIABLE: str(generated.absolute())})
