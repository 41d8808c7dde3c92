"""The errors in a group, and how long they ask to be left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import cast

__all__ = ["asked_pause", "leaves_of"]


def asked_pause(error: BaseException) -> float | None:
    """Return the longest *retry_after* of an error or the leaves of a group, in seconds."""
    pauses = [pause for leaf in leaves_of(error) if (pause := _pause_of(leaf)) is not None]
    return max(pauses, default=None)


def _pause_of(error: BaseException) -> float | None:
    with suppress(Exception):  # it may be a property that raises, or an int beyond all floats
        asked: object = getattr(error, "retry_after", None)
        if isinstance(asked, (int, float)) and not isinstance(asked, bool):
            pause = float(asked)
            return pause if pause >= 0 else None
    return None


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group, or the error itself."""
    queue = [error]
    while queue:
        one = queue.pop()
        if isinstance(one, BaseExceptionGroup):
            queue += reversed(cast("BaseExceptionGroup[BaseException]", one).exceptions)
        else:
            yield one
