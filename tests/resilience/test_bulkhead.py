"""Tests of so many at once, and no more."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.resilience import Bulkhead, BulkheadFull


class Crowd:
    """Tasks that enter a bulkhead, and leave it when told."""

    def __init__(self, nursery: trio.Nursery, bulkhead: Bulkhead) -> None:
        self.nursery = nursery
        self.bulkhead = bulkhead
        self.inside: list[str] = []
        self.scopes: dict[str, trio.CancelScope] = {}
        self.exits: dict[str, trio.Event] = {}

    async def send(self, *names: str) -> None:
        for name in names:
            self.scopes[name], self.exits[name] = trio.CancelScope(), trio.Event()
            self.nursery.start_soon(self._be, name)
            await wait_all_tasks_blocked()

    async def _be(self, name: str) -> None:
        with self.scopes[name]:
            async with self.bulkhead:
                self.inside.append(name)
                try:
                    await self.exits[name].wait()
                finally:
                    self.inside.remove(name)

    async def leave(self, *names: str) -> None:
        for name in names:
            self.exits[name].set()
        await wait_all_tasks_blocked()

    async def cancel(self, *names: str) -> None:
        for name in names:
            self.scopes[name].cancel()
        await wait_all_tasks_blocked()


# What a reader should know


async def test_as_many_run_at_once_as_the_limit_says() -> None:
    bulkhead = Bulkhead(2, max_waiting=5)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, bulkhead)
        await crowd.send("a", "b", "c", "d")
        assert crowd.inside == ["a", "b"]
        await crowd.leave("a")
        assert crowd.inside == ["b", "c"]
        await crowd.leave("b", "c", "d")
    assert bulkhead.statistics().running == 0


async def test_who_finds_no_slot_and_no_room_to_wait_is_turned_away() -> None:
    bulkhead = Bulkhead(1, max_waiting=1, name="db")
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, bulkhead)
        await crowd.send("a", "b")
        with pytest.raises(BulkheadFull) as caught, assert_checkpoints():
            await bulkhead.call(trio.sleep, 0)
        error = caught.value
        assert (error.name, error.limit, error.waiting) == (bulkhead.name, 1, 1) == ("db", 1, 1)
        await crowd.leave("a", "b")


async def test_who_is_turned_away_again_and_again_lets_others_finish() -> None:
    bulkhead = Bulkhead(1)
    has_begun = trio.Event()

    async def work() -> None:
        has_begun.set()
        for _ in range(10):
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bulkhead.call, work)
        await has_begun.wait()
        for _ in range(100):
            with suppress(BulkheadFull):
                await bulkhead.call(trio.lowlevel.checkpoint)
    assert bulkhead.statistics().admitted > 1


@pytest.mark.parametrize(("order", "first"), [("fifo", "b"), ("lifo", "d")])
async def test_who_goes_first_is_a_matter_of_order(order: Any, first: str) -> None:
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, Bulkhead(1, max_waiting=3, order=order))
        await crowd.send("a", "b", "c", "d")
        await crowd.leave("a")
        assert crowd.inside == [first]
        await crowd.leave("b", "c", "d")


async def test_a_call_returns_what_the_function_does_and_takes_its_arguments() -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    bulkhead = Bulkhead(1)
    with assert_checkpoints():
        assert await bulkhead.call(add, 1, 2) == 3
    assert bulkhead.statistics().running == 0


async def test_an_error_comes_out_as_itself_and_gives_the_slot_back() -> None:
    error = OSError("x")

    async def fail() -> None:
        raise error

    bulkhead = Bulkhead(1)
    for _ in range(3):
        with pytest.raises(OSError, match="x") as caught:
            await bulkhead.call(fail)
        assert caught.value is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), trio.TrioInternalError()])
async def test_what_is_no_mere_error_gives_the_slot_back_too(error: BaseException) -> None:
    async def interrupt() -> None:
        assert not trio.lowlevel.currently_ki_protected()
        raise error

    bulkhead = Bulkhead(1)
    with pytest.raises(type(error)) as caught:
        await bulkhead.call(interrupt)
    assert caught.value is error
    assert bulkhead.statistics().running == 0


# Cancellation


async def test_entering_is_a_checkpoint() -> None:
    bulkhead = Bulkhead(1)
    with assert_checkpoints():
        async with bulkhead:
            pass
    with trio.CancelScope() as scope:
        scope.cancel()
        await bulkhead.call(trio.sleep, 0)
    assert scope.cancelled_caught
    assert (bulkhead.statistics().admitted, bulkhead.statistics().running) == (1, 0)


async def test_who_is_cancelled_inside_gives_the_slot_back() -> None:
    bulkhead = Bulkhead(1)
    for enter in (bulkhead.call, None):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_when_blocked, scope)
                if enter:
                    await enter(trio.sleep_forever)
                else:
                    async with bulkhead:
                        await trio.sleep_forever()
        assert scope.cancelled_caught
        assert bulkhead.statistics().running == 0


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()


async def test_who_is_cancelled_while_waiting_leaves_the_line() -> None:
    bulkhead = Bulkhead(1, max_waiting=2)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, bulkhead)
        await crowd.send("a", "b", "c")
        await crowd.cancel("b")
        assert bulkhead.statistics().waiting == 1
        await crowd.leave("a")
        assert crowd.inside == ["c"]
        await crowd.leave("c")


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_slot_given_to_one_who_is_cancelled_just_then_is_not_lost(
    cancelled_first: bool,
) -> None:
    bulkhead = Bulkhead(1, max_waiting=2)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, bulkhead)
        await crowd.send("a", "b", "c")
        acts: list[Callable[[], object]] = [crowd.scopes["b"].cancel, crowd.scopes["a"].cancel]
        for act in acts if cancelled_first else reversed(acts):
            act()
        await wait_all_tasks_blocked()
        assert crowd.inside == ["c"]
        await crowd.leave("c")
    assert bulkhead.statistics().running == bulkhead.statistics().waiting == 0


# Resizing


async def test_more_slots_let_in_those_who_wait() -> None:
    bulkhead = Bulkhead(1, max_waiting=5)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, bulkhead)
        await crowd.send("a", "b", "c", "d")
        bulkhead.resize(3)
        await wait_all_tasks_blocked()
        assert sorted(crowd.inside) == ["a", "b", "c"]
        await crowd.leave("a", "b", "c", "d")


async def test_fewer_slots_disturb_nobody_and_let_nobody_in() -> None:
    bulkhead = Bulkhead(3, max_waiting=5)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, bulkhead)
        await crowd.send("a", "b", "c", "d")
        bulkhead.resize(1)
        await crowd.leave("a", "b")
        assert crowd.inside == ["c"]
        await crowd.leave("c")
        assert crowd.inside == ["d"]
        await crowd.leave("d")
    assert bulkhead.limit == 1


async def test_the_figures_tell_what_happened() -> None:
    bulkhead = Bulkhead(2, max_waiting=1)
    async with trio.open_nursery() as nursery:
        crowd = Crowd(nursery, bulkhead)
        await crowd.send("a", "b", "c")
        with pytest.raises(BulkheadFull):
            await bulkhead.call(trio.sleep, 0)
        figures = bulkhead.statistics()
        assert (figures.limit, figures.running, figures.waiting, figures.max_waiting) == (
            2,
            2,
            1,
            1,
        )
        assert (figures.peak, figures.admitted, figures.rejected) == (2, 2, 1)
        assert repr(bulkhead) == "<Bulkhead 'bulkhead': 2 of 2 run>"
        await crowd.leave("a", "b", "c")
    assert bulkhead.statistics().admitted == 3


MAKE: Any = Bulkhead


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MAKE(0), "limit must be 1 or more, not 0"),
        (lambda: MAKE(2.5), "limit must be a whole number, not 2.5"),
        (lambda: MAKE(1, max_waiting=-1), "max_waiting must be 0 or more, not -1"),
        (lambda: MAKE(1, order="random"), "order must be 'fifo' or 'lifo', not 'random'"),
        (lambda: MAKE(1, name=""), "name must not be empty"),
        (lambda: MAKE(1).resize(0), "limit must be 1 or more, not 0"),
    ],
)
def test_nonsense_is_refused(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        make()


async def doze(seconds: float) -> None:
    await trio.sleep(seconds)


async def test_a_coroutine_is_refused_and_takes_no_slot() -> None:
    bulkhead = Bulkhead(1)
    with pytest.raises(TypeError, match="takes an async function, but got a coroutine"):
        await bulkhead.call(doze(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert bulkhead.statistics().admitted == 0


# The promise: whatever is cancelled, and when


@given(
    limit=st.integers(1, 3),
    max_waiting=st.integers(0, 4) | st.just(math.inf),
    order=st.sampled_from(["fifo", "lifo"]),
    calls=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(0, 8)), max_size=14),
    sizes=st.lists(st.tuples(st.integers(0, 10), st.integers(1, 4)), max_size=3),
)
def test_no_slot_is_ever_lost_and_none_is_given_twice(
    limit: int,
    max_waiting: float,
    order: Any,
    calls: list[tuple[int, int, int]],
    sizes: list[tuple[int, int]],
) -> None:
    bulkhead = Bulkhead(limit, max_waiting=max_waiting, order=order)

    async def work(took: int) -> None:
        assert bulkhead.statistics().running > 0
        await trio.sleep(took)

    async def one(starts: int, takes: int, patience: int) -> None:
        await trio.sleep(starts)
        with trio.move_on_after(patience), suppress(BulkheadFull):
            await bulkhead.call(work, takes)

    async def resize(at: int, size: int) -> None:
        await trio.sleep(at)
        bulkhead.resize(size)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(one, *call)
            for size in sizes:
                nursery.start_soon(resize, *size)
        assert bulkhead.statistics().running == bulkhead.statistics().waiting == 0
        assert bulkhead.statistics().peak <= max(limit, *(size for _, size in sizes), 1)
        async with trio.open_nursery() as nursery:  # all slots are there
            for _ in range(bulkhead.limit):
                nursery.start_soon(bulkhead.call, trio.sleep, 1)
            await wait_all_tasks_blocked()
            assert bulkhead.statistics().running == bulkhead.limit

    trio.run(main, clock=MockClock(autojump_threshold=0))
