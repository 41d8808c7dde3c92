"""Tests of what a call hides, and of what it cannot hide: that it runs in another task."""

from __future__ import annotations

import gc
import pickle
import traceback
import weakref
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.resilience import BreakerOpen, CircuitBreaker, open_breakers

from ._things import (
    Call,
    Failure,
    Way,
    assert_lawful,
    attempt,
    each_way,
    each_way_of_call,
    fail,
    open_breaker,
    succeed,
    use,
)

who: ContextVar[str] = ContextVar("who", default="nobody")


@each_way
@pytest.mark.parametrize(
    "error",
    [
        Failure("alone"),
        ExceptionGroup("one", [Failure("within")]),
        BaseExceptionGroup("two", [KeyboardInterrupt(), Failure()]),
    ],
    ids=["error", "group", "base group"],
)
async def test_an_error_arrives_as_itself(
    way: Way, error: BaseException, autojump_clock: MockClock
) -> None:
    async with open_breaker(way) as breaker:
        with pytest.raises(type(error)) as caught:
            await use(breaker, way, fail, error)
        assert caught.value is error
        assert error.__cause__ is None


@each_way
async def test_the_traceback_leads_to_where_the_function_raised(
    way: Way, autojump_clock: MockClock
) -> None:
    async def deep() -> None:
        await deeper()

    async def deeper() -> None:
        raise Failure("down here")

    async with open_breaker(way) as breaker:
        with pytest.raises(Failure) as caught:
            await use(breaker, way, deep)
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names[-2:] == ["deep", "deeper"]


@each_way
async def test_the_function_sees_the_callers_context(way: Way, autojump_clock: MockClock) -> None:
    async def ask() -> str:
        await trio.lowlevel.checkpoint()
        return who.get()

    async with open_breaker(way) as breaker:
        token = who.set("me")
        assert await use(breaker, way, ask) == "me"
        who.reset(token)
        assert await use(breaker, way, ask) == "nobody"


@each_way
async def test_a_lock_of_the_caller_is_held_in_a_guard_only(
    way: Way, autojump_clock: MockClock
) -> None:
    lock = trio.Lock()

    async def let_go() -> None:
        lock.release()

    async with open_breaker(way) as breaker:
        await lock.acquire()
        if way == "guard":
            await use(breaker, way, let_go)
            assert not lock.locked()
        else:
            with pytest.raises(RuntimeError, match="don't own"):
                await use(breaker, way, let_go)


@each_way
async def test_slow_calls_block_nobody(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker, trio.open_nursery() as nursery:
        calls = [Call(nursery, breaker, way, trio.sleep, 0.1) for _ in range(10)]
        await wait_all_tasks_blocked()
        before = trio.current_time()
        assert assert_lawful(breaker).in_flight == 10
        assert trio.current_time() == before
        await trio.sleep(0.2)
        assert all(call.at == pytest.approx(0.1) for call in calls)


@each_way_of_call
async def test_calls_nest(way: Way, autojump_clock: MockClock) -> None:
    async with open_breaker(way) as breaker:

        async def outer() -> Any:
            return await breaker.call(succeed, "inner")

        assert await breaker.call(outer) == "inner"
        assert assert_lawful(breaker).succeeded == 2


@each_way_of_call
async def test_a_task_of_a_call_is_named_for_its_breaker(
    way: Way, autojump_clock: MockClock
) -> None:
    async def ask() -> str:
        return trio.lowlevel.current_task().name

    async with open_breaker(way) as breaker:
        assert await breaker.call(ask) == "call b"


async def test_no_task_is_left_after_calls(autojump_clock: MockClock) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    async with open_breakers(slow_after=5.0, failure_threshold=1) as breakers:
        await breakers["b"].call(succeed)
        await attempt(breakers["b"], "call", fail)
    assert trio.lowlevel.current_statistics().tasks_living == before


@each_way_of_call
async def test_what_a_call_returned_is_not_kept(way: Way, autojump_clock: MockClock) -> None:
    class Big:
        pass

    async def make() -> Big:
        return Big()

    async with open_breaker(way) as breaker:
        alive = weakref.ref(await breaker.call(make))
        gc.collect()
        assert alive() is None


async def test_a_breaker_lives_through_one_run_after_the_other(autojump_clock: MockClock) -> None:
    breaker = CircuitBreaker("b", failure_threshold=2)
    await attempt(breaker, "call", fail)
    assert (await breaker.call(succeed), breaker.state) == ("good", "closed")


async def test_a_rejection_can_be_pickled(autojump_clock: MockClock) -> None:
    rejection = BreakerOpen("b", "open", 3.0, ValueError("x"))
    copy = pickle.loads(pickle.dumps(rejection))
    assert (str(copy), copy.retry_after, copy.state) == (str(rejection), 3.0, "open")


@each_way
async def test_each_rejection_is_an_error_of_its_own(way: Way, autojump_clock: MockClock) -> None:
    # Rule R18.
    async with open_breaker(way) as breaker:
        breaker.force_open()
        assert await attempt(breaker, way, succeed) is not await attempt(breaker, way, succeed)


async def test_a_coroutine_is_answered_with_the_right_line(autojump_clock: MockClock) -> None:
    with pytest.raises(TypeError) as caught:
        await CircuitBreaker("b").call(succeed(1))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert str(caught.value) == (
        "call takes an async function, but got a coroutine: "
        "write call(succeed, ...), not call(succeed(...))"
    )
