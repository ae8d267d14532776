"""A place: what is built below a Region lands in that AWS region (W0.2).

Creates nothing in AWS. When the stack is complete, every resource and data source gets the provider of the region that
it stands under, so that modules pass no providers about. What stands under no region fails synthesis.
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

    Not an aspect: that would be called for each construct, over the bridge between Python and Node, which takes as long
    as making it. This asks each region once for what is below it.
    """

    def __init__(self, stack: TerraformStack) -> None:
        """To be made last in the stack's constructor, when everything is there."""
        self._stack = stack
        self._landed: set[int] = set()
        regions = [child for child in stack.node.children if isinstance(child, Region)]
        for region in regions:
            for node in _of_aws(region):
                node.provider = region.provider
                self._landed.add(id(node))
        stack.node.add_validation(self)

    def validate(self) -> list[str]:
        """Called by CDKTF before it writes the configuration: what stands in no region, or came too late."""
        strays = (node.node.path for node in _of_aws(self._stack) if id(node) not in self._landed)
        return [f"{path} stands under no Region, so it would land in one by accident" for path in strays]


def _of_aws(scope: Construct) -> list[TerraformResource | TerraformDataSource]:
    return [
        node
        for node in scope.node.find_all()
        if isinstance(node, TerraformResource | TerraformDataSource) and type(node).__module__.startswith(AWS)
    ]
