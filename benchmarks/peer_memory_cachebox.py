"""How a cache compares with those of cachebox, which are written in Rust.

They are for threads, and go by the system's clock. None has a loader for async callers that miss at
once, nor an event for what is evicted; `TTLCache` makes room first in, first out, `LRUCache` by
use, and none does both as ours does.
"""

from __future__ import annotations

import importlib.metadata
from time import perf_counter
from typing import TYPE_CHECKING

from ._memory_cache import KEYS, LONG, hits_of, hits_ours, puts_into
from ._runner import Finding, Job, Plan, compare, take_turns

if TYPE_CHECKING:

    class LRUCache:
        """As much of it as is used here, for where cachebox is not installed."""

        def __init__(self, maxsize: int) -> None: ...

        def insert(self, key: str | int, value: int) -> object:
            """Put a value in."""
            ...

        def get(self, key: str) -> int | None:
            """Return what is there."""
            ...

    class TTLCache(LRUCache):
        """As much of it as is used here, for where cachebox is not installed."""

        def __init__(self, maxsize: int, global_ttl: float) -> None: ...

else:
    from cachebox import LRUCache, TTLCache

__all__ = ["BENCHMARKS"]

CACHEBOX = f"cachebox {importlib.metadata.version('cachebox')}"

BESIDE = 500.0
"""No target: a dictionary in Rust is faster than what Python can write. It only shows what is
out of all proportion."""

ROOM = 1_000
"""For how many entries the full cache has room."""


async def hits(count: int) -> None:
    """Look up in one whose values expire."""
    cache = TTLCache(100_000, LONG)
    for number, key in enumerate(KEYS):
        cache.insert(key, number)
    hits_of(cache.get, count)


async def hits_by_use(count: int) -> None:
    """Look up in one that keeps the order of use, and lets nothing expire."""
    cache = LRUCache(100_000)
    for number, key in enumerate(KEYS):
        cache.insert(key, number)
    hits_of(cache.get, count)


def puts(make: type[LRUCache], *args: float) -> Job:
    """Return a job that puts so many values into a full one."""

    async def put(count: int) -> float:
        cache = make(ROOM, *args)
        for key in range(ROOM):
            cache.insert(key, key)
        begun = perf_counter()
        for key in range(ROOM, ROOM + count):
            cache.insert(key, key)
        return perf_counter() - begun

    return put


def hit_beside_cachebox(plan: Plan) -> Finding:
    """How much longer does a hit take than that of its `TTLCache`, in Rust?"""
    count = plan.size(100_000, smoke=1_000)
    ours, theirs, by_use = take_turns(
        (hits_ours, count), (hits, count), (hits_by_use, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, theirs)
    readings["us a hit of its LRUCache"] = by_use.median
    return Finding(
        what="cache.get, a hit, beside cachebox",
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=CACHEBOX,
        samples_in="us a hit",
        readings=readings,
    )


def eviction_beside_cachebox(plan: Plan) -> Finding:
    """How much longer does a put into a full cache take than that into its `LRUCache`, in Rust?

    Ours has a ttl and an order of use. Told as well is its `TTLCache`, with no order of use.
    """
    count = plan.size(20_000, smoke=100)
    ours, theirs, expiring = take_turns(
        (puts_into(ROOM), count),
        (puts(LRUCache), count),
        (puts(TTLCache, LONG), count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, theirs)
    readings["us a put into its TTLCache"] = expiring.median
    return Finding(
        what="put into a full cache, beside cachebox",
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=CACHEBOX,
        samples_in="us a put",
        readings=readings,
    )


BENCHMARKS = (hit_beside_cachebox, eviction_beside_cachebox)
