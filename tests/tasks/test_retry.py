"""Tests of maps whose function is called through a `Retry`, a `CircuitBreaker`, or the like."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.resilience import BreakerOpen, Bulkhead, CircuitBreaker, Pipeline, Retry
from trio_foundation.tasks import Caller, TaskTimeout, open_map, open_task_supervisor, parallel_map

from ._things import Failure, Source, Work, errors_of, fail, values_of

SECOND = Backoff(initial=1.0, factor=1.0, jitter=0)


class Flaky:
    """A function that fails for each item a set number of times."""

    def __init__(self, failures: int) -> None:
        self._failures = failures
        self.calls: list[Any] = []

    async def do(self, item: Any) -> Any:
        await trio.lowlevel.checkpoint()
        self.calls.append(item)
        if self.calls.count(item) <= self._failures:
            raise Failure(item)
        return item


@pytest.mark.parametrize("kind", ["plain", "slow"])
async def test_each_item_is_tried_again_by_itself(kind: str, autojump_clock: MockClock) -> None:
    flaky, items = Flaky(2), getattr(Source("abc"), kind)()
    async with open_task_supervisor():
        results = await parallel_map(flaky.do, items, retry=Retry(attempts=3, backoff=SECOND))
    assert values_of(results) == ["a", "b", "c"]
    assert sorted(flaky.calls) == list("aaabbbccc")


async def test_what_fails_to_the_last_has_failed(autojump_clock: MockClock) -> None:
    async with open_task_supervisor():
        results = await parallel_map(fail, "ab", retry=Retry(attempts=2, backoff=SECOND))
        assert errors_of(results) == {"a": Failure, "b": Failure}
        async with open_map(fail, "a", retry=Retry(attempts=2, backoff=SECOND)) as channel:
            assert errors_of([await channel.receive()]) == {"a": Failure}


async def test_the_time_of_an_item_is_that_of_all_its_attempts(autojump_clock: MockClock) -> None:
    work = Work(1.0, fails="a")
    retry = Retry(attempts=10, backoff=Backoff(initial=0.0))
    async with open_task_supervisor():
        results = await parallel_map(work.do, "a", retry=retry, timeout=3.5)
    assert errors_of(results) == {"a": TaskTimeout}
    assert (len(work.started), trio.current_time()) == (4, 3.5)


async def test_a_circuit_breaker_rejects_the_rest(autojump_clock: MockClock) -> None:
    breaker, work = CircuitBreaker("b", failure_threshold=2), Work(fails="abcd")
    async with open_task_supervisor():
        results = await parallel_map(work.do, "abcd", limit=1, retry=breaker)
    assert errors_of(results) == {
        "a": Failure, "b": Failure, "c": BreakerOpen, "d": BreakerOpen,
    }  # fmt: skip
    assert work.started == ["a", "b"]


async def test_so_does_a_pipeline(autojump_clock: MockClock) -> None:
    flaky = Flaky(1)
    pipeline = Pipeline(
        Retry(attempts=3, backoff=SECOND), CircuitBreaker("b", failure_threshold=99)
    )
    async with open_task_supervisor():
        assert values_of(await parallel_map(flaky.do, "ab", retry=pipeline)) == ["a", "b"]


async def test_whatever_has_such_a_method_will_do() -> None:
    class Twice:
        async def call(self, async_fn: Any, /, *args: Any) -> object:
            return (await async_fn(*args), await async_fn(*args))

    twice: Caller = Twice()
    async with open_task_supervisor():
        assert values_of(await parallel_map(Flaky(0).do, "a", retry=twice)) == [("a", "a")]


async def test_to_be_cancelled_between_two_attempts_is_no_failure(
    autojump_clock: MockClock,
) -> None:
    async def cancel_later() -> None:
        await trio.sleep(1.5)
        scope.cancel()

    async with open_task_supervisor() as tasks:
        tasks.start_soon(cancel_later)
        with trio.CancelScope() as scope:
            await parallel_map(fail, "ab", retry=Retry(attempts=10, backoff=SECOND))
    assert scope.cancelled_caught


@pytest.mark.parametrize("retry", [3, "twice", fail])
async def test_what_has_no_such_method_is_refused(retry: Any) -> None:
    async with open_task_supervisor():
        with pytest.raises(TypeError, match="retry must be a Retry, or whatever has an async "):
            await parallel_map(fail, "ab", retry=retry)


async def test_one_whose_method_is_plain_ends_the_map_and_says_so() -> None:
    class Plain:
        def call(self, async_fn: Any, /, *args: Any) -> object:
            return 3

    plain: Any = Plain()
    async with open_task_supervisor():
        with pytest.raises(TypeError, match=r"retry must have an async method call.* returned 3"):
            await parallel_map(fail, "ab", retry=plain)


async def test_maps_that_share_a_bulkhead_share_its_limit(autojump_clock: MockClock) -> None:
    work, few = Work(1.0), Bulkhead(3, max_waiting=math.inf)

    async def run(first: int) -> None:
        items = range(first, first + 4)
        assert len(values_of(await parallel_map(work.do, items, limit=4, retry=few))) == 4

    async with open_task_supervisor(), trio.open_nursery() as nursery:
        for first in (0, 4, 8):
            nursery.start_soon(run, first)
    assert (work.most, trio.current_time()) == (3, 4.0)
