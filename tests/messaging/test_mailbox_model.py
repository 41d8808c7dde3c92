"""Mailboxes held against a plain model, in random programs.

A program is a list of steps. Some let a task call: it may have to wait, and before and after
such a step everything has settled. The others are plain calls, made in a burst, so that a
receiver or a sender may have been woken, cancelled and dismissed before it runs again. After
each call the figures have to be those of the model, and so have the results, their order,
what was handed to ``on_undelivered`` and what was told.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias, cast

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import wait_all_tasks_blocked

from trio_foundation.messaging import (
    Address,
    Mailbox,
    MailboxClosed,
    MailboxFull,
    MailboxStatistics,
    MessageDropped,
    Overflow,
    UndeliveredReason,
    open_mailbox,
)
from trio_foundation.telemetry import Event, subscribe

POLICIES: list[Overflow] = ["block", "reject", "drop_oldest", "drop_newest"]

Step: TypeAlias = tuple[Any, ...]

# What came of a call: a message, several, or the name of what was raised.
Answer: TypeAlias = int | list[int] | str | None


@pytest.fixture(scope="module", autouse=True)
def no_log() -> Iterator[None]:
    """Keep what is raised in ``on_undelivered`` out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# The model


@attrs.define
class Receiver:
    """A task that receives: how, and what has become of it."""

    ticket: int
    how: str
    most: int
    has: list[int] = attrs.field(factory=list[int])
    """The message that it was handed."""
    ends: str = ""
    """What it was ended by before it ran again, if that was no message."""


@attrs.define
class Model:
    """A mailbox as a list, and those who wait as lists."""

    capacity: int
    overflow: Overflow
    queue: list[int] = attrs.field(factory=list[int])
    line: list[tuple[int, int]] = attrs.field(factory=list[tuple[int, int]])
    """The tickets of the senders that wait, each with its message."""
    receiver: Receiver | None = None
    """Whoever receives, until it ran to the end."""
    answers: dict[int, Answer] = attrs.field(factory=dict[int, Answer])
    undelivered: list[tuple[int, UndeliveredReason]] = attrs.field(
        factory=list[tuple[int, UndeliveredReason]]
    )
    is_closed: bool = False
    peak: int = 0
    sent: int = 0
    received: int = 0
    rejected: int = 0

    @property
    def receiver_waits(self) -> bool:
        return self.receiver is not None and not self.receiver.has and not self.receiver.ends

    def figures(self) -> MailboxStatistics:
        return MailboxStatistics(
            capacity=self.capacity,
            used=len(self.queue),
            peak=self.peak,
            sent=self.sent,
            received=self.received,
            dropped=len(self.undelivered),
            rejected=self.rejected,
            waiting_senders=len(self.line),
        )

    # Plain calls

    def send_nowait(self, message: int) -> Answer:
        if self.is_closed:
            return "MailboxClosed"
        if self.receiver_waits:
            assert self.receiver is not None
            self.receiver.has = [message]
            self.received += 1
        elif len(self.queue) < self.capacity:
            self.queue.append(message)
        elif self.overflow in ("block", "reject"):
            self.rejected += 1
            return "WouldBlock" if self.overflow == "block" else "MailboxFull"
        else:
            everything = [*self.queue, message]
            lost = everything.pop(0 if self.overflow == "drop_oldest" else -1)
            self.queue = everything
            self.undelivered.append((lost, "overflow"))
        self.sent += 1
        self.peak = max(self.peak, len(self.queue))
        return None

    def receive_nowait(self) -> Answer:
        if self.receiver is not None:
            return "BusyResourceError"
        if self.queue:
            return self._take()
        return "MailboxClosed" if self.is_closed else "WouldBlock"

    def close(self) -> Answer:
        if not self.is_closed:
            self.is_closed = True
            self.undelivered.extend((message, "closed") for message in self.queue)
            self.queue = []
            self.answers.update((ticket, "MailboxClosed") for ticket, _ in self.line)
            self.line = []
            self._end_receiver("MailboxClosed")
        return None

    def cancel_sender(self, which: int) -> Answer:
        if self.line:
            ticket, _ = self.line.pop(which % len(self.line))
            self.answers[ticket] = "cancelled"
        return None

    def cancel_receiver(self) -> Answer:
        self._end_receiver("cancelled")
        return None

    def _end_receiver(self, how: str) -> None:
        if self.receiver_waits:
            assert self.receiver is not None
            self.receiver.ends = how

    def _take(self) -> int:
        self.received += 1
        message = self.queue.pop(0)
        if self.line:
            ticket, waiting = self.line.pop(0)
            self.queue.append(waiting)
            self.sent += 1
            self.answers[ticket] = None
        return message

    # Calls of tasks, when everything has settled

    def send(self, ticket: int, message: int) -> None:
        full = len(self.queue) == self.capacity and not self.is_closed
        if self.overflow == "block" and full:
            self.line.append((ticket, message))
        else:
            self.answers[ticket] = self.send_nowait(message)

    def receive(self, ticket: int, how: str, most: int) -> None:
        receiver = Receiver(ticket, how, most)
        if self.receiver is not None:
            self.answers[ticket] = "BusyResourceError"
        elif self.queue:
            receiver.has = [self._take()] if how != "batch" else []
            self._answer(receiver)
        elif self.is_closed:
            receiver.ends = "MailboxClosed"
            self._answer(receiver)
        else:
            self.receiver = receiver

    def settle(self) -> None:
        """Let the receiver run, if it was woken."""
        if self.receiver is not None and not self.receiver_waits:
            receiver, self.receiver = self.receiver, None
            self._answer(receiver)

    def _answer(self, receiver: Receiver) -> None:
        if receiver.ends:
            over = receiver.ends == "MailboxClosed" and receiver.how == "next"
            self.answers[receiver.ticket] = "StopAsyncIteration" if over else receiver.ends
        elif receiver.how == "batch":
            more = min(receiver.most - len(receiver.has), len(self.queue))
            self.answers[receiver.ticket] = [*receiver.has, *(self._take() for _ in range(more))]
        else:
            self.answers[receiver.ticket] = receiver.has[0]


# Programs

WHICH = st.integers(0, 9)

PLAIN_CALLS = st.one_of(
    st.just(("send_nowait",)),
    st.just(("send_nowait",)),
    st.just(("receive_nowait",)),
    st.tuples(st.just("cancel_sender"), WHICH),
    st.just(("cancel_receiver",)),
)
BURSTS = st.lists(PLAIN_CALLS, min_size=1, max_size=6)
STEPS = st.one_of(
    st.tuples(st.just("burst"), BURSTS),
    st.tuples(st.just("send"), st.integers(1, 4)),
    st.tuples(st.just("receive"), st.sampled_from(["one", "next"]), st.just(1)),
    st.tuples(st.just("receive"), st.just("batch"), st.sampled_from([1, 2, 3, 10**6])),
)


def program_of(before: list[Step], around: list[Step], after: list[Step]) -> list[Step]:
    """Return a program that closes the mailbox in the middle of a burst."""
    calls = [*around[: len(around) // 2], ("close",), *around[len(around) // 2 :]]
    return [*before, ("burst", calls), *after]


PROGRAMS = st.builds(
    program_of, st.lists(STEPS, min_size=10, max_size=40), BURSTS, st.lists(STEPS, max_size=5)
)


# The stage on which a program is played


@attrs.define(eq=False)
class Stage:
    """A mailbox beside its model."""

    model: Model
    hook_raises: bool = False
    undelivered: list[tuple[int, UndeliveredReason]] = attrs.field(
        factory=list[tuple[int, UndeliveredReason]]
    )
    told: list[Event] = attrs.field(factory=list[Event])
    answers: dict[int, Answer] = attrs.field(factory=dict[int, Answer])
    scopes: dict[int, trio.CancelScope] = attrs.field(factory=dict[int, trio.CancelScope])
    last: int = 0
    """The last message, or the last ticket."""
    address: Address[int] = attrs.field(init=False)
    mailbox: Mailbox[int] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.address, self.mailbox = open_mailbox[int](
            self.model.capacity, overflow=self.model.overflow, on_undelivered=self.keep
        )

    def keep(self, message: int, why: UndeliveredReason) -> None:
        self.undelivered.append((message, why))
        if self.hook_raises:
            raise ZeroDivisionError

    def another(self) -> int:
        self.last += 1
        return self.last

    async def play(self, program: list[Step]) -> None:
        with subscribe(self.told.append, MessageDropped):
            async with trio.open_nursery() as nursery:
                for what, *args in program:
                    await getattr(self, f"play_{what}")(nursery, *args)
        assert self.scopes.keys() == self.answers.keys()
        assert self.model.figures().used == 0

    async def play_burst(self, _: trio.Nursery, calls: list[Step]) -> None:
        for call in calls:
            self.play_call(*call)
        await self.settle()

    async def play_send(self, nursery: trio.Nursery, times: int) -> None:
        for _ in range(times):
            ticket, message = self.another(), self.another()
            self.model.send(ticket, message)
            self.start(nursery, ticket, self.address.send, message)
            await self.settle()

    async def play_receive(self, nursery: trio.Nursery, how: str, most: int) -> None:
        ticket = self.another()
        self.model.receive(ticket, how, most)
        if how == "batch":
            max_items = None if most == 10**6 else most
            self.start(nursery, ticket, self.mailbox.receive_batch, max_items)
        else:
            call = self.mailbox.receive if how == "one" else self.mailbox.__anext__
            self.start(nursery, ticket, call)
        await self.settle()

    def start(
        self, nursery: trio.Nursery, ticket: int, call: Callable[..., Awaitable[Any]], *args: Any
    ) -> None:
        self.scopes[ticket] = trio.CancelScope()
        nursery.start_soon(self.run, ticket, call, *args)

    async def run(self, ticket: int, call: Callable[..., Awaitable[Any]], *args: Any) -> None:
        with self.scopes[ticket] as scope:
            try:
                answer = await call(*args)
            except (
                MailboxClosed,
                MailboxFull,
                StopAsyncIteration,
                trio.BusyResourceError,
            ) as error:
                answer = type(error).__name__
            assert ticket not in self.answers
            self.answers[ticket] = answer
        if scope.cancelled_caught:
            self.answers[ticket] = "cancelled"

    async def settle(self) -> None:
        await wait_all_tasks_blocked()
        self.model.settle()
        assert self.answers == self.model.answers
        self.compare()

    # Plain calls

    def play_call(self, what: str, *args: Any) -> None:
        if what == "send_nowait":
            args = (self.another(),)
        actual = getattr(self, f"call_{what}")(*args)
        assert actual == getattr(self.model, what)(*args)
        self.compare()

    def call_send_nowait(self, message: int) -> Answer:
        try:
            self.address.send_nowait(message)
        except (MailboxClosed, trio.WouldBlock) as error:
            return type(error).__name__
        return None

    def call_receive_nowait(self) -> Answer:
        try:
            return self.mailbox.receive_nowait()
        except (MailboxClosed, trio.WouldBlock, trio.BusyResourceError) as error:
            return type(error).__name__

    def call_close(self) -> None:
        self.mailbox.close()

    def call_cancel_sender(self, which: int) -> None:
        line = self.model.line
        if line:
            self.scopes[line[which % len(line)][0]].cancel()

    def call_cancel_receiver(self) -> None:
        if self.model.receiver is not None:
            self.scopes[self.model.receiver.ticket].cancel()

    # Comparing

    def compare(self) -> None:
        figures = self.mailbox.statistics()
        assert figures == self.model.figures()
        assert figures.sent == figures.received + figures.dropped + figures.used
        assert self.undelivered == self.model.undelivered
        told = cast("list[MessageDropped]", self.told)
        assert [(event.message, event.why) for event in told] == self.model.undelivered


# The promise


@pytest.mark.parametrize("overflow", POLICIES)
@given(capacity=st.integers(1, 5), hook_raises=st.booleans(), program=PROGRAMS)
def test_a_mailbox_is_where_its_model_is(
    overflow: Overflow, capacity: int, hook_raises: bool, program: list[Step]
) -> None:
    stage = Stage(Model(capacity, overflow), hook_raises)
    trio.run(stage.play, program)


def test_programs_go_everywhere() -> None:
    # Or else the test above would pass for want of events.
    answers: Counter[str] = Counter()

    @settings(max_examples=100)
    @given(overflow=st.sampled_from(POLICIES), capacity=st.integers(1, 3), program=PROGRAMS)
    def play(overflow: Overflow, capacity: int, program: list[Step]) -> None:
        stage = Stage(Model(capacity, overflow))
        trio.run(stage.play, program)
        answers.update(kind_of(answer) for answer in stage.answers.values())
        answers.update(f"dropped, {why}" for _, why in stage.undelivered)

    play()
    assert {what for what, often in answers.items() if often >= 10} == {
        "sent", "received", "1 in a batch", "several in a batch", "cancelled", "MailboxClosed",
        "MailboxFull", "StopAsyncIteration", "BusyResourceError", "dropped, overflow",
        "dropped, closed",
    }  # fmt: skip


def kind_of(answer: Answer) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        return "1 in a batch" if len(answer) == 1 else "several in a batch"
    return "sent" if answer is None else "received"
