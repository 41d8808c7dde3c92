"""What do we know already?

A `Cache` remembers values by key, each for a time, and at most so many; what several tasks miss at
once is loaded once. `cached` does the same for an async function.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._cache import Cache
from ._cached import CachedFunction, cached
from ._errors import CacheMiss, CircularLoad, LoadFailed
from ._events import (
    CacheEvent,
    CacheHit,
    CacheMissed,
    CachePut,
    CacheRemoved,
    RemovalCallbackFailed,
    StaleServed,
)
from ._options import CacheOptions, TellsTime
from ._rules import MissReason, RemovalCause
from ._statistics import CacheStatistics

__all__ = [
    "Cache",
    "CacheEvent",
    "CacheHit",
    "CacheMiss",
    "CacheMissed",
    "CacheOptions",
    "CachePut",
    "CacheRemoved",
    "CacheStatistics",
    "CachedFunction",
    "CircularLoad",
    "LoadFailed",
    "MissReason",
    "RemovalCallbackFailed",
    "RemovalCause",
    "StaleServed",
    "TellsTime",
    "cached",
]

_give_home(globals())
