"""How a cache compares with that of cachetools, which is for synchronous programs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

import trio

from ._memory_cache import KEYS, LONG, hit_beside, hits_of
from ._runner import Finding, Plan

if TYPE_CHECKING:

    class TTLCache:
        """As much of it as is used here, for where cachetools is not installed."""

        def __init__(self, maxsize: int, ttl: float, timer: Callable[[], float]) -> None: ...

        def __setitem__(self, key: str, value: int) -> None: ...

        def get(self, key: str) -> int | None:
            """Return what is there."""
            ...

else:
    from cachetools import TTLCache

__all__ = ["BENCHMARKS"]

CACHETOOLS = f"cachetools {importlib.metadata.version('cachetools')}"


async def hits(count: int) -> None:
    """Look up in a cache that has room for as many, by its own default clock."""
    cache = TTLCache(100_000, LONG, monotonic)
    for number, key in enumerate(KEYS):
        cache[key] = number
    hits_of(cache.get, count)


async def hits_by_the_run(count: int) -> None:
    """Look up in one that goes by the clock of the Trio run, as ours does."""
    cache = TTLCache(100_000, LONG, trio.current_time)
    for number, key in enumerate(KEYS):
        cache[key] = number
    hits_of(cache.get, count)


def hit_beside_cachetools(plan: Plan) -> Finding:
    """How many times as fast is a hit as that of TTLCache, with the clock that is fastest?"""
    return hit_beside(plan, CACHETOOLS, hits)


def hit_beside_cachetools_by_the_run(plan: Plan) -> Finding:
    """How many times as fast is a hit as that of TTLCache, if both go by the run's clock?"""
    return hit_beside(plan, f"{CACHETOOLS} by the run's clock", hits_by_the_run)


BENCHMARKS = (hit_beside_cachetools, hit_beside_cachetools_by_the_run)
