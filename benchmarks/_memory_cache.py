"""What it costs to remember: to look up, to load what is there already, to make room."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from time import perf_counter
from typing import Generic, TypeVar

import trio

from trio_foundation.cache import Cache

from ._runner import Finding, Job, Plan, compare, speed_up, take_turns

__all__ = ["BENCHMARKS", "KEYS", "LONG", "hit_beside", "hits_of", "hits_ours"]

K = TypeVar("K")
V = TypeVar("V")

LONG = 1e6
"""How many seconds a value is good for here; no benchmark takes that long."""

KEYS = [f"user {number}" for number in range(1_000)]
"""The keys that are asked for, again and again."""


class Bare(Generic[K, V]):
    """A dictionary with times and counters, as one writes it for oneself; it forgets nothing."""

    def __init__(self) -> None:
        self.entries: dict[K, tuple[V, float]] = {}
        self.hits = self.misses = self.expired = 0

    def get(self, key: K) -> V | None:
        """Return what is there."""
        entry = self.entries.get(key)
        if entry is None:
            self.misses += 1
            return None
        if entry[1] <= trio.current_time():
            self.expired += 1
            del self.entries[key]
            return None
        self.hits += 1
        return entry[0]

    def put(self, key: K, value: V) -> None:
        """Put a value in."""
        self.entries[key] = (value, trio.current_time() + LONG)


# Hits


def hits_of(get: Callable[[str], object], count: int) -> None:
    """Look up so many times; all is there."""
    for _ in range(count // len(KEYS)):
        for key in KEYS:
            get(key)


async def hits_ours(count: int) -> None:
    """Look up in a cache."""
    cache = Cache[str, int](ttl=LONG)
    for number, key in enumerate(KEYS):
        cache.put(key, number)
    hits_of(cache.get, count)


async def hits_bare(count: int) -> None:
    """Look up in a dictionary with times and counters."""
    cache = Bare[str, int]()
    for number, key in enumerate(KEYS):
        cache.put(key, number)
    hits_of(cache.get, count)


def hit(plan: Plan) -> Finding:
    """How much longer does a hit take than in a dictionary with times and counters?

    Both go by the clock of the Trio run, and both count; ours also notes the order of use, finds
    out which run it is in, and whether anybody listens.
    """
    count = plan.size(200_000, smoke=1_000)
    ours, bare = take_turns((hits_ours, count), (hits_bare, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="cache.get, a hit",
        figure=figure,
        target=2.2,
        unit="x a dict with expiry and counters",
        ours=ours,
        bare=bare,
        samples_in="us a hit",
        readings=readings,
    )


# Hits of what could be loaded


async def load(key: str) -> int:
    """Be what is never called."""
    raise AssertionError(key)


async def loaded_ours(count: int) -> None:
    """Ask for what is there, and need not be loaded."""
    cache = Cache[str, int](ttl=LONG)
    for number, key in enumerate(KEYS):
        cache.put(key, number)
    for _ in range(count // len(KEYS)):
        for key in KEYS:
            await cache.get_or_load(key, load)


async def loaded_bare(count: int) -> None:
    """Look up, and see whether one is cancelled."""
    cache = Cache[str, int](ttl=LONG)
    for number, key in enumerate(KEYS):
        cache.put(key, number)
    for _ in range(count // len(KEYS)):
        for key in KEYS:
            cache.get(key)
            await trio.lowlevel.checkpoint_if_cancelled()


def hit_of_get_or_load(plan: Plan) -> Finding:
    """How much longer does a hit of get_or_load take than get and a check for cancellation?"""
    count = plan.size(100_000, smoke=1_000)
    ours, bare = take_turns((loaded_ours, count), (loaded_bare, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="cache.get_or_load, a hit",
        figure=figure,
        target=1.5,
        unit="x get + checkpoint_if_cancelled",
        ours=ours,
        bare=bare,
        beside="get + checkpoint_if_cancelled",
        samples_in="us a hit",
        readings=readings,
    )


# Making room


def puts_into(max_size: int, *, ttl: float = LONG, gets: int = 0) -> Job:
    """Return a job that puts so many values into a full cache, each after some hits."""

    async def put(count: int) -> float:
        cache = Cache[int, int](max_size=max_size, ttl=ttl)
        for key in range(max_size):
            cache.put(key, key)
        asked = [random.Random(1).randrange(max_size) for _ in range(gets * count)]
        begun = perf_counter()
        at = 0
        for key in range(max_size, max_size + count):
            for back in asked[at : at + gets]:
                cache.get(key - back)
            at += gets
            cache.put(key, key)
        return perf_counter() - begun

    return put


def eviction_by_size(plan: Plan) -> Finding:
    """How much longer does a put into a full cache take if it holds 100 times as much?

    Told as well is what a put without a time takes, and one after three hits.
    """
    count = plan.size(20_000, smoke=100)
    large, small = plan.size(100_000, smoke=200), plan.size(1_000, smoke=100)
    ours, bare, without_ttl, after_hits = take_turns(
        (puts_into(large), count),
        (puts_into(small), count),
        (puts_into(large, ttl=math.inf), count),
        (puts_into(large, gets=3), count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    readings |= {
        "us a put that never expires": without_ttl.median,
        "us a put and three hits": after_hits.median,
    }
    return Finding(
        what="put into a full cache of 100,000",
        figure=figure,
        target=4.0,
        unit="x the same with 1,000",
        ours=ours,
        bare=bare,
        beside="the same with 1,000",
        samples_in="us a put",
        readings=readings,
    )


async def first_put_after_hits(count: int) -> float:
    """Put once into a cache of that many entries, all of which were used since the last put."""
    cache = Cache[int, int](max_size=count)
    for key in range(count):
        cache.put(key, key)
    cache.put(count, count)
    for key in random.Random(1).sample(range(1, count + 1), count):
        cache.get(key)
    begun = perf_counter()
    cache.put(-1, -1)
    return perf_counter() - begun


async def hits_of_that_many(count: int) -> float:
    """Make the hits that such a put pays for."""
    cache = Cache[int, int](max_size=count)
    for key in range(count):
        cache.put(key, key)
    keys = random.Random(1).sample(range(count), count)
    begun = perf_counter()
    for key in keys:
        cache.get(key)
    return perf_counter() - begun


def late_order(plan: Plan) -> Finding:
    """How much do hits cost later, when room is made and their order is settled at last?

    The worst there is: every entry was used since the last put, and the next put settles it all.
    """
    count = plan.size(100_000, smoke=500)
    ours, bare = take_turns(
        (first_put_after_hits, count), (hits_of_that_many, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, bare)
    readings["ms for that put"] = ours.median * count / 1e3
    return Finding(
        what="the first put after 100,000 hits of 100,000 entries",
        figure=figure,
        target=1.0,
        unit="x those hits",
        ours=ours,
        bare=bare,
        beside="those hits",
        samples_in="us a hit",
        readings=readings,
    )


def hit_beside(plan: Plan, peer: str, job: Job) -> Finding:
    """Return how many times as fast as that of a peer a hit of ours is."""
    count = plan.size(100_000, smoke=1_000)
    ours, theirs = take_turns((hits_ours, count), (job, count), rounds=plan.rounds())
    figure, readings = speed_up(ours, theirs)
    return Finding(
        what=f"cache.get, a hit, beside {peer}",
        figure=figure,
        target=3.0,
        bound="at least",
        unit="x as fast",
        ours=ours,
        bare=theirs,
        beside=peer,
        samples_in="us a hit",
        readings=readings,
    )


BENCHMARKS = (hit, hit_of_get_or_load, eviction_by_size, late_order)
