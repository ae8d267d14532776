"""Administration of merchants and their credentials, by a function (Q3, W3.3).

Creates in a region the function from lambda/administer_merchants in the private tier, with its role and its flows to
the clusters of both regions. It alone may read the administration's login of the database, so that no process that
serves requests can make a credential. `make merchant` and its like invoke it; nothing else does. The recovery region's
function is for the time when the primary region is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable
from constructs import Construct

from modules.database.access import DatabaseAccess
from modules.database.secrets import ADMINISTRATION
from modules.function import Function, FunctionSpecification
from modules.keys import Keys
from modules.network.endpoints import Endpoints
from modules.network.vpc import Network
from modules.payments.pepper_secret import PepperSecret
from modules.region import Region
from settings.common import FUNCTIONS_CA_FILE
from settings.naming import ADMINISTER_MERCHANTS, Names
from settings.processing import ProcessingSettings

TIMEOUT_SECONDS = 60
CONNECTIONS = 2


class MerchantAdministration(Construct):
    """The function as ``function``."""

    requirements = ("Q2", "Q3", "W3.3")

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        names: Names,
        settings: ProcessingSettings,
        network: Network,
        endpoints: Endpoints,
        keys: Keys,
        database: DatabaseAccess,
        after: Sequence[ITerraformDependable],
    ) -> None:
        """The function changes ``after`` the schema of the ``database`` was migrated.

        ``endpoints`` gives the group by which the function reads its secrets.
        """
        super().__init__(scope, id_)
        own, region = database.by(ADMINISTRATION), Region.of(self).name
        self.function = Function(
            self,
            "function",
            names=names,
            specification=FunctionSpecification(
                purpose=ADMINISTER_MERCHANTS,
                title="administration of merchants",
                description="Makes, lists and changes merchants and their credentials",
                timeout_seconds=TIMEOUT_SECONDS,
                variables={
                    **own.variables(CONNECTIONS),
                    "DATABASE_CA_FILE": FUNCTIONS_CA_FILE,
                    "API_KEY_PEPPERS_SECRET_ARN": PepperSecret.arn(names, region),
                    "API_KEY_MODE": settings.api_key_mode,
                },
            ),
            key=keys.logs,
            statements=[*own.statements, *PepperSecret.read_statements(names, region, keys.secrets)],
            network=network,
            groups=[endpoints.clients],
            after=after,
        )
        own.allow_from(self, "merchant-administration", self.function.group)
