"""What it costs to have messages delivered to agents, and acknowledged."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter

import trio

from trio_foundation.agents import Agent, AgentRegistry, Coordinator, open_coordinator
from trio_foundation.messaging import Ref, serve
from trio_foundation.resilience import open_breakers
from trio_foundation.supervision import open_supervisor

from ._runner import Finding, Plan, Samples, compare, take_turns, weigh

__all__ = ["BENCHMARKS", "after_many"]

CAPACITY = 100
"""Of each mailbox."""

AGENTS = 100


class Echo(Agent):
    """Gives back what it is sent."""

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        """Return the message."""
        return message


class Mute(Agent):
    """Is out of order."""

    async def receive(self, message: object, *, sender: str | None = None) -> object:
        """Never return."""
        await trio.sleep_forever()


@asynccontextmanager
async def agents_at_work(count: int, *, mute: int = 0) -> AsyncGenerator[AgentRegistry]:
    """Have that many agents at work, and some of them mute."""
    agents = AgentRegistry()
    specs = [
        agents.register_on_start(
            f"{number}",
            serve(Mute if number < mute else Echo, capacity=CAPACITY, name=f"agent {number}"),
            capability="echo",
        )
        for number in range(count)
    ]
    async with open_supervisor(specs):
        yield agents


# One message


async def delivered(count: int) -> float:
    """Deliver messages to a healthy agent, one after the other."""
    async with agents_at_work(1) as agents, open_coordinator(agents) as coordinator:
        begun = perf_counter()
        for number in range(count):
            await coordinator.deliver("0", number)
        return perf_counter() - begun


async def called(count: int) -> float:
    """Call the agent's server within a circuit breaker."""
    async with agents_at_work(1) as agents, open_breakers() as breakers:
        ref: Ref[Agent] = agents.lookup("0").value
        breaker = breakers["0"]

        async def ask(number: int) -> object:
            return await ref.call(Agent.receive, number)

        begun = perf_counter()
        for number in range(count):
            await breaker.call(ask, number)
        return perf_counter() - begun


def deliver(plan: Plan) -> Finding:
    """How much longer does `deliver` take than `Ref.call` in `CircuitBreaker.call`?"""
    count = plan.size(5_000, smoke=100)
    ours, bare = take_turns((delivered, count), (called, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="deliver to a healthy agent",
        figure=figure,
        target=1.35,
        unit="x ref.call in breaker.call",
        ours=ours,
        bare=bare,
        beside="call",
        samples_in="us a message",
        readings=readings,
    )


async def by_hand(count: int) -> float:
    """Have a task answer by a channel for each message, with a time limit, in bare Trio."""
    send, receive = trio.open_memory_channel[tuple[int, trio.MemorySendChannel[int]]](CAPACITY)

    async def answer() -> None:
        async for number, reply in receive:
            reply.send_nowait(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        begun = perf_counter()
        for number in range(count):
            reply, answered = trio.open_memory_channel[int](1)
            with trio.fail_after(5):
                await send.send((number, reply))
                await answered.receive()
        taken = perf_counter() - begun
        nursery.cancel_scope.cancel()
    return taken


def beside_bare(plan: Plan) -> Finding:
    """How much longer does it take than a request and an answer by channels, with a time limit?"""
    count = plan.size(5_000, smoke=100)
    ours, bare = take_turns((delivered, count), (by_hand, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="deliver, beside channels by hand",
        figure=figure,
        target=2.5,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a message",
        readings=readings,
    )


# Many messages


async def send_to_all(coordinator: Coordinator, count: int, first: int = 0) -> None:
    """Deliver that many messages by turns to all agents but some, from one task each."""

    async def send(agent_id: str) -> None:
        for number in range(count // AGENTS):
            await coordinator.deliver(agent_id, number)

    async with trio.open_nursery() as nursery:
        for number in range(first, AGENTS):
            nursery.start_soon(send, f"{number}")


async def through_many(count: int) -> float:
    """Send messages through a hundred agents."""
    async with agents_at_work(AGENTS) as agents, open_coordinator(agents) as coordinator:
        begun = perf_counter()
        await send_to_all(coordinator, count)
        return perf_counter() - begun


def throughput(plan: Plan) -> Finding:
    """Is a message as cheap among 100,000 as among 10,000, through 100 agents?

    They take seconds, so it is done in few rounds.
    """
    few, many = plan.size(10_000, smoke=200), plan.size(100_000, smoke=400)
    rounds = plan.rounds(10)
    ours, bare = take_turns((through_many, many), (through_many, few), rounds=rounds)
    figure, readings = compare(ours, bare)
    return Finding(
        what="100,000 messages through 100 agents",
        figure=figure,
        target=1.1,
        unit="x 10,000 messages",
        ours=ours,
        bare=bare,
        beside="10,000 messages",
        samples_in="us a message",
        readings=readings | {"messages a second": 1e6 / ours.median},
    )


async def after_an_outage(mute: int, count: int) -> float:
    """Send to ninety-nine agents, while the circuit of the hundredth is open and its buffer full."""
    async with (
        agents_at_work(AGENTS, mute=mute) as agents,
        open_coordinator(agents, buffer_capacity=100) as coordinator,
    ):
        if mute:
            coordinator.breaker("0").force_open()
        for number in range(200 * mute):
            await coordinator.deliver("0", number)
        begun = perf_counter()
        await send_to_all(coordinator, count, first=1)
        return perf_counter() - begun


def outage(plan: Plan) -> Finding:
    """What does an outage of one of 100 agents cost the messages to the others?"""
    count = plan.size(20_000, smoke=200)
    ours, bare = take_turns(
        (partial(after_an_outage, 1), count),
        (partial(after_an_outage, 0), count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    return Finding(
        what="an outage of one of 100 agents, for the others",
        figure=figure,
        target=1.05,
        unit="x no outage",
        ours=ours,
        bare=bare,
        beside="no outage",
        samples_in="us a message",
        readings=readings,
    )


# Memory


async def after_many(size: int, note: Callable[[], None]) -> None:
    """Look at the memory when that many messages have gone through 100 agents."""
    async with agents_at_work(AGENTS) as agents, open_coordinator(agents) as coordinator:
        await send_to_all(coordinator, size)
        note()


def memory(plan: Plan) -> Finding:
    """How much more memory is taken after 100,000 messages than after 10,000?

    It is the same each time to a few bytes, so few rounds do.
    """
    few, many = plan.size(10_000, smoke=200), plan.size(100_000, smoke=400)
    function, rounds = f"{__name__}:after_many", plan.rounds(5)
    less, more = (
        Samples(
            tuple(
                kilobytes * size
                for kilobytes in weigh(function, size=size, rounds=rounds, by="allocated").values
            )
        )
        for size in (few, many)
    )
    return Finding(
        what="growth by 90,000 messages through 100 agents",
        figure=more.median / less.median,
        target=1.05,
        unit="x after 10,000 messages",
        ours=more,
        bare=less,
        beside="after 10,000 messages",
        samples_in="kB in all",
    )


BENCHMARKS = (deliver, beside_bare, throughput, outage, memory)
