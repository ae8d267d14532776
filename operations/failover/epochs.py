"""The epoch that a failover with data loss begins, by the function that administers merchants in the target region.

What is older than the last epoch is looked up at the acquirer before it is requested: an operation whose row says that
it was not requested may have been, in the seconds that are lost (docs/decisions/0020-a-payment-is-processed-once.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from operations.merchants.command import Administration


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """The epochs of the database, by the function of a region that reaches its writer."""

    administration: Administration
    cause: str
    """Of the epoch that this failover begins."""

    def has_begun(self) -> bool:
        """Whether the epoch has begun since the server that is the writer has started.

        Raises:
            Failed: the function did not answer, or could not reach the writer.
            Refused: there is no such function, or it is not active.
        """
        lines = self.administration.perform(["epochs", "list"])
        return any(one["cause"] == self.cause and one["since_writer_started"] for one in lines)

    def begin(self) -> None:
        """Begin the epoch, unless it has begun. It may be repeated.

        Raises:
            Failed, Refused: see :meth:`has_begun`.
        """
        self.administration.perform(["epochs", "begin", self.cause])
