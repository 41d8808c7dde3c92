"""Tests of the tasks that wait for guarded calls: nothing of a call is left in them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.resilience import BreakerOpen, CircuitBreaker, open_breakers

from ._things import Call, Failure, assert_lawful, attempt, fail, succeed

who: ContextVar[Any] = ContextVar("who", default="nobody")


async def which_task() -> trio.lowlevel.Task:
    return trio.lowlevel.current_task()


def tasks_living() -> int:
    return trio.lowlevel.current_statistics().tasks_living


# Who is kept


async def test_a_task_is_kept_for_the_next_call(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        first = await breakers["a"].call(which_task)
        assert first.name == "waits for guarded calls"
        assert await breakers["b"].call(which_task) is first


async def test_a_task_is_named_for_the_call_that_it_does(autojump_clock: MockClock) -> None:
    async def name() -> str:
        return trio.lowlevel.current_task().name

    async with open_breakers() as breakers:
        assert [await breakers[key].call(name) for key in "ab"] == ["call a", "call b"]


async def test_calls_at_once_have_a_task_each(autojump_clock: MockClock) -> None:
    async def which_after_a_while() -> trio.lowlevel.Task:
        await trio.sleep(1)
        return trio.lowlevel.current_task()

    async with open_breakers() as breakers:
        for _ in range(3):
            async with trio.open_nursery() as nursery:
                calls = [Call(nursery, breakers["b"], "call", which_after_a_while) for _ in "123"]
            assert len({call.answer for call in calls}) == 3


async def test_a_call_within_a_call_has_a_task_of_its_own(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        breaker = breakers["b"]

        async def outer() -> tuple[trio.lowlevel.Task, trio.lowlevel.Task]:
            return await breaker.call(which_task), trio.lowlevel.current_task()

        for _ in range(3):
            inner_task, outer_task = await breaker.call(outer)
            assert inner_task is not outer_task
        assert assert_lawful(breaker).succeeded == 6


async def test_of_many_tasks_some_are_kept(autojump_clock: MockClock) -> None:
    before = tasks_living()
    async with open_breakers() as breakers:
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                for _ in range(1_000):
                    Call(nursery, breakers["b"], "call", trio.sleep, 1)
            await wait_all_tasks_blocked()
            assert tasks_living() - before == 64
    assert tasks_living() == before


async def test_a_task_whose_function_raised_is_not_kept(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        first = await breakers["b"].call(which_task)
        before = tasks_living()
        assert isinstance(await attempt(breakers["b"], "call", fail), Failure)
        await wait_all_tasks_blocked()
        assert tasks_living() == before - 1
        assert await breakers["b"].call(which_task) is not first


async def test_a_task_whose_function_was_cancelled_is_not_kept(autojump_clock: MockClock) -> None:
    async with open_breakers() as breakers:
        first = await breakers["b"].call(which_task)
        with trio.move_on_after(1):
            await breakers["b"].call(trio.sleep_forever)
        assert await breakers["b"].call(which_task) is not first


# What is not left in them


async def test_each_call_has_the_context_of_its_caller(autojump_clock: MockClock) -> None:
    async def change(to: str) -> str:
        before = str(who.get())
        who.set(to)
        await trio.lowlevel.checkpoint()
        assert who.get() == to
        return before

    async with open_breakers() as breakers:
        assert await breakers["b"].call(change, "first") == "nobody"
        assert who.get() == "nobody"
        who.set("me")
        assert await breakers["b"].call(change, "second") == "me"
        assert who.get() == "me"
        assert await breakers["b"].call(change, "third") == "me"


class Thing:
    """Something that would be kept alive by whoever holds it."""


async def test_a_task_that_waits_keeps_no_argument_and_no_result(
    autojump_clock: MockClock,
) -> None:
    async def make(given: Thing) -> Thing:
        await trio.lowlevel.checkpoint()
        return Thing()

    async with open_breakers() as breakers:
        for _ in range(2):  # in a new task, and in one that was kept
            given = Thing()
            alive = [weakref.ref(given), weakref.ref(await breakers["b"].call(make, given))]
            del given
            assert [one() for one in alive] == [None, None]


async def test_a_task_that_waits_keeps_no_context(autojump_clock: MockClock) -> None:
    async def call(breaker: CircuitBreaker, things: list[weakref.ref[Thing]]) -> None:
        thing = Thing()
        things.append(weakref.ref(thing))
        who.set(thing)
        await breaker.call(succeed)

    async with open_breakers() as breakers:
        things: list[weakref.ref[Thing]] = []
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call, breakers["b"], things)
            gc.collect()  # of what a task of Trio leaves behind
            assert [thing() for thing in things] == [None] * len(things)


async def test_a_task_that_waits_keeps_no_error(autojump_clock: MockClock) -> None:
    async with open_breakers(counts=()) as breakers:
        await breakers["b"].call(succeed)
        error = Failure()
        alive = weakref.ref(error)
        assert await attempt(breakers["b"], "call", fail, error) is error
        del error
        gc.collect()  # its traceback holds a frame that holds it
        assert alive() is None


async def enter_a_scope() -> None:
    trio.CancelScope().__enter__()


async def abandon_a_generator() -> None:
    async def generate() -> AsyncGenerator[int]:
        with trio.CancelScope():  # noqa: ASYNC119  it should not
            yield 1

    kept.append(generator := generate())
    await anext(generator)


kept: list[AsyncGenerator[int]] = []


@pytest.mark.parametrize("async_fn", [enter_a_scope, abandon_a_generator])
@pytest.mark.parametrize("is_warm", [False, True], ids=["new task", "kept task"])
async def test_a_scope_that_was_left_open_is_told_and_ends_the_task(
    async_fn: Callable[[], Awaitable[None]], is_warm: bool, autojump_clock: MockClock
) -> None:
    async with open_breakers(failure_threshold=3) as breakers:
        breaker = breakers["b"]
        before = await breaker.call(which_task) if is_warm else None
        with pytest.raises(RuntimeError, match=r"^Cancel scope stack corrupted: "):
            await breaker.call(async_fn)
        for generator in kept:
            await generator.aclose()
        kept.clear()
        assert await breaker.call(which_task) is not before
        assert assert_lawful(breaker).failed == 1


# The end of the block


async def test_a_block_ends_with_tasks_that_wait_and_tasks_that_work(
    autojump_clock: MockClock,
) -> None:
    async def tidy_up() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)

    before = tasks_living()
    async with trio.open_nursery() as nursery:
        async with open_breakers() as breakers:
            async with trio.open_nursery() as others:
                for _ in range(5):
                    Call(others, breakers["b"], "call", trio.sleep, 1)
            call = Call(nursery, breakers["b"], "call", tidy_up)
            await wait_all_tasks_blocked()
            assert tasks_living() == before + 6
        assert trio.current_time() == 3.0
        assert isinstance(await attempt(breakers["b"], "call", succeed), BreakerOpen)
    assert call.is_rejected
    assert tasks_living() == before


async def test_calls_at_the_end_of_the_block_are_answered(autojump_clock: MockClock) -> None:
    # A task that was woken for a call finds that the block has ended, and has to answer.
    for ticks in range(4):
        async with trio.open_nursery() as nursery:
            async with open_breakers() as breakers:
                await breakers["b"].call(succeed)
                calls = [Call(nursery, breakers["b"], "call", succeed) for _ in range(10)]
                for _ in range(ticks):
                    await trio.lowlevel.checkpoint()
        assert all(call.answer == "good" or call.is_rejected for call in calls)
        assert assert_lawful(breakers["b"]).in_flight == 0


async def test_no_task_waits_in_a_nursery_of_the_users(autojump_clock: MockClock) -> None:
    before = tasks_living()
    async with trio.open_nursery() as nursery:
        breaker = CircuitBreaker("b", nursery=nursery)
        for _ in range(3):
            await breaker.call(succeed)
            await wait_all_tasks_blocked()
            assert tasks_living() == before


# Interrupts


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("is_warm", [False, True], ids=["new task", "kept task"])
def test_an_interrupt_in_a_function_leaves_bare_by_its_caller(
    kind: type[BaseException], is_warm: bool
) -> None:
    fatal = kind("in a call")

    async def main() -> None:
        async with open_breakers(failure_threshold=1) as breakers:
            breaker = breakers["b"]
            if is_warm:
                await breaker.call(succeed)
            with pytest.raises(kind) as caught:
                await breaker.call(fail, fatal)
            assert caught.value is fatal
            seen = assert_lawful(breaker)
            assert (seen.state, seen.ignored) == ("closed", 1)
            raise fatal

    with pytest.raises(kind) as caught:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert caught.value is fatal
