"""What a cache raises."""

from __future__ import annotations

from typing import Any, final

from .._base import FoundationError
from ._names import written
from ._rules import MissReason

__all__ = ["CacheMiss", "CircularLoad", "LoadFailed"]


@final
class CacheMiss(FoundationError, KeyError):
    """There is no value for the key, or it has expired.

    Example:
        >>> print(CacheMiss("users", "alice", "expired"))
        what cache 'users' had for 'alice' has expired
    """

    cache: str
    """The cache's name."""

    key: Any
    """The key."""

    reason: MissReason
    """Which of the two."""

    def __init__(self, cache: str, key: object, reason: MissReason) -> None:
        super().__init__(cache, key, reason)
        self.cache = cache
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        if self.reason == "expired":
            return f"what cache {self.cache!r} had for {written(self.key)} has expired"
        return f"cache {self.cache!r} has nothing for {written(self.key)}"


@final
class LoadFailed(FoundationError):
    """Somebody else's load failed, or any did less than *negative_ttl* seconds ago.

    Its ``__cause__`` is the load's error.

    Example:
        >>> print(LoadFailed("users", "alice", "OSError: no route"))
        loading 'alice' into cache 'users' failed: OSError: no route
    """

    cache: str
    """The cache's name."""

    key: Any
    """The key."""

    error: str
    """The type and text of the load's error."""

    def __init__(self, cache: str, key: object, error: str) -> None:
        super().__init__(cache, key, error)
        self.cache = cache
        self.key = key
        self.error = error

    def __str__(self) -> str:
        return f"loading {written(self.key)} into cache {self.cache!r} failed: {self.error}"


@final
class CircularLoad(FoundationError, RuntimeError):
    """A load asks for its own key, if only through other loads or tasks that it has started.

    Example:
        >>> print(CircularLoad("users", "alice"))
        the load of 'alice' into cache 'users' would wait for itself: what it calls asks the \
cache for 'alice', and has to get it elsewhere
    """

    cache: str
    """The cache's name."""

    key: Any
    """The key."""

    def __init__(self, cache: str, key: object) -> None:
        super().__init__(cache, key)
        self.cache = cache
        self.key = key

    def __str__(self) -> str:
        key = written(self.key)
        return (
            f"the load of {key} into cache {self.cache!r} would wait for itself: what it calls "
            f"asks the cache for {key}, and has to get it elsewhere"
        )
