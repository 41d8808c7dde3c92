"""The figures of a cache."""

from __future__ import annotations

from typing import final

import attrs

__all__ = ["CacheStatistics"]


@final
@attrs.frozen(kw_only=True)
class CacheStatistics:
    """The figures of a cache since it was made.

    Always ``hits + misses + expired == gets``, and ``puts == held + replaced + deletes + evictions
    + expirations``.

    Example:
        >>> from trio_foundation.cache import Cache
        >>> users = Cache[str, int](max_size=1)
        >>> users.put("alice", 30)
        >>> users.get("alice"), users.get("bob")
        (30, None)
        >>> users.statistics().hits, users.statistics().hit_rate
        (1, 0.5)
    """

    hits: int
    """How often a value was there."""

    misses: int
    """How often there was none."""

    expired: int
    """How often it had expired."""

    stale: int
    """How often an expired one was given out."""

    puts: int
    """How many values were put in, by a load or by hand."""

    replaced: int
    """How many were replaced."""

    deletes: int
    """How many were deleted."""

    evictions: int
    """How many made room before they expired."""

    expirations: int
    """How many went because they had expired."""

    held: int
    """How many are there, unseen expired ones included."""

    loads: int
    """How many loads were begun."""

    load_failures: int
    """How many failed; cancelled ones did not."""

    loading: int
    """How many keys are being loaded."""

    @property
    def gets(self) -> int:
        """How often a value was asked for."""
        return self.hits + self.misses + self.expired

    @property
    def hit_rate(self) -> float:
        """The share of hits in *gets*, from 0 to 1; 0 without any."""
        return self.hits / self.gets if self.gets else 0.0
