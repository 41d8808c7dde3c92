"""Children, servers and agents, one of many: does it cost more, the more others there are?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from time import perf_counter
from typing import TypeAlias

import attrs
import outcome
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.agents import AgentRegistry, open_coordinator
from trio_foundation.messaging import Ref, serve
from trio_foundation.supervision import child, open_dynamic_supervisor, open_supervisor

from ._curves import Curve, picks, timed
from ._runner import Finding, Plan
from .bench_agents import CAPACITY, Echo
from .bench_messaging import Counter, Question, answer_and_close, ask_and_close
from .bench_supervision import Crash, scoped, unwritten_log

__all__ = ["BENCHMARKS"]

AsyncFn: TypeAlias = Callable[[], Awaitable[object]]


# Coming and going


async def come_and_go_ours(size: int, count: int) -> float:
    """Start one child and stop it, among so many."""
    async with open_dynamic_supervisor() as sup:

        async def start_and_stop(_: int) -> None:
            started = sup.start_soon(trio.sleep_forever)
            await trio.lowlevel.checkpoint()
            await sup.stop_child(started.name)

        for _ in range(size):
            sup.start_soon(trio.sleep_forever)
        await wait_all_tasks_blocked()
        return await timed(start_and_stop, range(count))


async def come_and_go_bare(size: int, count: int) -> float:
    """Start one task and cancel it, among so many."""
    async with trio.open_nursery() as nursery:

        async def start_and_stop(_: int) -> None:
            scope, ended = trio.CancelScope(), trio.Event()
            nursery.start_soon(until_cancelled, scope, ended)
            await trio.lowlevel.checkpoint()
            scope.cancel()
            await ended.wait()

        for _ in range(size):
            nursery.start_soon(scoped, trio.sleep_forever)
        await wait_all_tasks_blocked()
        taken = await timed(start_and_stop, range(count))
        nursery.cancel_scope.cancel()
    return taken


async def until_cancelled(scope: trio.CancelScope, ended: trio.Event) -> None:
    """Sleep, and tell when that is over."""
    with scope:
        await trio.sleep_forever()
    ended.set()


def start_and_stop(plan: Plan) -> Finding:
    """Does it take longer to start a child and to stop it, the more others there are?

    100,000 children take seconds to make and to end, in each round; so there are few rounds.
    """
    return Curve(
        what="start one of many children, and stop it",
        ours=come_and_go_ours,
        bare=come_and_go_bare,
        count=1_000,
        samples_in="us a child",
        rounds=7,
    ).asked(plan)


# Crashes


class Fragile:
    """Functions that wait, and crash when they are told."""

    def __init__(self, size: int) -> None:
        self.parked: list[trio.lowlevel.Task | None] = [None] * size
        self.is_back = trio.Event()

    async def work(self, place: int) -> None:
        """Wait for what is to be raised."""
        self.parked[place] = trio.lowlevel.current_task()
        self.is_back.set()
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED)

    async def crash(self, place: int) -> None:
        """Have one crash, and wait until it runs again."""
        task = self.parked[place]
        assert task is not None
        self.is_back = trio.Event()
        trio.lowlevel.reschedule(task, outcome.Error(Crash()))
        await self.is_back.wait()


async def crashes_ours(size: int, count: int) -> float:
    """Have a supervisor start again any of so many."""
    fragile = Fragile(size)
    async with open_dynamic_supervisor(max_restarts=count) as sup:
        for place in range(size):
            sup.start_soon(fragile.work, place, restart="permanent")
        await wait_all_tasks_blocked()
        return await timed(fragile.crash, picks(size, count))


async def crashes_bare(size: int, count: int) -> float:
    """Have each of so many tasks start itself again."""
    fragile = Fragile(size)
    async with trio.open_nursery() as nursery:
        for place in range(size):
            nursery.start_soon(again_and_again, fragile, place)
        await wait_all_tasks_blocked()
        taken = await timed(fragile.crash, picks(size, count))
        nursery.cancel_scope.cancel()
    return taken


async def again_and_again(fragile: Fragile, place: int) -> None:
    """Be run again after each crash, by hand."""
    while True:
        try:
            with trio.CancelScope():
                await fragile.work(place)
        except Crash:
            continue


def crash_to_running(plan: Plan) -> Finding:
    """Does it take longer until a child that crashed runs again, the more others there are?

    In bare Trio each task has a loop around it that catches the crash, and no more than that.
    100,000 children take seconds to make and to end; so there are few rounds.
    """
    with unwritten_log():
        return Curve(
            what="crash of one of many children, until it runs again",
            ours=crashes_ours,
            bare=crashes_bare,
            count=1_000,
            samples_in="us a crash",
            rounds=7,
        ).asked(plan)


# The end of a tree


async def end_ours(size: int, count: int) -> float:
    """Stop a static supervisor with so many children; return the seconds for *count* of them."""
    async with open_supervisor(
        [child(trio.sleep_forever, name=f"{place}") for place in range(size)]
    ):
        await wait_all_tasks_blocked()
        begun = perf_counter()
    return (perf_counter() - begun) * count / size


async def end_bare(size: int, count: int) -> float:
    """Cancel a nursery with so many tasks."""
    async with trio.open_nursery() as nursery:
        for _ in range(size):
            nursery.start_soon(scoped, trio.sleep_forever)
        await wait_all_tasks_blocked()
        begun = perf_counter()
        nursery.cancel_scope.cancel()
    return (perf_counter() - begun) * count / size


def end_of_a_tree(plan: Plan) -> Finding:
    """Does it take longer for each child of a static supervisor to end, the more there are?

    They are stopped one after the other, the youngest first; a nursery is cancelled at once. A
    static supervisor is made for children that are listed by hand, so 10,000 are many. They take
    seconds, so there are few rounds.
    """
    return Curve(
        what="end of a static supervisor",
        ours=end_ours,
        bare=end_bare,
        count=1_000,
        samples_in="us a child",
        largest=10_000,
        rounds=7,
    ).asked(plan)


# Calls


async def calls_ours(size: int, count: int) -> float:
    """Call any of so many supervised servers."""
    refs: list[Ref[Counter]] = []

    async def call(place: int) -> None:
        await refs[place].call(Counter.add, 1)

    async with open_dynamic_supervisor() as sup:
        for _ in range(size):
            spec, counter = serve(Counter, capacity=CAPACITY)
            await sup.start_child(spec)
            refs.append(counter)
        return await timed(call, picks(size, count))


async def calls_bare(size: int, count: int) -> float:
    """Ask any of so many tasks, by a message that carries a channel for the answer."""
    asked: list[trio.MemorySendChannel[Question]] = []

    async def ask(place: int) -> None:
        await ask_and_close(asked[place], 1)

    async with trio.open_nursery() as nursery:
        for _ in range(size):
            questions, inbox = trio.open_memory_channel[Question](CAPACITY)
            nursery.start_soon(answer_and_close, inbox)
            asked.append(questions)
        await wait_all_tasks_blocked()
        taken = await timed(ask, picks(size, count))
        nursery.cancel_scope.cancel()
    return taken


def call(plan: Plan) -> Finding:
    """Does a call take longer, the more other servers there are?

    100,000 servers would take minutes to make and to end, in each round. 10,000 take seconds; so
    there are few rounds of them.
    """
    return Curve(
        what="call of one of many servers",
        ours=calls_ours,
        bare=calls_bare,
        count=1_000,
        samples_in="us a call",
        largest=10_000,
        rounds=7,
    ).asked(plan)


# Agents


async def deliveries_ours(size: int, count: int) -> float:
    """Deliver a message to any of so many agents."""
    agents = AgentRegistry()
    async with AsyncExitStack() as stack:
        sup = await stack.enter_async_context(open_dynamic_supervisor())
        for place in range(size):
            agent = serve(Echo, capacity=CAPACITY, name=f"agent {place}")
            await sup.start_child(agents.register_on_start(f"{place}", agent, capability="echo"))
        coordinator = await stack.enter_async_context(open_coordinator(agents))

        async def deliver(place: int) -> None:
            await coordinator.deliver(f"{place}", place)

        for place in range(size):  # what is made at the first message is there
            await deliver(place)
        return await timed(deliver, picks(size, count))


@attrs.frozen
class Message:
    """What an agent by hand is sent."""

    number: int
    reply: trio.MemorySendChannel[int]


async def deliveries_bare(size: int, count: int) -> float:
    """Send a message to any of so many tasks, and wait for its answer, with a time limit."""
    senders: list[trio.MemorySendChannel[Message]] = []

    async def deliver(place: int) -> None:
        reply, answered = trio.open_memory_channel[int](1)
        with trio.fail_after(5):
            await senders[place].send(Message(place, reply))
            await answered.receive()

    async with trio.open_nursery() as nursery:
        for _ in range(size):
            sender, receiver = trio.open_memory_channel[Message](CAPACITY)
            nursery.start_soon(give_back, receiver)
            senders.append(sender)
        await wait_all_tasks_blocked()
        taken = await timed(deliver, picks(size, count))
        nursery.cancel_scope.cancel()
    return taken


async def give_back(receiver: trio.MemoryReceiveChannel[Message]) -> None:
    """Be an agent by hand."""
    async for message in receiver:
        message.reply.send_nowait(message.number)


def deliver(plan: Plan) -> Finding:
    """Does it take longer to deliver a message, the more agents there are?

    An agent is a supervised server with a registry entry, a breaker and a buffer; 100,000 of them
    would take minutes to make and to end, in each round. 10,000 take seconds; so there are few
    rounds of them.
    """
    return Curve(
        what="message to one of many agents",
        ours=deliveries_ours,
        bare=deliveries_bare,
        count=1_000,
        samples_in="us a message",
        largest=10_000,
        rounds=7,
    ).asked(plan)


BENCHMARKS = (start_and_stop, crash_to_running, end_of_a_tree, call, deliver)
