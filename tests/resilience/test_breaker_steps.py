"""Tests of calls that are cancelled at one step of the run after the other.

The steps are those of all tasks, the caller's and those of its call, so the cancellation comes
also in the very tick in which a function ends, a breaker trips, or a probe has had its time.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_foundation.resilience import BreakerOpen, BreakerOptions, CircuitBreaker, open_breakers

from ._things import (
    CANCELLED,
    WAITS,
    Call,
    Failure,
    Way,
    assert_lawful,
    attempt,
    each_way,
    fail,
    leaves_of,
    open_breaker,
    succeed,
    trip,
    use,
)

Cause: TypeAlias = Literal["by its own will", "by a deadline"]


@attrs.define(eq=False)
class CancelAfter(trio.abc.Instrument):
    """Cancels a scope after so many steps of any tasks."""

    due: int
    cause: Cause = "by its own will"
    scope: trio.CancelScope | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is None:
            return
        self.due -= 1
        if self.due != 0:
            return
        if self.cause == "by a deadline":
            self.scope.deadline = trio.current_time()
        else:
            self.scope.cancel()


def at_every_step(
    program: Callable[[CancelAfter], Awaitable[None]], cause: Cause = "by its own will"
) -> None:
    """Run a program again and again, and cancel it a step later each time, until it ends before."""
    for due in itertools.count(1):
        instrument = CancelAfter(due, cause)
        clock = MockClock(autojump_threshold=0)
        trio.run(program, instrument, clock=clock, instruments=[instrument])
        if instrument.due > 0:
            return


# What is called


async def shielded() -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(1)


async def swallow() -> str:
    try:
        await trio.sleep(1)
    except trio.Cancelled:  # noqa: ASYNC103  it should not
        return "swallowed"  # noqa: ASYNC104
    return "slept"


async def untidy() -> None:
    try:
        await trio.sleep(1)
    finally:
        raise Failure("clean-up")


async def untidy_family() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 2)
        nursery.start_soon(untidy)


async def at_once() -> None:
    pass


# What is done


@attrs.frozen
class Scene:
    """A breaker, what it has gone through, and what is done with it then."""

    act: Callable[[CircuitBreaker, Way], Awaitable[Any]]
    options: BreakerOptions = attrs.Factory(BreakerOptions)
    is_tripped: bool = False
    is_half_open: bool = False


def calling(
    async_fn: Callable[..., Awaitable[Any]], *args: Any
) -> Callable[[CircuitBreaker, Way], Awaitable[Any]]:
    async def act(breaker: CircuitBreaker, way: Way) -> None:
        await attempt(breaker, way, async_fn, *args)

    return act


async def wait(breaker: CircuitBreaker, way: Way) -> None:
    await breaker.wait_state("half_open")


async def trip_beside_a_call(breaker: CircuitBreaker, way: Way) -> None:
    async with trio.open_nursery() as nursery:
        Call(nursery, breaker, way, trio.sleep, 5)
        Call(nursery, breaker, way, untidy)
        Call(nursery, breaker, way, fail, None, 1)


async def nest(breaker: CircuitBreaker, way: Way) -> None:
    await attempt(breaker, way, attempt, breaker, way, succeed, 1)


MANY: BreakerOptions = {"failure_threshold": 100}
SCENES: dict[str, Scene] = {
    "a call": Scene(calling(succeed), MANY),
    "a call that does not wait": Scene(calling(at_once), MANY),
    "a call that fails": Scene(calling(fail, None, 1)),
    "a shielded call": Scene(calling(shielded), MANY),
    "a call that swallows its cancellation": Scene(calling(swallow), MANY),
    "a call that fails when it is cancelled": Scene(calling(untidy), MANY),
    "a call whose tasks do so": Scene(calling(untidy_family), MANY),
    "calls in calls": Scene(nest, MANY),
    "a slow call": Scene(calling(trio.sleep, 1), {"slow_after": 0.5}),
    "a slow call that is broken off": Scene(
        calling(untidy_family), {"slow_after": 0.5, "cancel_in_flight": True}
    ),
    "calls beside one that trips": Scene(trip_beside_a_call, {"cancel_in_flight": True}),
    "a rejection": Scene(calling(succeed), is_tripped=True),
    "waiting": Scene(wait, is_tripped=True),
    "a probe": Scene(calling(succeed, "good"), is_half_open=True),
    "a probe that fails": Scene(calling(fail), is_half_open=True),
    "a probe that hangs": Scene(
        calling(trio.sleep_forever), {"probe_timeout": 1.0}, is_half_open=True
    ),
    "a probe that hangs with its tasks": Scene(
        calling(untidy_family), {"probe_timeout": 0.5}, is_half_open=True
    ),
}


@each_way
@pytest.mark.parametrize("cause", ["by its own will", "by a deadline"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_cancellation_at_any_step_leaves_nothing_behind(
    scene: Scene, cause: Cause, way: Way
) -> None:
    async def program(instrument: CancelAfter) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        options: BreakerOptions = {"reset_timeout": 3.0, **scene.options}
        async with open_breaker(way, **options) as breaker:
            if scene.is_tripped or scene.is_half_open:
                await trip(breaker, "half_open" if scene.is_half_open else "open")
            with trio.CancelScope() as scope:
                instrument.scope = scope
                try:
                    await scene.act(breaker, way)
                except* Failure:  # beside a cancellation, which goes on
                    pass
            instrument.scope = None
            assert assert_lawful(breaker).in_flight == 0
            await breaker.wait_state("closed", "half_open")
            assert await use(breaker, way, succeed) == "good"  # so there is room
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program, cause)


@pytest.mark.parametrize("is_warm", [False, True], ids=["new task", "kept task"])
@pytest.mark.parametrize("slow_after", [None, 0.5], ids=["", "slow"])
@pytest.mark.parametrize("async_fn", [at_once, succeed, shielded, swallow, untidy, untidy_family])
def test_a_block_that_ends_at_any_step_answers_its_callers(
    async_fn: Callable[[], Awaitable[Any]], slow_after: float | None, is_warm: bool
) -> None:
    async def program(instrument: CancelAfter) -> None:
        before = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:
            calls: list[Call] = []
            with trio.CancelScope() as scope:
                async with open_breakers(slow_after=slow_after, failure_threshold=100) as breakers:
                    breaker = breakers["b"]
                    if is_warm:
                        await breaker.call(succeed)
                    instrument.scope = scope
                    calls = [Call(nursery, breaker, "call", async_fn) for _ in range(2)]
                    await trio.sleep(3)
            instrument.scope = None
        for call in calls:
            assert call.answer not in {WAITS, CANCELLED}
            if isinstance(call.answer, BreakerOpen):
                assert call.answer.state == "closed_down"
            elif isinstance(call.answer, Exception):
                assert {type(one) for one in leaves_of(call.answer)} == {Failure}
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)


def test_health_that_is_cut_off_at_any_step_leaves_its_breaker_usable() -> None:
    async def health() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0.5)

    async def program(instrument: CancelAfter) -> None:
        breaker: CircuitBreaker | None = None
        with trio.CancelScope() as scope:
            async with open_breakers(
                failure_threshold=1, reset_timeout=1.0, health=health
            ) as breakers:
                breaker = breakers["b"]
                await attempt(breaker, "call", fail)
                instrument.scope = scope
                await breaker.wait_state("closed")
        instrument.scope = None
        assert breaker is not None
        assert assert_lawful(breaker).in_flight == 0
        await breaker.wait_state("closed", "half_open")
        async with breaker.guard():  # and this is the probe
            pass
        assert breaker.state == "closed"

    at_every_step(program)
