"""Tests of inputs: of every kind, pulled as needed, broken midway, and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.tasks import open_map, open_task_supervisor, parallel_map

from ._things import Failure, Source, Work, double, leaves_of, values_of

each_kind = pytest.mark.parametrize("kind", ["plain", "slow"])

# Of every kind


class Letters:
    """An iterable of its own making."""

    def __iter__(self) -> Iterator[str]:
        return iter("ab")


class SlowLetters:
    """An async one, which cannot be closed."""

    def __aiter__(self) -> AsyncIterator[str]:
        self._left = iter("ab")
        return self

    async def __anext__(self) -> str:
        await trio.lowlevel.checkpoint()
        for letter in self._left:
            return letter
        raise StopAsyncIteration


@pytest.mark.parametrize(
    "items",
    [
        ["a", "b"],
        ("a", "b"),
        "ab",
        {"a": 1, "b": 2},
        iter("ab"),
        (letter for letter in "ab"),
        Letters(),
        SlowLetters(),
    ],
    ids=lambda items: type(items).__name__,
)
async def test_anything_that_can_be_iterated_over(items: Any) -> None:
    async with open_task_supervisor():
        assert values_of(await parallel_map(double, items)) == ["aa", "bb"]


async def test_what_is_both_is_taken_to_be_async() -> None:
    class Both(SlowLetters):
        def __iter__(self) -> Iterator[str]:
            raise AssertionError

    async with open_task_supervisor():
        assert values_of(await parallel_map(double, Both())) == ["aa", "bb"]


async def test_a_channel(autojump_clock: MockClock) -> None:
    send, receive = trio.open_memory_channel[int](0)

    async def produce() -> None:
        async with send:
            for number in range(5):
                await trio.sleep(1.0)
                await send.send(number)

    async with open_task_supervisor() as tasks:
        tasks.start_soon(produce)
        assert values_of(await parallel_map(double, receive)) == [0, 2, 4, 6, 8]
        with pytest.raises(trio.ClosedResourceError):
            receive.receive_nowait()


async def test_the_results_of_another_map(autojump_clock: MockClock) -> None:
    async def next_stage(result: Any) -> Any:
        return await double(result.unwrap())

    async with open_task_supervisor():
        async with open_map(double, range(20), limit=3) as doubled:
            assert values_of(await parallel_map(next_stage, doubled)) == list(range(0, 80, 4))


# Pulled as needed


@each_kind
async def test_a_map_pulls_no_more_than_it_works_on(kind: str, autojump_clock: MockClock) -> None:
    source = Source(range(9))
    items: Any = getattr(source, kind)()
    async with open_task_supervisor() as tasks:
        tasks.start_soon(partial(parallel_map, Work(1.0).do, items, limit=2))
        for number in range(4):
            await trio.sleep(0.5)
            assert len(source.pulled) == 2 * number + 2
            await trio.sleep(0.5)


async def test_an_async_input_is_pulled_by_one_task_at_a_time(autojump_clock: MockClock) -> None:
    pulling: list[trio.lowlevel.Task] = []

    async def numbers() -> AsyncIterator[int]:
        for number in range(6):
            with trio.CancelScope():  # which a generator may hold open only in one task
                pulling.append(trio.lowlevel.current_task())
                await trio.sleep(1.0)
                yield number

    async with open_task_supervisor():
        assert len(await parallel_map(Work(5.0).do, numbers(), limit=3)) == 6
    assert len(set(pulling)) == 1


async def test_items_run_while_the_input_is_awaited(autojump_clock: MockClock) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 0
        await trio.sleep(5.0)
        yield 1

    work = Work(1.0)
    async with open_task_supervisor():
        async with open_map(work.do, numbers(), limit=3) as results:
            assert (await results.receive()).item == 0
            assert trio.current_time() == 1.0


# Broken midway


@each_kind
async def test_an_input_that_raises_surfaces_when_those_before_have_ended(
    kind: str, autojump_clock: MockClock
) -> None:
    error, work = Failure(), Work(5.0)
    items: Any = getattr(Source("abc", error=error), kind)()
    async with open_task_supervisor() as tasks:
        with pytest.raises(Failure) as caught:
            await parallel_map(work.do, items, limit=4)
        assert caught.value is error
        assert sorted(work.ended) == list("abc")
        assert (tasks.running, trio.current_time()) == (0, 5.0)


@each_kind
@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as they end"])
async def test_the_results_before_are_handed_out_and_then_it_surfaces_once(
    kind: str, ordered: bool, autojump_clock: MockClock
) -> None:
    error = Failure()
    received: list[str] = []
    items: Any = getattr(Source("abc", error=error), kind)()
    async with open_task_supervisor():
        async with open_map(Work(1.0).do, items, limit=2, buffer=1, ordered=ordered) as results:
            with pytest.raises(Failure) as caught:
                while True:
                    received.append((await results.receive()).item)
            with pytest.raises(trio.EndOfChannel):
                await results.receive()
    assert (sorted(received), caught.value is error) == (list("abc"), True)


async def test_of_several_who_receive_one_is_told(autojump_clock: MockClock) -> None:
    told: list[type[Exception]] = []

    async def consume(results: trio.abc.ReceiveChannel[Any]) -> None:
        try:
            while True:
                await results.receive()
        except (Failure, trio.EndOfChannel) as error:
            told.append(type(error))

    async with open_task_supervisor():
        async with open_map(Work().do, Source("ab", error=Failure()).plain()) as results:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(consume, results)
    assert sorted(one.__name__ for one in told) == ["EndOfChannel", "EndOfChannel", "Failure"]


@each_kind
async def test_one_that_nobody_receives_is_dropped(kind: str, autojump_clock: MockClock) -> None:
    items: Any = getattr(Source("a", error=Failure()), kind)()
    async with open_task_supervisor():
        async with open_map(Work().do, items, limit=2):
            await trio.sleep(9.0)


@each_kind
async def test_with_raise_an_input_comes_out_bare_all_the_same(kind: str) -> None:
    items: Any = getattr(Source("a", error=Failure()), kind)()
    async with open_task_supervisor():
        with pytest.raises(Failure):
            await parallel_map(double, items, on_error="raise")


async def test_an_item_that_fails_while_the_rest_ends_is_what_comes_out(
    autojump_clock: MockClock,
) -> None:
    work, items = Work(1.0, fails="a"), Source("a", error=LookupError()).plain()
    async with open_task_supervisor():
        with pytest.raises((Failure, ExceptionGroup)) as caught:
            await parallel_map(work.do, items, limit=2, on_error="raise")
    assert [type(leaf) for leaf in leaves_of(caught.value)] == [Failure]


@each_kind
async def test_an_input_that_cannot_be_begun_surfaces_too(kind: str) -> None:
    class Broken:
        def __iter__(self) -> Any:
            raise Failure

    class BrokenSlowly:
        def __aiter__(self) -> Any:
            raise Failure

    items: Any = Broken() if kind == "plain" else BrokenSlowly()
    async with open_task_supervisor() as tasks:
        with pytest.raises((Failure, ExceptionGroup)) as caught:
            await parallel_map(double, items)
        assert isinstance(caught.value, Failure)
        assert tasks.running == 0
        async with open_map(double, items) as results:
            with pytest.raises(Failure):
                await results.receive()


@each_kind
async def test_so_does_one_that_stops_in_a_wrong_way(kind: str) -> None:
    class Wrong:
        def __iter__(self) -> Any:
            return self

        def __next__(self) -> str:
            raise trio.EndOfChannel

    class WrongSlowly:
        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> str:
            await trio.lowlevel.checkpoint()
            raise trio.EndOfChannel

    items: Any = Wrong() if kind == "plain" else WrongSlowly()
    async with open_task_supervisor():
        with pytest.raises(trio.EndOfChannel):
            await parallel_map(double, items)


# Closed


@pytest.mark.parametrize("how", ["ends", "raises", "is left", "is cancelled", "has failed"])
async def test_an_async_input_is_closed_when_the_map(how: str, autojump_clock: MockClock) -> None:
    source = Source("abc", error=Failure() if how == "raises" else None)
    work = Work(1.0, fails="b" if how == "has failed" else "")
    async with open_task_supervisor():
        if how == "ends":
            await parallel_map(work.do, source.slow(), limit=1)
        elif how in {"raises", "has failed"}:
            with pytest.raises((Failure, ExceptionGroup)):
                await parallel_map(work.do, source.slow(), limit=1, on_error="raise")
        elif how == "is cancelled":
            with trio.move_on_after(1.5):
                await parallel_map(work.do, source.slow(), limit=1)
        else:
            async with open_map(work.do, source.slow(), limit=1) as results:
                await results.receive()
        assert source.is_closed


async def test_so_is_a_channel(autojump_clock: MockClock) -> None:
    send, receive = trio.open_memory_channel[int](9)
    send.send_nowait(1)
    async with open_task_supervisor():
        async with open_map(Work().do, receive, limit=1) as results:
            await results.receive()
            await wait_all_tasks_blocked()
    with pytest.raises(trio.BrokenResourceError):
        send.send_nowait(2)


class Unclosable:
    """An input that cannot be closed."""

    def __init__(self, items: str) -> None:
        self._left = iter(items)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        for item in self._left:
            return item
        raise StopAsyncIteration

    async def aclose(self) -> None:
        raise Failure


async def test_an_error_of_its_closing_surfaces(autojump_clock: MockClock) -> None:
    async with open_task_supervisor():
        with pytest.raises(Failure):
            await parallel_map(double, Unclosable("a"))
        async with open_map(double, Unclosable("a")) as results:
            assert (await results.receive()).item == "a"
            with pytest.raises(Failure):
                await results.receive()


async def test_so_it_does_when_the_map_is_left_early(autojump_clock: MockClock) -> None:
    work = Work(1.0)
    async with open_task_supervisor() as tasks:
        with pytest.raises(Failure):
            async with open_map(work.do, Unclosable("abc"), limit=1, buffer=0):
                await trio.sleep(0.5)
        with pytest.raises(Failure), trio.move_on_after(0.5):
            await parallel_map(work.do, Unclosable("def"), limit=1)
        assert tasks.running == 0
    assert work.cancelled == ["a", "d"]
