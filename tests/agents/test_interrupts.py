"""Tests of KeyboardInterrupt at any step of a coordinator.

Run as a program, ``python -m tests.agents.test_interrupts FIRST STRIDE``, this sends itself
SIGINT before the n-th instruction that is run in the library, for n = FIRST, FIRST + STRIDE and
so on. See ``tests/supervision/attack/interrupted_program.py``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.agents import (
    Agent,
    AgentRegistry,
    Coordinator,
    DeadLetter,
    DeliveryError,
    open_coordinator,
)
from trio_foundation.messaging import serve
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import Event, subscribe

from ..supervision.attack.interrupted_program import counted
from ..supervision.attack.interrupts import run_module, sweep

made: list[Coordinator] = []
letters: list[DeadLetter] = []


class Clerk(Agent):
    """Does what it is sent, or not."""

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        with counted():
            if message == "bad":
                raise OSError("no paper")
            await trio.sleep(0.1)
            return message

    async def ask(self) -> int:
        """Answer."""
        with counted():
            await trio.sleep(0.1)
            return 1


async def send(coordinator: Coordinator, message: object, key: str | None = None) -> None:
    with counted(), suppress(DeliveryError):
        await coordinator.deliver("ann", message, key=key)


async def go_through_outages(coordinator: Coordinator, nursery: trio.Nursery) -> None:
    breaker = coordinator.breaker("ann")
    await send(coordinator, 1)
    await send(coordinator, "bad", "key")
    breaker.force_open()
    for message in (2, 3, 4):
        nursery.start_soon(send, coordinator, message, f"{message}")
    await wait_all_tasks_blocked()
    with trio.move_on_after(0.5):
        await send(coordinator, "in line")
    breaker.reset()
    await send(coordinator, "in line")
    await coordinator.broadcast(5, capability="work")
    with suppress(DeliveryError):
        await coordinator.request("ann", Clerk.ask)


async def go(agents: AgentRegistry) -> None:
    async with trio.open_nursery() as nursery:
        options: Any = {"overflow": "block", "buffer_capacity": 2, "max_age": 3.0, "attempts": 2}
        async with open_coordinator(
            agents, on_dead_letter=letters.append, **options
        ) as coordinator:
            made.append(coordinator)
            await go_through_outages(coordinator, nursery)
            coordinator.breaker("ann").force_open()
            for message in (6, 7, 8):
                nursery.start_soon(send, coordinator, message)
            await coordinator.drain(1)


async def everything() -> None:
    agents = AgentRegistry()
    told: list[Event] = []
    spec = agents.register_on_start("ann", serve(Clerk, capacity=9), capability="work")
    try:
        with subscribe(told.append):
            async with open_supervisor([spec], max_restarts=9):
                await go(agents)
    except BaseExceptionGroup as group:  # of the nurseries in here
        if group.split(KeyboardInterrupt)[1] is None:
            raise KeyboardInterrupt from None
        raise


def disorder() -> list[str]:
    """Return what is wrong with the coordinators, as the run has ended."""
    wrong: list[str] = []
    for coordinator in made:
        office = coordinator._office
        told = office.totals()
        ends = told.delivered + told.failed + told.cancelled + told.dead_lettered + told.returned
        if told.messages != ends:
            wrong.append(f"{told.messages} messages have {ends} ends: {told}")
        if told.dead_lettered != len(letters):
            wrong.append(f"{told.dead_lettered} dead letters, {len(letters)} handed over")
        for lane in office.lanes.values():
            left = (lane.buffer.held, lane.in_flight, lane.in_hand, lane.workers)
            if any(left):
                wrong.append(f"the lane has {left} left")
    return wrong


def begin() -> None:
    """Forget the run before."""
    made.clear()
    letters.clear()


@pytest.mark.realtime
@pytest.mark.parametrize(("first", "stride"), [(3, 83), (44, 83)])
def test_an_interrupt_leaves_a_coordinator_in_order_at_whatever_step_it_comes(
    first: int, stride: int
) -> None:
    run_module("tests.agents.test_interrupts", first, stride)


if __name__ == "__main__":
    sweep(everything, begin=begin, disorder=disorder)
