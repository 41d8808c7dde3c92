"""What type checkers have to accept of the cache, and what they have to find out by it.

Nothing here is run; see accepted.py.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Coroutine, Hashable, Iterator
from functools import partial
from typing import Any, assert_type

import trio
from trio.testing import MockClock

from trio_foundation.cache import (
    Cache,
    CachedFunction,
    CacheEvent,
    CacheHit,
    CacheMiss,
    CacheMissed,
    CacheOptions,
    CacheRemoved,
    CacheStatistics,
    MissReason,
    RemovalCause,
    cached,
)
from trio_foundation.supervision import ChildSpec, open_supervisor
from trio_foundation.telemetry import subscribe


async def fetch(product: str) -> float:
    return len(product) * 1.5


async def fetch_apples() -> float:
    return 1.5


def close(key: str, value: float, cause: RemovalCause) -> None: ...


def is_anything(key: object, value: object, cause: str) -> bool:
    return True


# Making one


def makes() -> None:
    assert_type(Cache[str, float](), Cache[str, float])
    prices: Cache[str, float] = Cache(
        max_size=10,
        ttl=math.inf,
        name="prices",
        clock=time.monotonic,
        jitter=0.1,
        stale_for=5,
        negative_ttl=1.0,
        on_removal=close,
        rng=random.Random(1),
    )
    assert_type(prices, Cache[str, float])
    Cache[str, float](on_removal=is_anything, clock=MockClock())
    assert_type(Cache(on_removal=close), Cache[str, float])
    options: CacheOptions = {"ttl": 5, "max_size": 10}
    Cache[str, float](**options)


# Using it


def uses(prices: Cache[str, float], maybe: Cache[tuple[int, str], int | None]) -> None:
    assert_type(prices.get("apples"), float | None)
    assert_type(prices.get("apples", 0.0), float)
    assert_type(prices.get("apples", "none"), float | str)
    assert_type(prices.get("apples", default=None), float | None)
    assert_type(prices.fetch("apples"), float)
    assert_type(maybe.fetch((1, "a")), int | None)
    prices.put("apples", 1)
    prices.put("apples", 1.5, ttl=10)
    assert_type(prices.delete("apples"), bool)
    assert_type(prices.sweep(), int)
    assert_type(len(prices), int)
    assert_type(iter(prices), Iterator[str])
    assert_type("apples" in prices, bool)
    assert_type(prices.statistics(), CacheStatistics)
    assert_type(prices.statistics().hit_rate, float)
    prices.clear()


async def loads(prices: Cache[str, float]) -> None:
    assert_type(await prices.get_or_load("apples", fetch), float)
    assert_type(await prices.get_or_load("apples", fetch_apples, ttl=5), float)
    assert_type(await prices.get_or_load("apples", lambda: fetch("apples")), float)
    assert_type(await prices.get_or_load("apples", lambda key: fetch(key * 2)), float)
    assert_type(await prices.get_or_load("apples", partial(fetch, "apples")), float)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(prices.get_or_load, "apples", fetch)


async def sweeps(prices: Cache[str, float]) -> None:
    assert_type(prices.sweeper(), ChildSpec)
    async with open_supervisor([prices.sweeper(every=10)]):
        pass


# Errors and events


def misses(error: CacheMiss) -> None:
    as_key_error: KeyError = error
    assert_type(error.reason, MissReason)
    print(as_key_error)  # noqa: T201


def on_event(event: CacheEvent) -> None:
    if isinstance(event, CacheRemoved):
        assert_type(event.cause, RemovalCause)
    elif isinstance(event, CacheMissed):
        assert_type(event.reason, MissReason)


def listens() -> None:
    with subscribe(on_event, CacheEvent), subscribe(on_event, CacheHit, CacheMissed):
        pass


# Functions that remember


@cached
async def price(product: str, amount: int = 1) -> float:
    return len(product) * amount * 1.5


def user_of(session: object, user: str) -> str:
    return user


@cached(ttl=10, max_size=5, key=user_of)
async def age(session: object, user: str) -> int:
    return 30


class Shop:
    @cached
    async def price(self, product: str, *, amount: int = 1) -> float:
        return len(product) * amount * 1.5


async def remembers(shop: Shop) -> None:
    assert_type(await price("apples", amount=2), float)
    assert_type(price.cache, Cache[Hashable, float])
    assert_type(price.forget("apples"), bool)
    assert_type(await age(object(), "alice"), int)
    assert_type(await shop.price("apples", amount=2), float)
    assert_type(Shop.price.cache, Cache[Hashable, float])
    as_function: Callable[[str], Coroutine[Any, Any, float]] = price
    async with trio.open_nursery() as nursery:
        nursery.start_soon(price, "apples")
        nursery.start_soon(as_function, "apples")
    takes: Callable[[Callable[[str], Coroutine[Any, Any, int]]], CachedFunction[[str], int]]
    takes = cached(ttl=5)
    print(takes)  # noqa: T201
