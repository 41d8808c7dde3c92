"""Tests of KeyboardInterrupt at any step of a breaker.

Run as a program, ``python -m tests.resilience.test_breaker_interrupts FIRST STRIDE``, this sends
itself SIGINT before the n-th instruction that is run in the library, for n = FIRST,
FIRST + STRIDE and so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio

from trio_foundation.resilience import (
    BreakerEvent,
    BreakerOpen,
    BreakerOptions,
    Breakers,
    CircuitBreaker,
    open_breakers,
)
from trio_foundation.telemetry import subscribe

from ..supervision.attack.interrupted_program import counted
from ..supervision.attack.interrupts import run_module, sweep
from ._things import Failure, Way, leaves_of, use


async def work(seconds: float, error: Exception | None = None) -> None:
    with counted():
        try:
            await trio.sleep(seconds)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.1)
        if error is not None:
            raise error


async def work_together() -> None:
    with counted():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, 1)
            nursery.start_soon(work, 2)


made: list[CircuitBreaker] = []


async def attempt(
    breaker: CircuitBreaker, way: Way, async_fn: Callable[..., Awaitable[Any]], *args: Any
) -> None:
    with suppress(Failure, BreakerOpen):
        await use(breaker, way, async_fn, *args)


async def go_through(breaker: CircuitBreaker, way: Way) -> None:
    """Take a breaker through all of its states, some of them twice."""
    made.append(breaker)
    with counted(), breaker.subscribe() as changes:
        for _ in range(2):
            await attempt(breaker, way, work, 0)
        with trio.move_on_after(0.5):
            await attempt(breaker, way, work_together)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt, breaker, way, work, 6)  # slow, and trips it
            nursery.start_soon(attempt, breaker, way, work_together)
            await breaker.wait_state("open")
            await attempt(breaker, way, work, 0)
        await breaker.wait_state("half_open")
        await attempt(breaker, way, work, 9)  # for too long
        await breaker.wait_state("half_open")
        await attempt(breaker, way, work, 0, Failure())
        await breaker.wait_state("half_open")
        await attempt(breaker, way, work, 0)
        breaker.force_open()
        breaker.reset()
        breaker.statistics()
        await changes.receive()


async def probe_itself(breakers: Breakers) -> None:
    made.append(breaker := breakers["healthy"])
    await attempt(breaker, "call", work, 0, Failure())
    await breaker.wait_state("closed")


async def health() -> None:
    await work(0.5)


async def everything() -> None:
    try:
        await go_through_all()
    except BaseExceptionGroup as group:  # of the nurseries in here
        if {type(leaf) for leaf in leaves_of(group)} == {KeyboardInterrupt}:
            raise KeyboardInterrupt from None
        raise


async def go_through_all() -> None:
    told: list[BreakerEvent] = []
    with counted(), subscribe(told.append, BreakerEvent):
        options: BreakerOptions = {
            "failure_threshold": 1,
            "reset_timeout": 3.0,
            "slow_after": 5.0,
            "cancel_in_flight": True,
        }
        async with open_breakers(**options) as breakers:
            breakers.configure("healthy", health=health)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(go_through, breakers["a"], "call")
                nursery.start_soon(go_through, breakers["b"], "guard")
                nursery.start_soon(go_through, CircuitBreaker("c", **options), "call")
                nursery.start_soon(probe_itself, breakers)
            breakers.snapshot()


def unlawful() -> list[str]:
    """Return the figures of the breakers that have lost a call, as the run has ended."""
    return [f"{one!r} has {one._core.in_flight} in flight" for one in made if one._core.in_flight]


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(7, 61), (23, 61)])
def test_an_interrupt_ends_a_program_of_breakers_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    run_module("tests.resilience.test_breaker_interrupts", first, stride)


if __name__ == "__main__":
    sweep(everything, begin=made.clear, disorder=unlawful)
