"""A place: what is built below a Region lands in that AWS region (W0.2).

Creates nothing in AWS. Before the configuration is written, every resource and data source gets the provider of the
region that it stands under, so that modules pass no providers about. What stands under no region fails synthesis.
"""

from __future__ import annotations

import jsii
from cdktf import TerraformDataSource, TerraformResource, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct, IConstruct, IValidation

AWS = "cdktf_cdktf_provider_aws."


class Region(Construct):
    """An AWS region and the provider that reaches it."""

    def __init__(self, scope: Construct, id_: str, *, name: str, provider: AwsProvider) -> None:
        """``name`` is the region's AWS name, such as us-east-2."""
        super().__init__(scope, id_)
        self.name = name
        self.provider = provider

    @staticmethod
    def of(construct: IConstruct) -> Region:
        """The region that a construct stands under.

        Raises:
            LookupError: if it stands under none.
        """
        for scope in reversed(construct.node.scopes):
            if isinstance(scope, Region):
                return scope
        raise LookupError(f"{construct.node.path} stands under no Region, so it would land in one by accident")


@jsii.implements(IValidation)
class LandsInItsRegion:
    """Gives AWS's resources and data sources the provider of their region, and refuses those that stand in none.

    CDKTF asks it once, before the configuration is written. An aspect would be asked for each construct, over the
    bridge between Python and Node, which takes as long as making it.
    """

    def __init__(self, stack: TerraformStack) -> None:
        self._stack = stack

    @staticmethod
    def apply_to(stack: TerraformStack) -> None:
        """Make the rule hold for everything in ``stack``."""
        stack.node.add_validation(LandsInItsRegion(stack))

    def validate(self) -> list[str]:
        """Called by CDKTF; the strays, a line each."""
        strays: list[str] = []
        for child in self._stack.node.children:
            for node in _of_aws(child):
                if isinstance(child, Region):
                    node.provider = child.provider
                else:
                    strays.append(node.node.path)
        return [f"{path} stands under no Region, so it would land in one by accident" for path in strays]


def _of_aws(scope: IConstruct) -> list[TerraformResource | TerraformDataSource]:
    return [
        node
        for node in scope.node.find_all()
        if isinstance(node, TerraformResource | TerraformDataSource) and type(node).__module__.startswith(AWS)
    ]
