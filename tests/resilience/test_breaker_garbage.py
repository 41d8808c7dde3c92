"""Tests that calls leave nothing behind: no cycles for the garbage collector, and no growth."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.resilience import BreakerOptions, CircuitBreaker

from ._things import Failure, Way, assert_lawful, attempt, each_way, fail, open_breaker, succeed

ROUNDS = 200
PATIENT: BreakerOptions = {"failure_threshold": 10_000}
OPTIONS: dict[str, BreakerOptions] = {
    "": PATIENT,
    "slow_after": {**PATIENT, "slow_after": 60.0},
    "cancel_in_flight": {**PATIENT, "cancel_in_flight": True},
}


async def raise_an_error() -> None:
    raise Failure


async def untidy() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise Failure


async def family() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)


async def untidy_family() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(untidy)


async def leave(breaker: CircuitBreaker, way: Way, async_fn: Callable[[], Awaitable[Any]]) -> None:
    with trio.move_on_after(1):
        try:
            await attempt(breaker, way, async_fn)
        except* Failure:
            pass


async def garbage_of(do: Callable[..., Awaitable[Any]], *args: Any) -> int:
    """Do something a number of times, and return how many objects were left in cycles."""
    for _ in range(3):
        await do(*args)
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            await do(*args)
        return gc.collect()
    finally:
        gc.enable()


each_kind = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@each_way
@each_kind
@pytest.mark.parametrize("async_fn", [succeed, raise_an_error])
async def test_a_call_leaves_no_cycle(
    async_fn: Callable[[], Awaitable[Any]],
    options: BreakerOptions,
    way: Way,
    autojump_clock: MockClock,
) -> None:
    async with open_breaker(way, **options) as breaker:
        assert await garbage_of(attempt, breaker, way, async_fn) == 0


@each_way
@each_kind
@pytest.mark.parametrize("async_fn", [trio.sleep_forever, untidy, family, untidy_family])
async def test_a_call_that_is_cancelled_leaves_no_cycle(
    async_fn: Callable[[], Awaitable[Any]],
    options: BreakerOptions,
    way: Way,
    autojump_clock: MockClock,
) -> None:
    async with open_breaker(way, **options) as breaker:
        assert await garbage_of(leave, breaker, way, async_fn) == 0


@each_way
@each_kind
async def test_a_rejection_leaves_no_cycle(
    options: BreakerOptions, way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, **options) as breaker:
        breaker.force_open()
        assert await garbage_of(attempt, breaker, way, succeed) == 0


@each_way
@pytest.mark.parametrize("async_fn", [trio.sleep_forever, untidy, family, untidy_family])
async def test_a_probe_that_is_ended_leaves_no_cycle(
    async_fn: Callable[[], Awaitable[Any]], way: Way, autojump_clock: MockClock
) -> None:
    async with open_breaker(way, reset_timeout=0.0, probe_timeout=1.0) as breaker:
        await attempt(breaker, way, raise_an_error)
        assert await garbage_of(attempt, breaker, way, async_fn) == 0


@each_way
async def test_rejections_do_not_add_up(way: Way, autojump_clock: MockClock) -> None:
    async def reject(times: int) -> None:
        for _ in range(times):
            await attempt(breaker, way, succeed)

    async with open_breaker(way) as breaker:
        await attempt(breaker, way, fail)
        await reject(100)
        tracemalloc.start()
        try:
            await reject(100)
            before, _ = tracemalloc.get_traced_memory()
            await reject(2_000)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 2_000  # bytes, and less than one each
        assert assert_lawful(breaker).rejected == 2_200
