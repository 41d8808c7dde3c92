"""Who is started again when a child has ended: two tables, both OTP's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ._words import ExitReason, Restart, Strategy

__all__ = ["is_restarted", "restart_group"]

MemberT = TypeVar("MemberT")

_FAILURES: frozenset[ExitReason] = frozenset({"crashed", "unresponsive"})

_EVERY_END: frozenset[ExitReason] = frozenset({"returned", "shutdown", *_FAILURES})

_RESTARTED_AFTER: dict[Restart, frozenset[ExitReason]] = {
    "permanent": _EVERY_END,
    "transient": _FAILURES,
    "temporary": frozenset(),
}


def is_restarted(restart: Restart, reason: ExitReason, *, was_ready: bool = True) -> bool:
    """Return whether a child that ended by itself is started again.

    One that ended before it was ready has crashed.
    """
    return ("crashed" if not was_ready else reason) in _RESTARTED_AFTER[restart]


def restart_group(strategy: Strategy, members: Sequence[MemberT], leader: MemberT) -> list[MemberT]:
    """Return the members that are restarted with *leader*, itself included, oldest first.

    They are stopped in reverse.
    """
    if strategy == "one_for_one":
        return [leader]
    if strategy == "one_for_all":
        return list(members)
    return list(members[members.index(leader) :])
