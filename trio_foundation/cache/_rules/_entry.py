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
    """A value; hashed by identity, which is cheap. When removed it loses key and value."""

    key: K

    value: V

    deadline: float
    """When it expires, in seconds."""

    used: int
    """The number of its last use, larger with each use of any entry; `GONE` if removed or known to
    be expired."""
