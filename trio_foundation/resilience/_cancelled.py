"""Cancellations, and the errors beside them."""

from __future__ import annotations

from typing import cast

import trio

from ._rules import leaves_of

__all__ = ["is_by_deadline", "is_only_cancelled", "without_cancelled"]


def without_cancelled(error: BaseException) -> BaseException | None:
    """Return an error less every `trio.Cancelled` in it, itself if there is none; or None."""
    leaves = list(leaves_of(error))
    cancelled = [leaf for leaf in leaves if isinstance(leaf, trio.Cancelled)]
    if not cancelled:
        return error
    if len(cancelled) == len(leaves):
        return None
    return cast("BaseExceptionGroup[BaseException]", error).split(trio.Cancelled)[1]


def is_only_cancelled(error: BaseException) -> bool:
    """Return whether an error is nothing but cancellation."""
    return without_cancelled(error) is None


def is_by_deadline(error: BaseException) -> bool:
    """Return whether a cancellation, or one in a group, came of a deadline."""
    return any(
        isinstance(leaf, trio.Cancelled) and leaf.source == "deadline" for leaf in leaves_of(error)
    )
