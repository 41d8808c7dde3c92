"""Test of KeyboardInterrupt at random steps of a program that uses every room.

The rooms' own tests interrupt a program at one step after the other. This one draws its steps
from all of a larger program, in which the rooms meet. Run as a program, ``python -m
tests.testing.test_interrupts SEED TIMES``, it sends itself SIGINT so often.
"""

from __future__ import annotations

import gc
import logging
import random
import signal
import sys
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.cache import Cache
from trio_foundation.messaging import CallFailed, Ref, Server, serve
from trio_foundation.registry import Registry
from trio_foundation.resilience import BreakerOpen, CircuitBreaker, retry
from trio_foundation.supervision import child, current_child, open_supervisor
from trio_foundation.tasks import open_task_supervisor, parallel_map
from trio_foundation.testing import assert_conserved, capture_events
from trio_foundation.workflows import Saga, SagaFailed, open_serial_operations

from ..supervision.attack import interrupted_program
from ..supervision.attack.interrupted_program import Bell, attempt, counted
from ..supervision.attack.interrupts import run_module

HEAP_OF_STEPS = 10**9


class Failure(Exception):
    pass


class Shop(Server):
    """Crashes at every third question."""

    def __init__(self) -> None:
        self.asked = 0

    async def price(self) -> int:
        with counted():
            self.asked += 1
            await trio.sleep(0.1)
            if self.asked == 3:
                raise Failure
            return self.asked


async def clerk(registry: Registry[str, int], breaker: CircuitBreaker, ref: Ref[Shop]) -> None:
    with counted():
        registry.bind("clerk", 1, current_child())
        while True:
            with suppress(CallFailed, BreakerOpen):
                await breaker.call(ref.call, Shop.price)
            await trio.sleep(0.1)


async def work(item: object = None) -> object:
    with counted():
        await trio.sleep(0.1)
        if item == 1:
            raise Failure
        return item


async def program() -> None:
    registry = Registry[str, int]()
    cache = Cache[int, object](ttl=1.0)
    spec, ref = serve(Shop, capacity=3)
    breaker = CircuitBreaker("shop", failure_threshold=1, reset_timeout=0.3)
    tree = [spec, child(clerk, registry, breaker, ref)]
    with counted(), capture_events() as events:
        async with open_supervisor(tree, max_restarts=100) as sup, open_task_supervisor():
            await registry.wait_for("clerk")
            await cache.get_or_load(1, work)
            await parallel_map(work, range(3), limit=2, timeout=1.0)
            with suppress(Failure):
                await retry(work, 1, attempts=2)
            async with open_serial_operations(name="db") as serial:
                await serial.execute([work, work])
            with suppress(SagaFailed):
                await Saga("s").step("a", work, work).step("b", fail).run()
            sup.snapshot()
        assert len(events) > 20
        assert_conserved(ref)


async def fail(_: object) -> None:
    with counted():
        raise Failure


def steps() -> int:
    """Return how many steps the program has."""
    bell = Bell(HEAP_OF_STEPS)
    sys.settrace(bell)
    try:
        trio.run(program, clock=MockClock(autojump_threshold=0))
    finally:
        sys.settrace(None)
    return HEAP_OF_STEPS - bell.due


def interrupt(seed: int, times: int) -> int:
    """Interrupt the program at so many steps, and return how often that broke it."""
    noise: list[Any] = []
    sys.unraisablehook = noise.append
    rng = random.Random(seed)
    many = steps()
    broken = 0
    for number in range(times):
        due = rng.randint(1, many * 9 // 10)  # the order of tasks, and so the number, varies
        try:
            wrong = attempt(program, due)
        except StopIteration:
            wrong = f"{due}: ended before"
        if number % 20 == 19:
            gc.collect()
        if wrong or noise:
            broken += 1
            print(wrong, *noise, flush=True)  # noqa: T201  a program's answer
            noise.clear()
    print("steps:", many)  # noqa: T201  a program's answer
    return broken


@pytest.mark.realtime
def test_an_interrupt_at_any_of_two_hundred_random_steps_ends_the_program() -> None:
    run_module("tests.testing.test_interrupts", 8, 200)


if __name__ == "__main__":
    logging.disable()
    signal.signal(signal.SIGALRM, interrupted_program.give_up)
    sys.exit(bool(interrupt(int(sys.argv[1]), int(sys.argv[2]))))
