"""Tests of guards that are made once, and used in one Trio run after the other, or in two at once."""

from __future__ import annotations

import gc
import math
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.resilience import (
    Bulkhead,
    KeyedRateLimiter,
    Pipeline,
    RateLimited,
    RateLimiter,
    Retry,
    RetryBudget,
)

AT_ONCE = Backoff(initial=0.0)


class TornApart(trio.abc.Clock):
    """A clock that fails when all tasks wait, and so ends the run."""

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return 0.0

    def deadline_to_sleep_time(self, deadline: float) -> float:
        raise ZeroDivisionError


def tear_apart(*waits: Callable[[], Any]) -> None:
    """Let some functions wait for something in a run that does not come to its end."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for wait in waits:
                nursery.start_soon(wait)
                await trio.lowlevel.checkpoint()
            await trio.sleep(1.0)

    with pytest.raises(trio.TrioInternalError):
        trio.run(main, clock=TornApart())


@pytest.fixture
def collects_when_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Coroutines of a dead run are collected when a test says so.

    Trio's own nurseries and scopes complain then, whatever we do; of that nobody is told.
    """
    gc.collect()
    gc.disable()
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    yield
    gc.collect()
    gc.enable()


def test_each_run_has_slots_of_its_own() -> None:
    bulkhead = Bulkhead(1)

    async def main() -> None:
        for _ in range(2):
            await bulkhead.call(trio.sleep, 0)
        assert bulkhead.statistics().admitted == 2

    for _ in range(2):
        trio.run(main)
    assert (bulkhead.statistics().limit, bulkhead.statistics().admitted) == (1, 0)
    assert repr(bulkhead) == "<Bulkhead 'bulkhead': 0 of 1 run>"


def test_a_bulkhead_may_be_resized_before_there_is_a_run() -> None:
    bulkhead = Bulkhead(1)
    bulkhead.resize(2)

    async def main() -> None:
        async with bulkhead, bulkhead:
            assert bulkhead.statistics().running == 2

    trio.run(main)


@pytest.mark.usefixtures("collects_when_told")
@pytest.mark.parametrize("collects", ["before", "during", "afterwards"])
def test_a_run_that_was_torn_apart_leaves_slots_and_turns_free(collects: str) -> None:
    bulkhead, limiter = Bulkhead(1, max_waiting=5), RateLimiter(1, per=60.0)
    logins = KeyedRateLimiter[str](1, per=60.0, max_keys=1)

    async def hold() -> None:
        async with bulkhead:
            await trio.sleep_forever()

    async def main() -> None:
        async with bulkhead:
            await limiter.wait()
            await logins.wait("another key")
            if collects == "during":
                gc.collect()
            await wait_all_tasks_blocked()
        assert trio.current_time() == 0.0

    tear_apart(hold, hold, hold, *[limiter.wait] * 3, *[lambda: logins.wait("a")] * 3)
    if collects == "before":
        gc.collect()
    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_each_run_has_a_pace_by_its_own_clock() -> None:
    limiter, logins = RateLimiter(1, per=60.0), KeyedRateLimiter[str](1, per=60.0, max_keys=1)

    async def main(later: float, key: str) -> None:
        await trio.sleep(later)
        limiter.take()
        logins.take(key)
        with pytest.raises(RateLimited):
            limiter.take()

    for later, key in ((1e6, "a"), (0.0, "b"), (1e6, "c")):
        trio.run(main, later, key, clock=MockClock(autojump_threshold=0))


def test_a_retry_budget_is_whole_in_each_run() -> None:
    budget = RetryBudget(ratio=0.0, floor=1)
    attempts: list[int] = []

    async def main(later: float) -> None:
        await trio.sleep(later)
        made = 0

        async def fail() -> None:
            nonlocal made
            made += 1
            raise OSError

        for _ in range(2):
            with pytest.raises(OSError, match="budget is spent"):
                await Retry(budget=budget, backoff=AT_ONCE).call(fail)
        attempts.append(made)

    for later in (1e6, 0.0, 1e6):
        trio.run(main, later, clock=MockClock(autojump_threshold=0))
    assert attempts == [3, 3, 3]


def test_two_runs_in_two_threads_do_not_meet() -> None:
    bulkhead, limiter = Bulkhead(1, max_waiting=math.inf), RateLimiter(1, per=10.0)
    budget = RetryBudget(ratio=0.0, floor=3)
    pipeline = Pipeline(Retry(budget=budget, backoff=AT_ONCE), bulkhead, limiter)
    meet = threading.Barrier(2, timeout=30.0)
    found: list[tuple[float, int, int]] = []

    async def main(later: float) -> None:
        made = 0

        async def fail() -> None:
            nonlocal made
            made += 1
            meet.wait()  # so that the two runs take turns
            raise OSError

        await trio.sleep(later)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(call, fail)
        found.append((trio.current_time() - later, made, bulkhead.statistics().peak))

    async def call(fail: Callable[[], Any]) -> None:
        with pytest.raises(OSError, match=r"budget is spent|attempt 3 of 3"):
            await pipeline.call(fail)

    def run(later: float) -> None:
        trio.run(main, later, clock=MockClock(autojump_threshold=0))

    threads = [threading.Thread(target=run, args=(later,)) for later in (0.0, 1e6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(50.0, 6, 1)] * 2  # three calls and three retries, one in ten seconds


def test_what_a_run_has_of_a_guard_goes_with_the_guard() -> None:
    async def main() -> None:
        bulkhead = Bulkhead(1)
        await bulkhead.call(trio.sleep, 0)
        gone = weakref.ref(bulkhead)
        del bulkhead
        gc.collect()
        assert gone() is None

    trio.run(main)
