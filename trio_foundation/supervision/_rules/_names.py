"""How children that were given no name are told apart."""

from __future__ import annotations

from collections.abc import Container
from typing import final

import attrs

__all__ = ["NameBook"]


@final
@attrs.define(eq=False)
class NameBook:
    """Makes names unique: ``fetch``, ``fetch-2``, ``fetch-3``.

    Example:
        >>> book = NameBook()
        >>> book.unique("fetch", taken=()), book.unique("fetch", taken=("fetch",))
        ('fetch', 'fetch-2')
    """

    # The last number given to each name, so that the ten thousandth child of one function
    # does not try ten thousand names.
    _last: dict[str, int] = attrs.field(init=False, factory=dict[str, int])

    def unique(self, wanted: str, taken: Container[str]) -> str:
        """Return *wanted*, or the next numbered form of it that is not *taken*."""
        if wanted not in taken:
            return wanted
        number = self._last.get(wanted, 1) + 1
        while (name := f"{wanted}-{number}") in taken:
            number += 1
        self._last[wanted] = number
        return name
