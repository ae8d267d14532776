"""A place: what is built below a Region lands in that AWS region (W0.2).

Creates nothing in AWS. An aspect gives every resource and data source the provider of the region it stands under, so
that modules pass no providers about. What stands under no region fails synthesis.
"""

from __future__ import annotations

import jsii
from cdktf import Annotations, Aspects, IAspect, TerraformDataSource, TerraformResource, TerraformStack
from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct, IConstruct

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


@jsii.implements(IAspect)
class LandsInItsRegion:
    """Sets the provider of each of AWS's resources and data sources to that of its region."""

    @staticmethod
    def apply_to(stack: TerraformStack) -> None:
        """Make the rule hold for everything in ``stack``."""
        Aspects.of(stack).add(LandsInItsRegion())

    def visit(self, node: IConstruct) -> None:
        """Called by CDKTF for each construct of the stack."""
        if not isinstance(node, TerraformResource | TerraformDataSource) or not type(node).__module__.startswith(AWS):
            return
        try:
            node.provider = Region.of(node).provider
        except LookupError as error:
            Annotations.of(node).add_error(str(error))
