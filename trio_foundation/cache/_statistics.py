"""What can be counted about a cache."""

from __future__ import annotations

from typing import final

import attrs

__all__ = ["CacheStatistics"]


@final
@attrs.frozen(kw_only=True)
class CacheStatistics:
    """The figures of a cache, at one moment, since it was made.

    At every moment ``hits + misses + expired == gets``, and
    ``puts == held + replaced + deletes + evictions + expirations``.

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
    """How often a value was asked for and was there."""

    misses: int
    """How often there was none."""

    expired: int
    """How often there was one that had expired."""

    stale: int
    """How often one that had expired was given out all the same."""

    puts: int
    """How often a value was put in, by a load or by hand."""

    replaced: int
    """How many of those went because another was put in their place."""

    deletes: int
    """How many went because they were deleted, one by one or all at once."""

    evictions: int
    """How many went because there was no more room, before their time was up."""

    expirations: int
    """How many went because their time was up."""

    held: int
    """How many are there, with those that have expired and that nobody has seen since."""

    loads: int
    """How many loads were begun."""

    load_failures: int
    """How many of them failed; one that is cancelled has not."""

    loading: int
    """How many keys are being loaded."""

    @property
    def gets(self) -> int:
        """How often a value was asked for."""
        return self.hits + self.misses + self.expired

    @property
    def hit_rate(self) -> float:
        """The share of hits in that, from 0 to 1; 0 if nobody has asked."""
        return self.hits / self.gets if self.gets else 0.0
