"""Tests of inputs that do what inputs seldom do."""

from __future__ import annotations

import gc
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.tasks import open_map, open_task_supervisor, parallel_map

from ._things import Failure, double, leaves_of, values_of

# An async input is in the middle of a block while its items are worked on. What cancels that
# block cancels the input, as it would in a plain ``async for``, and nothing is lost.


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_an_input_may_stop_itself_by_a_deadline_between_items(
    limit: int, ordered: bool, autojump_clock: MockClock
) -> None:
    async def source() -> AsyncGenerator[int]:
        with trio.move_on_after(2.5):
            for item in itertools.count():
                yield item  # noqa: ASYNC119
        yield -1

    async def work(item: int) -> int:
        await trio.sleep(4 if item == 0 else 1)
        return item

    async with open_task_supervisor():
        got = values_of(await parallel_map(work, source(), limit=limit, ordered=ordered))
    assert 0 in got
    assert -1 in got
    assert sorted(got) == list(range(-1, len(got) - 1))
    assert not ordered or got[-1] == -1


async def test_an_input_that_runs_out_of_time_between_items_raises_that(
    autojump_clock: MockClock,
) -> None:
    async def source() -> AsyncGenerator[int]:
        with trio.fail_after(1.5):
            for item in itertools.count():
                yield item  # noqa: ASYNC119

    async def work(item: int) -> None:
        await trio.sleep(1)

    async with open_task_supervisor():
        with pytest.raises(trio.TooSlowError):
            await parallel_map(work, source(), limit=1)


async def test_a_stream_does_not_end_as_if_complete_when_its_input_runs_out_of_time(
    autojump_clock: MockClock,
) -> None:
    async def source() -> AsyncGenerator[int]:
        with trio.fail_after(1.5):
            for item in itertools.count():
                yield item  # noqa: ASYNC119

    async def work(item: int) -> int:
        await trio.sleep(1)
        return item

    got: list[Any] = []
    async with open_task_supervisor():
        async with open_map(work, source(), limit=1) as results:
            with pytest.raises(trio.TooSlowError):
                async for result in results:
                    got.append(result.item)  # noqa: PERF401  what is there when it raises
    assert got[:1] == [0]


async def test_what_the_tasks_of_an_input_raise_between_items_is_raised(
    autojump_clock: MockClock,
) -> None:
    async def produce() -> None:
        await trio.sleep(1.5)
        raise Failure

    async def source() -> AsyncGenerator[int]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce)
            for item in itertools.count():
                yield item  # noqa: ASYNC119

    async def work(item: int) -> None:
        await trio.sleep(1)

    async with open_task_supervisor():
        with pytest.raises((ExceptionGroup, Failure)) as caught:
            await parallel_map(work, source(), limit=1)
    assert {type(leaf) for leaf in leaves_of(caught.value)} == {Failure}


async def test_what_an_input_raises_when_it_is_closed_early_is_not_lost() -> None:
    async def source() -> AsyncGenerator[int]:
        try:
            for item in itertools.count():
                yield item
        finally:
            raise Failure

    async with open_task_supervisor():
        with pytest.raises(Failure):
            async with open_map(double, source(), limit=1) as results:
                await results.receive()


async def test_a_plain_generator_is_closed_with_the_block_like_an_async_one() -> None:
    closed: list[bool] = []

    def source() -> Generator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    gc.disable()
    try:
        async with open_task_supervisor():
            async with open_map(double, source(), limit=1) as results:
                await results.receive()
            assert closed
    finally:
        gc.enable()


# What works


async def test_two_maps_may_pull_one_iterator() -> None:
    got: list[int] = []

    async def pull() -> None:
        got.extend(values_of(await parallel_map(double, source, limit=3)))

    source = iter(range(100))
    async with open_task_supervisor(), trio.open_nursery() as nursery:
        nursery.start_soon(pull)
        nursery.start_soon(pull)
    assert sorted(got) == [2 * item for item in range(100)]


async def test_an_input_may_yield_the_same_object_again_and_again() -> None:
    item: list[int] = []
    async with open_task_supervisor():
        results = await parallel_map(double, [item] * 50, limit=7)
    assert all(result.item is item for result in results)


class Both:
    """Can be iterated over either way."""

    def __iter__(self) -> Iterator[str]:
        return iter(["plain"])

    async def __aiter__(self) -> AsyncIterator[str]:
        yield "async"


async def test_an_input_that_is_both_is_taken_for_an_async_one() -> None:
    async with open_task_supervisor():
        assert values_of(await parallel_map(double, Both())) == ["asyncasync"]


class Broken:
    """An async iterator that breaks wherever it is told to."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._given = 0

    def _break(self, here: str) -> None:
        if here == self._where:
            raise Failure(here)

    def __aiter__(self) -> AsyncIterator[int]:
        self._break("__aiter__")
        return self

    async def __anext__(self) -> int:
        self._given += 1
        if self._given == 3:
            self._break("__anext__")
            raise StopAsyncIteration
        return self._given

    async def aclose(self) -> None:
        self._break("aclose")


@pytest.mark.parametrize("where", ["__aiter__", "__anext__", "aclose"])
@pytest.mark.parametrize("on_error", ["collect", "raise"])
async def test_what_an_async_input_raises_is_raised_bare(where: str, on_error: Any) -> None:
    async with open_task_supervisor():
        with pytest.raises(Failure, match=where):
            await parallel_map(double, Broken(where), on_error=on_error)


class BrokenAtOnce:
    def __iter__(self) -> Iterator[int]:
        raise Failure


@pytest.mark.parametrize("on_error", ["collect", "raise"])
async def test_what_iter_raises_is_raised_bare_and_of_the_channel(on_error: Any) -> None:
    async with open_task_supervisor():
        with pytest.raises(Failure):
            await parallel_map(double, BrokenAtOnce(), on_error=on_error)
        async with open_map(double, BrokenAtOnce(), on_error=on_error) as results:
            with pytest.raises(Failure):
                await results.receive()


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_function_and_an_input_that_never_wait_let_others_run(kind: str) -> None:
    async def at_once(item: int) -> int:
        return item

    async def source() -> AsyncGenerator[int]:
        for item in itertools.count():
            yield item

    async with open_task_supervisor():
        items: Any = itertools.count() if kind == "plain" else source()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def cancel() -> None:
                    for _ in range(10):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

                nursery.start_soon(cancel)
                async with open_map(at_once, items, limit=2, buffer=float("inf")) as results:
                    await trio.sleep_forever()
                    await results.receive()
    assert scope.cancelled_caught
