"""A region as a construct: resources below a Region are created in that AWS region (W0.2).

Creates nothing in AWS. Before the configuration is written, every resource and data source gets the provider of the
Region above it, so that modules pass no providers about. A resource below no Region fails synthesis.
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
        """The region that a construct is in.

        Raises:
            LookupError: it is below no Region.
        """
        for scope in reversed(construct.node.scopes):
            if isinstance(scope, Region):
                return scope
        raise LookupError(f"{construct.node.path} is below no Region, so it would be created in one by accident")


@jsii.implements(IValidation)
class LandsInItsRegion:
    """Sets the provider of each AWS resource and data source to that of its region; one below no Region is an error.

    CDKTF calls it once, before the configuration is written. An aspect would be called for each construct, over the
    bridge between Python and Node, which takes as long as creating the construct.
    """

    def __init__(self, stack: TerraformStack) -> None:
        self._stack = stack

    @staticmethod
    def apply_to(stack: TerraformStack) -> None:
        """Make the rule hold for everything in ``stack``."""
        stack.node.add_validation(LandsInItsRegion(stack))

    def validate(self) -> list[str]:
        """Called by CDKTF; returns one line for each resource below no Region."""
        strays: list[str] = []
        for child in self._stack.node.children:
            for node in _of_aws(child):
                if isinstance(child, Region):
                    node.provider = child.provider
                else:
                    strays.append(node.node.path)
        return [f"{path} is below no Region, so it would be created in one by accident" for path in strays]


def _of_aws(scope: IConstruct) -> list[TerraformResource | TerraformDataSource]:
    return [
        node
        for node in scope.node.find_all()
        if isinstance(node, TerraformResource | TerraformDataSource) and type(node).__module__.startswith(AWS)
    ]
