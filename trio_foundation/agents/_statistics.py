"""The figures of a coordinator, and of each receiver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import attrs

from ..resilience import BreakerState

__all__ = ["CoordinatorStatistics", "ReceiverStatistics", "Tally"]


@attrs.define
class Tally:
    """What became of messages: each is counted once in the end."""

    messages: int = 0
    delivered: int = 0
    failed: int = 0
    cancelled: int = 0
    overflowed: int = 0
    expired: int = 0
    gone: int = 0
    refused: int = 0
    closed: int = 0
    returned: int = 0
    redelivered: int = 0

    def add(self, other: Tally) -> None:
        """Count what another has counted, too."""
        for field in attrs.fields_dict(Tally):
            setattr(self, field, getattr(self, field) + getattr(other, field))

    def figures(self) -> dict[str, int]:
        return {
            "messages": self.messages,
            "delivered": self.delivered,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "dead_lettered": self.dead_lettered,
            "overflowed": self.overflowed,
            "returned": self.returned,
            "redelivered": self.redelivered,
        }

    @property
    def dead_lettered(self) -> int:
        """How many waited, and were not delivered."""
        return self.overflowed + self.expired + self.gone + self.refused + self.closed


@attrs.frozen(kw_only=True)
class _Figures:
    messages: int
    """How many messages, less those without a receiver, or buffered already under their key."""

    delivered: int
    """How many were acknowledged."""

    failed: int
    """How many failed, as their senders were told."""

    cancelled: int
    """How many had a sender that was cancelled before."""

    dead_lettered: int
    """How many waited in a buffer, and were not delivered."""

    overflowed: int
    """How many of these made room for newer ones."""

    returned: int
    """How many `Coordinator.drain` has returned."""

    buffered: int
    """How many wait now, or are tried and may come back."""

    in_flight: int
    """How many are on their way now, not to come back."""

    redelivered: int
    """How many further attempts there were."""


@final
@attrs.frozen(kw_only=True)
class ReceiverStatistics(_Figures):
    """The figures of one receiver, at one moment.

    Always ``messages == delivered + failed + cancelled + dead_lettered + returned + buffered +
    in_flight``.

    Example:
        >>> import trio
        >>> async def main():
        ...     agents = AgentRegistry()
        ...     async with open_coordinator(agents) as coordinator:
        ...         print(coordinator.statistics().receivers)
        >>> trio.run(main)
        {}
    """

    state: BreakerState
    """The state of its circuit."""

    peak: int
    """The most that have waited."""


@final
@attrs.frozen(kw_only=True)
class CoordinatorStatistics(_Figures):
    """The figures of a coordinator, at one moment, with those of receivers that are gone.

    They add up as in `ReceiverStatistics`.

    Example:
        >>> import trio
        >>> async def main():
        ...     async with open_coordinator(AgentRegistry()) as coordinator:
        ...         print(coordinator.statistics().messages)
        >>> trio.run(main)
        0
    """

    receivers: Mapping[str, ReceiverStatistics]
    """Those of each receiver of messages that is not gone."""
