"""The figures of a mailbox."""

from __future__ import annotations

from typing import final

import attrs

__all__ = ["MailboxStatistics"]


@final
@attrs.frozen(kw_only=True)
class MailboxStatistics:
    """The figures of a mailbox, at one moment.

    At every moment ``sent == received + dropped + used``: no message vanishes.

    Example:
        >>> MailboxStatistics(capacity=10, used=1, peak=2, sent=5, received=3, dropped=1,
        ...                   rejected=0, waiting_senders=0).used
        1
    """

    capacity: int
    """How many messages may wait."""

    used: int
    """How many wait now; of a `StateServer`, with those set aside until its state changes, for
    which it has as much room again."""

    peak: int
    """The most that have waited."""

    sent: int
    """How many have entered it, or gone straight to a waiting receiver."""

    received: int
    """How many were received or handled."""

    dropped: int
    """How many were dropped, waiting or new."""

    rejected: int
    """How often a sender was refused for want of room, by `MailboxFull` or `trio.WouldBlock`; not
    counted as sent."""

    waiting_senders: int
    """How many senders wait for room now; not counted as sent yet."""
