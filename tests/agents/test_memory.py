"""However long it goes on, a coordinator keeps what waits, and nothing else."""

from __future__ import annotations

import gc
import logging
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.agents import AgentRegistry, Coordinator, DeliveryError, open_coordinator
from trio_foundation.messaging import serve
from trio_foundation.supervision import open_dynamic_supervisor

from ._robots import Orders, Robot, Works, at_work

Round = Callable[[Works, int], Awaitable[None]]


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


async def deliver(works: Works, number: int) -> None:
    await works.coordinator.deliver("ann", number, key=f"{number}")


async def fail(works: Works, number: int) -> None:
    works.orders["ann"].mode = "refuse"
    with suppress(DeliveryError):
        await works.coordinator.deliver("ann", number, key=f"{number}")


async def overflow(works: Works, number: int) -> None:
    works.coordinator.breaker("ann").force_open()
    await works.coordinator.deliver("ann", number, key=f"{number}")


async def leave(works: Works, number: int) -> None:
    works.coordinator.breaker("ann").force_open()
    with trio.move_on_after(0):
        await works.coordinator.deliver("ann", number, key=f"{number}")
    with trio.CancelScope() as scope:
        scope.cancel()
        await works.coordinator.deliver("ann", number, key=f"{number}")


async def be_gone(works: Works, number: int) -> None:
    ref = works.agents.lookup("ann").value
    with works.agents.register("joe", ref, capability="work"):
        works.coordinator.breaker("joe").force_open()
        await works.coordinator.deliver("joe", number, key=f"{number}")


@pytest.mark.parametrize("one_round", [deliver, fail, overflow, leave, be_gone])
async def test_many_rounds_leave_nothing_behind(
    autojump_clock: MockClock, one_round: Round
) -> None:
    counts: list[int] = []
    async with at_work(buffer_capacity=10, on_dead_letter=None) as works:
        for number in range(1200):
            await one_round(works, number)
            for seen in (works.orders["ann"].begun, works.orders["ann"].done):
                seen.clear()
            works.orders["ann"].deliveries.clear()
            if number in {199, 1199}:
                await wait_all_tasks_blocked()  # until who delivered to those before has left
                gc.collect()
                counts.append(len(gc.get_objects()))
    assert counts[1] - counts[0] < 300


async def test_a_flood_before_an_open_circuit_costs_no_more_than_its_cap(
    autojump_clock: MockClock,
) -> None:
    async with at_work(buffer_capacity=100, on_dead_letter=None) as works:
        works.coordinator.breaker("ann").force_open()
        for number in range(1000):
            await works.coordinator.deliver("ann", number)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(10_000):
                await works.coordinator.deliver("ann", number)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 100_000
        assert works.coordinator.statistics().overflowed == 10_900


async def test_agents_that_come_and_go_leave_nothing_behind(autojump_clock: MockClock) -> None:
    agents = AgentRegistry()
    counts: list[int] = []
    async with (
        open_dynamic_supervisor() as supervisor,
        open_coordinator(agents, failure_threshold=1) as coordinator,
    ):
        for number in range(400):
            orders = Orders("crash" if number % 2 else "work")
            served = serve(partial(Robot, orders), capacity=9, restart="temporary")
            spec = agents.register_on_start(f"{number}", served, capability="work")
            child = await supervisor.start_child(spec)
            await send_two(coordinator, f"{number}")
            await wait_all_tasks_blocked()
            if child.state == "running":
                await supervisor.stop_child(child.name)
            assert not len(agents)
            if number in {99, 399}:
                gc.collect()
                counts.append(len(gc.get_objects()))
        told = coordinator.statistics()
        assert (told.delivered, told.receivers) == (400, {})
    assert counts[1] - counts[0] < 200


async def send_two(coordinator: Coordinator, agent_id: str) -> None:
    for number in range(2):
        with suppress(DeliveryError):
            await coordinator.deliver(agent_id, number)
