"""One value that is remembered."""

from __future__ import annotations

from typing import Final, Generic, TypeVar, final

import attrs

__all__ = ["GONE", "Entry"]

K = TypeVar("K")
V = TypeVar("V")

GONE: Final = -1


@final
@attrs.define(eq=False, weakref_slot=False)
class Entry(Generic[K, V]):
    """A value, and what has to be known about it.

    It is hashed by its identity, which costs nothing; its key is not. When it is removed it loses
    key and value.
    """

    key: K

    value: V

    deadline: float
    """From when on it is expired, in seconds."""

    used: int
    """When it was last used, as a number that grows with each use of any entry; `GONE` if it has
    left the line of those that may be used again: it was removed, or is known to be expired."""
