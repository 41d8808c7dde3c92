"""What it costs to talk through mailboxes and servers, rather than through memory channels."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import repeat
from time import perf_counter
from typing import TypeAlias

import attrs
import outcome
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.messaging import Address, Mailbox, Ref, Server, open_mailbox, serve
from trio_foundation.supervision import open_dynamic_supervisor, open_supervisor

from ._runner import Finding, Plan, compare, speed_up, take_turns, weigh

__all__ = [
    "BENCHMARKS",
    "BURST",
    "Call",
    "casts_ours",
    "counter_ours",
    "many_callers",
    "one_caller",
]

CAPACITY = 100
"""Of each mailbox and each channel, so that all have the same room."""

BURST = CAPACITY
"""How many casts follow each other, as many as there is room for, before the caster waits."""


# Mailboxes


async def in_batches_ours(count: int) -> None:
    """Send as long as there is room, and wait when there is none; receive what is there."""
    address, mailbox = open_mailbox[int](CAPACITY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive_in_batches, mailbox, count)
        for number in range(count):
            try:
                address.send_nowait(number)
            except trio.WouldBlock:
                await address.send(number)


async def receive_in_batches(mailbox: Mailbox[int], count: int) -> None:
    """Receive so many."""
    while count:
        count -= len(await mailbox.receive_batch())


async def one_by_one_bare(count: int) -> None:
    """Send and receive as everybody does."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain, receiver)
        async with sender:
            for number in range(count):
                await sender.send(number)


async def drain(receiver: trio.MemoryReceiveChannel[int]) -> None:
    """Receive all."""
    async for _ in receiver:
        pass


async def in_batches_bare(count: int) -> None:
    """Do by hand with a channel what a mailbox does."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive_in_batches_bare, receiver, count)
        for number in range(count):
            try:
                sender.send_nowait(number)
            except trio.WouldBlock:
                await sender.send(number)


async def receive_in_batches_bare(receiver: trio.MemoryReceiveChannel[int], count: int) -> None:
    """Receive so many."""
    while count:
        count -= len(await receive_batch_bare(receiver))


async def receive_batch_bare(receiver: trio.MemoryReceiveChannel[int]) -> list[int]:
    """Wait for one message, and take what is there, as far as a channel lets one."""
    messages = [await receiver.receive()]
    try:
        while len(messages) < CAPACITY:
            messages.append(receiver.receive_nowait())
    except trio.WouldBlock:
        pass
    return messages


def batches(plan: Plan) -> Finding:
    """How much faster do messages go in batches than one by one, as through a channel?

    Ours uses `send_nowait` while there is room, and `receive_batch`; bare Trio uses
    ``await send`` and ``async for``. What batches by hand come to with a channel is told too.
    """
    count = plan.size(10_000, smoke=250)
    ours, bare, by_hand = take_turns(
        (in_batches_ours, count),
        (one_by_one_bare, count),
        (in_batches_bare, count),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, bare)
    readings |= {
        "bare in batches by hand, us a message": by_hand.median,
        "times as fast as that": speed_up(ours, by_hand)[0],
    }
    return Finding(
        what="send_nowait and receive_batch",
        figure=figure,
        bound="at least",
        target=10.0,
        unit="x as fast as bare",
        ours=ours,
        bare=bare,
        samples_in="us a message",
        readings=readings,
    )


async def at_once_ours(count: int) -> None:
    """Send a message, and receive it, without waiting."""
    address, mailbox = open_mailbox[int](CAPACITY)
    for number in range(count):
        address.send_nowait(number)
        mailbox.receive_nowait()


async def at_once_bare(count: int) -> None:
    """Send a message, and receive it, without waiting."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)
    for number in range(count):
        sender.send_nowait(number)
        receiver.receive_nowait()


def at_once(plan: Plan) -> Finding:
    """How much longer do `send_nowait` and `receive_nowait` take than those of a channel?"""
    count = plan.size(30_000, smoke=250)
    ours, bare = take_turns((at_once_ours, count), (at_once_bare, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="send_nowait and receive_nowait",
        figure=figure,
        target=2.5,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a message",
        readings=readings,
    )


async def send_all(sender: trio.abc.SendChannel[int], count: int) -> None:
    """Send so many."""
    for number in range(count):
        await sender.send(number)


async def receive_all(receiver: trio.abc.ReceiveChannel[int], count: int) -> None:
    """Receive so many."""
    for _ in range(count):
        await receiver.receive()


async def two_tasks(
    count: int,
    sender: trio.abc.SendChannel[int],
    receiver: trio.abc.ReceiveChannel[int],
) -> None:
    """Send in a task, and receive in another."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive_all, receiver, count)
        await send_all(sender, count)


async def one_task(
    count: int,
    sender: trio.abc.SendChannel[int],
    receiver: trio.abc.ReceiveChannel[int],
) -> None:
    """Send and receive by turns."""
    for number in range(count):
        await sender.send(number)
        await receiver.receive()


async def waiting_ours(count: int) -> None:
    """Send and receive one by one, in two tasks."""
    address, mailbox = open_mailbox[int](CAPACITY)
    await two_tasks(count, address, mailbox)


async def waiting_bare(count: int) -> None:
    """Send and receive one by one, in two tasks."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)
    await two_tasks(count, sender, receiver)


async def by_turns_ours(count: int) -> None:
    """Send and receive one by one, in the same task."""
    address, mailbox = open_mailbox[int](CAPACITY)
    await one_task(count, address, mailbox)


async def by_turns_bare(count: int) -> None:
    """Send and receive one by one, in the same task."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)
    await one_task(count, sender, receiver)


def waiting(plan: Plan) -> Finding:
    """How much longer do ``await send`` and `receive` take than those of a channel?

    One task sends, another receives. That the same task does both is told too: then none is
    ever parked.
    """
    count = plan.size(4_000, smoke=250)
    ours, bare, ours_by_turns, bare_by_turns = take_turns(
        (waiting_ours, count),
        (waiting_bare, count),
        (by_turns_ours, count),
        (by_turns_bare, count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    readings["x bare in the same task"] = compare(ours_by_turns, bare_by_turns)[0]
    return Finding(
        what="await send and receive",
        figure=figure,
        target=1.3,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a message",
        readings=readings,
    )


async def takes_ours(count: int) -> float:
    """Fill a mailbox, and empty it by one call."""
    address, mailbox = open_mailbox[int](CAPACITY)
    return await takes(count, address, mailbox.receive_batch)


async def takes_bare(count: int) -> float:
    """Fill a channel, and empty it by a call for each message, waiting in the first alone."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)
    return await takes(count, sender, partial(receive_batch_bare, receiver))


async def takes_one_by_one_bare(count: int) -> float:
    """Fill a channel, and empty it by awaiting each message."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)

    async def receive_each() -> list[int]:
        return [await receiver.receive() for _ in range(CAPACITY)]

    return await takes(count, sender, receive_each)


async def takes(
    count: int,
    sender: Address[int] | trio.MemorySendChannel[int],
    take: Callable[[], Awaitable[list[int]]],
) -> float:
    """Fill and empty; return the seconds that the emptying took."""
    taken = 0.0
    for _ in range(count // CAPACITY):
        for number in range(CAPACITY):
            sender.send_nowait(number)
        begun = perf_counter()
        messages = await take()
        taken += perf_counter() - begun
        assert len(messages) == CAPACITY
    return taken


def taking_what_is_there(plan: Plan) -> Finding:
    """How much faster are 100 messages that are there taken by one call than by one each?

    This is one reason why a mailbox does not sit on Trio's memory channel: that gives one
    message a call. Bare is what a mailbox could do on top of it, a `receive` and then
    `receive_nowait` until nothing is left; ``await receive`` for each message is told too.
    Only the receiving is timed.
    """
    count = plan.size(50_000, smoke=2 * CAPACITY)
    few = plan.size(10_000, smoke=2 * CAPACITY)
    ours, bare, one_by_one = take_turns(
        (takes_ours, count),
        (takes_bare, count),
        (takes_one_by_one_bare, few),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, bare)
    readings |= {
        "ours, us a batch": CAPACITY * ours.median,
        "bare, us a batch": CAPACITY * bare.median,
        "bare by awaiting each, us a batch": CAPACITY * one_by_one.median,
        "times as fast as that": speed_up(ours, one_by_one)[0],
    }
    return Finding(
        what=f"receiving {CAPACITY} messages that are there",
        figure=figure,
        bound="at least",
        target=1.5,
        unit="x as fast as a call each",
        ours=ours,
        bare=bare,
        samples_in="us a message",
        readings=readings,
    )


# Calls


class Counter(Server):
    """The server whose state is a number."""

    def __init__(self) -> None:
        self.value = 0

    async def add(self, amount: int) -> int:
        """Add to the number; return what it is then."""
        self.value += amount
        return self.value


Call: TypeAlias = Callable[[int], Awaitable[int]]
"""How to have a counter add something, and to wait for what it then is."""

OpenCounter: TypeAlias = Callable[[], AbstractAsyncContextManager[Call]]


@asynccontextmanager
async def counter_ours() -> AsyncGenerator[Call]:
    """Open a supervised server."""
    spec, counter = serve(Counter, capacity=CAPACITY)
    async with open_supervisor([spec]):
        yield lambda amount: counter.call(Counter.add, amount)


@attrs.frozen
class Question:
    """What asks for an answer, by the idiom: it carries the channel that the answer takes."""

    amount: int
    answer: trio.MemorySendChannel[int]


Inbox: TypeAlias = trio.MemoryReceiveChannel[Question]


Ask: TypeAlias = Callable[[trio.MemorySendChannel[Question], int], Awaitable[int]]
"""How to ask, and to wait for the answer."""


@asynccontextmanager
async def counter_by_channels(
    be_counter: Callable[[Inbox], Awaitable[None]], ask: Ask
) -> AsyncGenerator[Call]:
    """Open what one writes by hand without a library: a channel for each answer."""
    questions, inbox = trio.open_memory_channel[Question](CAPACITY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(be_counter, inbox)
        async with questions:
            yield lambda amount: ask(questions, amount)


async def ask_and_close(questions: trio.MemorySendChannel[Question], amount: int) -> int:
    """Ask, wait for the answer, and close what it came by, as Trio's documentation does."""
    answer, answers = trio.open_memory_channel[int](1)
    async with answers:
        await questions.send(Question(amount, answer))
        return await answers.receive()


async def answer_and_close(inbox: Inbox) -> None:
    """Be the counter; who asks learns of it, if this fails before there is an answer."""
    value = 0
    async for question in inbox:
        async with question.answer:
            value += question.amount
            await question.answer.send(value)


async def ask_only(questions: trio.MemorySendChannel[Question], amount: int) -> int:
    """Ask, and wait for the answer, for ever if need be."""
    answer, answers = trio.open_memory_channel[int](1)
    await questions.send(Question(amount, answer))
    return await answers.receive()


async def answer_only(inbox: Inbox) -> None:
    """Be the counter; there is room for one answer, so it need not be awaited."""
    value = 0
    async for question in inbox:
        value += question.amount
        question.answer.send_nowait(value)


idiom = partial(counter_by_channels, answer_and_close, ask_and_close)
least_idiom = partial(counter_by_channels, answer_only, ask_only)


@attrs.define(eq=False)
class ParkedQuestion:
    """What asks for an answer, when all is as fast as Trio can do it."""

    amount: int
    task: trio.lowlevel.Task | None
    """Who waits for the answer, if anybody still does."""

    def forget(self, _: object) -> trio.lowlevel.Abort:
        """Let the task be cancelled."""
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED


@asynccontextmanager
async def counter_by_parking() -> AsyncGenerator[Call]:
    """Open the fastest that we could write in bare Trio: it wakes its callers itself."""
    questions, inbox = trio.open_memory_channel[ParkedQuestion](CAPACITY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_who_is_parked, inbox)
        async with questions:
            yield lambda amount: ask_and_park(questions, amount)


async def ask_and_park(questions: trio.MemorySendChannel[ParkedQuestion], amount: int) -> int:
    """Ask, and wait for the answer; with more callers than room, raise `trio.WouldBlock`."""
    question = ParkedQuestion(amount, trio.lowlevel.current_task())
    questions.send_nowait(question)
    answer: int = await trio.lowlevel.wait_task_rescheduled(question.forget)
    return answer


async def answer_who_is_parked(inbox: trio.MemoryReceiveChannel[ParkedQuestion]) -> None:
    """Be the counter."""
    value = 0
    async for question in inbox:
        value += question.amount
        if question.task is not None:
            trio.lowlevel.reschedule(question.task, outcome.Value(value))


async def one_caller(opened: OpenCounter, count: int) -> None:
    """Call so many times."""
    async with opened() as call:
        await caller(call, count)


async def many_callers(opened: OpenCounter, count: int) -> None:
    """Call so many times, from many tasks at once."""
    async with opened() as call, trio.open_nursery() as nursery:
        for _ in range(CAPACITY):
            nursery.start_soon(caller, call, count // CAPACITY)


async def caller(call: Call, count: int) -> None:
    """Call so many times."""
    for _ in range(count):
        await call(1)


LEAST = "times as fast as the least idiom: `send_nowait`, and nothing closed"


def call(plan: Plan) -> Finding:
    """How much faster is a call than the idiom, a message that carries a channel for the answer?

    In the idiom both ends of that channel are closed by ``async with``, so that nobody waits for
    ever if the other fails; a call of ours promises that too. Told as well is the least that one
    could write, with nothing closed, and an answer that is not awaited.
    """
    count = plan.size(3_000, smoke=50)
    ours, bare, least = take_turns(
        (partial(one_caller, counter_ours), count),
        (partial(one_caller, idiom), count),
        (partial(one_caller, least_idiom), count),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, bare)
    readings[LEAST] = speed_up(ours, least)[0]
    return Finding(
        what="call, one caller",
        figure=figure,
        bound="at least",
        target=1.8,
        unit="x as fast as the idiom",
        ours=ours,
        bare=bare,
        samples_in="us a call",
        readings=readings,
    )


def call_beside_parking(plan: Plan) -> Finding:
    """How much longer does a call take than the best that bare Trio can do?

    That is a channel for the questions, and a caller that parks until the server reschedules
    it with the answer: Trio's low-level functions, used by hand.
    """
    count = plan.size(3_000, smoke=50)
    ours, bare = take_turns(
        (partial(one_caller, counter_ours), count),
        (partial(one_caller, counter_by_parking), count),
        rounds=plan.rounds(),
    )
    figure, readings = compare(ours, bare)
    return Finding(
        what="call, one caller, beside direct rescheduling",
        figure=figure,
        target=1.4,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a call",
        readings=readings,
    )


def calls_at_once(plan: Plan) -> Finding:
    """How much faster are calls than the idiom when 100 tasks call the server at once?

    Beside the idiom stands the best that bare Trio can do, as in `call_beside_parking`.
    """
    count = plan.size(4_000, smoke=2 * CAPACITY)
    ours, bare, least, parked = take_turns(
        (partial(many_callers, counter_ours), count),
        (partial(many_callers, idiom), count),
        (partial(many_callers, least_idiom), count),
        (partial(many_callers, counter_by_parking), count),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, bare)
    readings |= {
        LEAST: speed_up(ours, least)[0],
        "direct rescheduling, us a call": parked.median,
        "times as long as that": compare(ours, parked)[0],
    }
    return Finding(
        what=f"call, {CAPACITY} callers at once",
        figure=figure,
        bound="at least",
        target=4.5,
        unit="x as fast as the idiom",
        ours=ours,
        bare=bare,
        samples_in="us a call",
        readings=readings,
    )


# Casts


async def casts_ours(count: int) -> None:
    """Cast as long as there is room, and wait until all are handled."""
    spec, counter = serve(Counter, capacity=CAPACITY)
    async with open_supervisor([spec]):
        for _ in range(count // BURST):
            for _ in repeat(None, BURST):
                counter.cast(Counter.add, 1)
            await counter.call(Counter.add, 0)


async def casts_bare(count: int) -> None:
    """Send to a task that does the same, and wait until it has handled all."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(add_up, receiver)
        async with sender:
            for _ in range(count):
                await sender.send(1)


async def add_up(receiver: trio.MemoryReceiveChannel[int]) -> int:
    """Be the counter."""
    value = 0
    async for amount in receiver:
        value += amount
    return value


def cast(plan: Plan) -> Finding:
    """How much faster is a cast than a message to a task, sent and received by awaiting?

    All are handled when the time is over: after each burst of 100 casts there is a call. The least that it could take is told too: messages in batches by hand, with nothing to handle.
    """
    count = plan.size(10_000, smoke=4 * BURST)
    ours, bare, by_hand = take_turns(
        (casts_ours, count),
        (casts_bare, count),
        (in_batches_bare, count),
        rounds=plan.rounds(),
    )
    figure, readings = speed_up(ours, bare)
    readings |= {
        "bare in batches by hand, us a message": by_hand.median,
        "times as long as that": compare(ours, by_hand)[0],
    }
    return Finding(
        what="cast, handled",
        figure=figure,
        bound="at least",
        target=5.0,
        unit="x as fast as bare",
        ours=ours,
        bare=bare,
        samples_in="us a cast",
        readings=readings,
    )


# Memory


async def idle_servers_ours(count: int, note: Callable[[], None]) -> None:
    """Hold servers to whom nobody talks, in a dynamic supervisor."""
    counters: list[Ref[Counter]] = []
    async with open_dynamic_supervisor() as sup:
        for _ in range(count):
            spec, counter = serve(Counter, capacity=CAPACITY)
            await sup.start_child(spec)
            counters.append(counter)
        await wait_all_tasks_blocked()
        note()


async def idle_servers_static(count: int, note: Callable[[], None]) -> None:
    """Hold servers to whom nobody talks, in a static supervisor."""
    servers = [
        serve(Counter, capacity=CAPACITY, name=f"counter-{number}") for number in range(count)
    ]
    counters = [ref for _, ref in servers]
    async with open_supervisor([spec for spec, _ in servers]):
        await wait_all_tasks_blocked()
        note()
    assert len(counters) == count


async def idle_servers_bare(count: int, note: Callable[[], None]) -> None:
    """Hold tasks to whom nobody sends."""
    senders: list[trio.MemorySendChannel[int]] = []
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            sender, receiver = trio.open_memory_channel[int](CAPACITY)
            nursery.start_soon(add_up, receiver)
            senders.append(sender)
        await wait_all_tasks_blocked()
        note()
        nursery.cancel_scope.cancel()


def idle_memory(plan: Plan) -> Finding:
    """How much more memory does an idle server take than a task that waits on a channel?

    With its mailbox, its `Ref` and its place in a supervisor. What Python has allocated (by
    tracemalloc) after a full collection, in a fresh process for each sample. It is the same
    each time to a few bytes, so few rounds do. What the system says is told beside it, and
    what it is in a static supervisor.
    """
    count = plan.size(5_000, smoke=50)
    rounds = plan.rounds(3) if not plan.smoke else 1
    here = f"{__spec__.name}:idle_servers"
    ours = weigh(f"{here}_ours", size=count, rounds=rounds, by="allocated")
    bare = weigh(f"{here}_bare", size=count, rounds=rounds, by="allocated")
    static = weigh(f"{here}_static", size=count, rounds=1, by="allocated")
    readings = {"in a static supervisor, KB above bare": static.median - bare.median}
    if sys.platform == "linux":
        resident = weigh(f"{here}_ours", size=count, rounds=1, by="resident")
        resident_bare = weigh(f"{here}_bare", size=count, rounds=1, by="resident")
        readings["resident memory, KB above bare"] = resident.median - resident_bare.median
    return Finding(
        what=f"memory of an idle server, of {count:,}",
        figure=ours.median - bare.median,
        target=4.0,
        unit="KB above bare",
        ours=ours,
        bare=bare,
        samples_in="KB a server",
        readings=readings,
    )


BENCHMARKS = (
    batches,
    at_once,
    waiting,
    taking_what_is_there,
    call,
    call_beside_parking,
    calls_at_once,
    cast,
    idle_memory,
)
