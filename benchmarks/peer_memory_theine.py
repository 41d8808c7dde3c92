"""How a cache compares with that of theine, whose policy (W-TinyLFU) is written in Rust.

It keeps what is used often, where ours keeps what was used last: on many loads it has more hits, and
that is not measured here. It notes hits and evictions in buffers, and works through them later; a
thread takes out what has expired. It has no loader for async callers on Trio. ``nolock`` suits
it best here, where one thread uses it.
"""

from __future__ import annotations

import importlib.metadata
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

from ._memory_cache import KEYS, hits_of, hits_ours, puts_into
from ._runner import Finding, Plan, compare, take_turns

if TYPE_CHECKING:

    class Cache:
        """As much of it as is used here, for where theine is not installed."""

        def __init__(self, size: int, nolock: bool = False) -> None: ...

        def set(self, key: str | int, value: int, ttl: timedelta | None = None) -> None:
            """Put a value in."""

        def get(self, key: str | int) -> tuple[int | None, bool]:
            """Return what is there, and whether it is."""
            ...

        def close(self) -> None:
            """Forget it all."""

else:
    from theine import Cache

__all__ = ["BENCHMARKS"]

THEINE = f"theine {importlib.metadata.version('theine')}"

BESIDE = 20.0
"""No target: theine does other things. It only shows what is out of all proportion."""

ROOM = 1_000
"""For how many entries the full cache has room."""

DAY = timedelta(days=1)


async def hits(count: int) -> float:
    """Look up; all is there."""
    cache = Cache(100_000, nolock=True)
    for number, key in enumerate(KEYS):
        cache.set(key, number, DAY)
    begun = perf_counter()
    hits_of(cache.get, count)
    seconds = perf_counter() - begun
    cache.close()
    return seconds


async def puts(count: int) -> float:
    """Put values into a full one."""
    cache = Cache(ROOM, nolock=True)
    for key in range(ROOM):
        cache.set(key, key, DAY)
    begun = perf_counter()
    for key in range(ROOM, ROOM + count):
        cache.set(key, key, DAY)
    seconds = perf_counter() - begun
    cache.close()
    return seconds


def hit_beside_theine(plan: Plan) -> Finding:
    """How much longer does a hit take than that of theine?"""
    count = plan.size(100_000, smoke=1_000)
    ours, theirs = take_turns((hits_ours, count), (hits, count), rounds=plan.rounds())
    figure, readings = compare(ours, theirs)
    return Finding(
        what="cache.get, a hit, beside theine",
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=THEINE,
        samples_in="us a hit",
        readings=readings,
    )


def eviction_beside_theine(plan: Plan) -> Finding:
    """How much longer does a put into a full cache take than that of theine?"""
    count = plan.size(20_000, smoke=100)
    ours, theirs = take_turns((puts_into(ROOM), count), (puts, count), rounds=plan.rounds())
    figure, readings = compare(ours, theirs)
    return Finding(
        what="put into a full cache, beside theine",
        figure=figure,
        target=BESIDE,
        unit="x theirs",
        ours=ours,
        bare=theirs,
        beside=THEINE,
        samples_in="us a put",
        readings=readings,
    )


BENCHMARKS = (hit_beside_theine, eviction_beside_theine)
