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

    It is hashed by identity, which is cheap. When it is removed it loses key and value.
    """

    key: K

    value: V

    deadline: float
    """When it expires, in seconds."""

    used: int
    """The number of its last use; each use of any entry has a larger one. `GONE` if it was
    removed, or is known to be expired."""
