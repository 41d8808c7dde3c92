"""Agents that do as they are told, for the tests of the coordinator."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

import attrs
import trio

from trio_foundation.agents import (
    Agent,
    AgentRegistry,
    AnsweredKeys,
    Coordinator,
    DeadLetter,
    Delivery,
    open_coordinator,
)
from trio_foundation.messaging import CallError, serve
from trio_foundation.supervision import Supervisor, open_supervisor

__all__ = ["Orders", "Refusal", "Robot", "Works", "at_work"]


class Refusal(CallError):
    """What a robot does not do."""


@attrs.define
class Orders:
    """How a robot has to behave, and what it has seen; it outlives the robot's incarnations."""

    mode: Literal["work", "crash", "hang", "refuse"] = "work"
    takes: float = 0.0
    bad: set[object] = attrs.field(factory=set[object])
    """Messages that make it crash whatever the mode."""
    begun: list[object] = attrs.field(factory=list[object])
    done: list[Any] = attrs.field(factory=list[Any])
    deliveries: list[Delivery] = attrs.field(factory=list[Delivery])
    answered: AnsweredKeys | None = None


class Robot(Agent):
    """Does as it is told."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.answered = orders.answered

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        orders = self.orders
        orders.begun.append(message)
        orders.deliveries.append(self.delivery)
        if orders.takes:
            await trio.sleep(orders.takes)
        if orders.mode == "crash" or message in orders.bad:
            raise RuntimeError(f"cannot bear {message!r}")
        if orders.mode == "refuse":
            raise Refusal(f"does not do {message!r}")
        if orders.mode == "hang":
            await trio.sleep_forever()
        orders.done.append(message)
        return f"did {message!r}"

    async def count(self, *, above: int = -1) -> int:
        """Return how many it has done."""
        match self.orders.mode:
            case "hang":
                await trio.sleep_forever()
            case "refuse":
                raise Refusal("does not count")
            case "crash":
                raise RuntimeError("cannot count")
            case "work":
                pass
        return sum(1 for one in self.orders.done if one > above)


@attrs.define
class Works:
    """Robots at work."""

    agents: AgentRegistry
    coordinator: Coordinator
    supervisor: Supervisor
    orders: dict[str, Orders]
    letters: list[DeadLetter]

    def check(self) -> None:
        """Assert that every message is accounted for."""
        told = self.coordinator.statistics()
        for one in (told, *told.receivers.values()):
            assert one.messages == (
                one.delivered
                + one.failed
                + one.cancelled
                + one.dead_lettered
                + one.returned
                + one.buffered
                + one.in_flight
            ), one
            assert min(attrs.astuple(one, filter=_is_number)) >= 0


def _is_number(attribute: Any, value: object) -> bool:
    return isinstance(value, int)


@asynccontextmanager
async def at_work(
    *names: str, orders: Orders | None = None, capacity: int = 100, **options: Any
) -> AsyncGenerator[Works]:
    """Have robots at work, and a coordinator for them; the circuit opens by one failure."""
    agents = AgentRegistry()
    all_orders = {name: orders or Orders() for name in names or ("ann",)}
    specs = [
        agents.register_on_start(
            name,
            serve(partial(Robot, its), capacity=capacity, name=name, grace=0.0),
            capability="work",
        )
        for name, its in all_orders.items()
    ]
    letters: list[DeadLetter] = []
    options = {
        "failure_threshold": 1,
        "reset_timeout": 10.0,
        "on_dead_letter": letters.append,
        **options,
    }
    async with open_supervisor(specs, max_restarts=1000) as supervisor:
        async with open_coordinator(agents, **options) as coordinator:
            works = Works(agents, coordinator, supervisor, all_orders, letters)
            yield works
            works.check()
        works.check()
