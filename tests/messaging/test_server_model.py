"""A server held against a plain model, in random programs; and storms.

In a program each handler runs until a step of the program says how it ends, and after each step
all has settled. Then the server has to be where the model is: the same message in hand, the
same figures, the same answers, the same messages run in the same order.

In a storm all happens at once, and what has to hold is what holds always: every call ends in
exactly one way, no message is run twice, those of one sender are run in order, and none vanishes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any, Literal, TypeAlias, cast, get_args

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.messaging import (
    CallFailed,
    MailboxFull,
    MailboxStatistics,
    Overflow,
    Ref,
    Server,
    ServerGone,
    serve,
)
from trio_foundation.supervision import (
    ChildNotFound,
    ChildRunning,
    ChildSpec,
    ChildStartFailed,
    Supervisor,
    SupervisorClosed,
    open_supervisor,
)

from ._servers import Crash, Refused, assert_conserved

# Twice as many as other tests have: some hundreds by day, thousands by night.
many = settings(max_examples=2 * settings().max_examples)

Kind = Literal["call", "cast", "cast_wait"]

Step: TypeAlias = tuple[Any, ...]


@pytest.fixture(scope="module", autouse=True)
def no_log() -> Iterator[None]:
    """Keep thousands of crashes out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# The model


@attrs.define
class Message:
    """A message: who sent it how, and whether the sender still waits."""

    number: int
    kind: Kind
    is_awaited: bool


@attrs.define
class Model:
    """A server as two lists and one place."""

    capacity: int
    overflow: Overflow
    queue: list[Message] = attrs.field(factory=list[Message])
    line: list[Message] = attrs.field(factory=list[Message])
    in_hand: Message | None = None
    is_up: bool = False
    is_gone: bool = False
    answers: dict[int, str] = attrs.field(factory=dict[int, str])
    ran: list[int] = attrs.field(factory=list[int])
    peak: int = 0
    sent: int = 0
    received: int = 0
    dropped: int = 0
    rejected: int = 0

    def figures(self) -> MailboxStatistics:
        return MailboxStatistics(
            capacity=self.capacity,
            used=len(self.queue),
            peak=self.peak,
            sent=self.sent,
            received=self.received,
            dropped=self.dropped,
            rejected=self.rejected,
            waiting_senders=len(self.line),
        )

    # What can be done

    def send(self, number: int, kind: Kind) -> None:
        message = Message(number, kind, is_awaited=kind == "call")
        self.answers[number] = "waits"
        if self.is_gone:
            self.answers[number] = "ServerGone"
        elif self.is_up and self.in_hand is None:
            self.sent += 1
            self.run(message)
            if kind != "call":
                self.answers[number] = "sent"
        elif len(self.queue) < self.capacity:
            self.accept(message)
        elif self.overflow == "block" and kind != "cast":
            self.line.append(message)
        elif self.overflow in ("block", "reject"):
            self.rejected += 1
            self.answers[number] = "WouldBlock" if self.overflow == "block" else "MailboxFull"
        elif self.overflow == "drop_oldest":
            loser = self.queue.pop(0)
            self.dropped += 1
            self.settle(loser, "MailboxFull")
            self.accept(message)
        else:
            self.sent += 1
            self.dropped += 1
            self.answers[number] = "MailboxFull" if kind == "call" else "sent"

    def accept(self, message: Message) -> None:
        self.sent += 1
        self.queue.append(message)
        self.peak = max(self.peak, len(self.queue))
        if message.kind != "call":
            self.answers[message.number] = "sent"

    def settle(self, message: Message, answer: str) -> None:
        if message.is_awaited:
            self.answers[message.number] = answer
        message.is_awaited = False

    def take(self) -> None:
        """Take what comes next in hand, if something does."""
        self.in_hand = None
        while self.is_up and self.queue and self.in_hand is None:
            message = self.queue.pop(0)
            if self.line:
                self.accept(self.line.pop(0))
            if message.kind == "call" and not message.is_awaited:
                self.dropped += 1
                continue
            self.run(message)

    def run(self, message: Message) -> None:
        """Take a message in hand."""
        self.received += 1
        self.in_hand = message
        self.ran.append(message.number)

    def end(self, how: str) -> None:
        """Let the message in hand end."""
        if self.in_hand is not None:
            self.settle(self.in_hand, how)
            self.take()

    def leave(self, number: int) -> None:
        """Let a sender leave, if it waits."""
        if self.answers.get(number) != "waits":
            return
        self.answers[number] = "Cancelled"
        self.line = [message for message in self.line if message.number != number]
        for message in (*self.queue, self.in_hand):
            if message is not None and message.number == number:
                message.is_awaited = False

    def start(self) -> None:
        if not self.is_up:
            self.is_up, self.is_gone = True, False
            self.take()

    def stop(self) -> None:
        self.is_up, self.is_gone = False, True
        if self.in_hand is not None:
            self.settle(self.in_hand, "CallFailed")
            self.in_hand = None
        for message in self.line:
            self.answers[message.number] = "ServerGone"
        for message in self.queue:
            self.settle(message, "ServerGone")
        self.dropped += len(self.queue)
        self.queue, self.line = [], []


# The server, and the stage on which a program is played


class Actor(Server):
    """Runs a message until it is told how that ends."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def work(self, number: int) -> str:
        self.stage.ran.append(number)
        self.stage.prompt = trio.Event()
        await self.stage.prompt.wait()
        if self.stage.how == "Refused":
            raise Refused
        if self.stage.how == "CallFailed":
            raise Crash
        return self.stage.how


@attrs.define(eq=False)
class Stage:
    """A server beside its model."""

    model: Model
    ran: list[int] = attrs.field(factory=list[int])
    prompt: trio.Event = attrs.field(factory=trio.Event)
    how: str = ""
    answers: dict[int, str] = attrs.field(factory=dict[int, str])
    scopes: dict[int, trio.CancelScope] = attrs.field(factory=dict[int, trio.CancelScope])
    ref: Any = None

    async def play(self, program: list[Step]) -> None:
        spec, self.ref = serve(
            lambda: Actor(self),
            capacity=self.model.capacity,
            overflow=self.model.overflow,
            name="actor",
        )
        async with trio.open_nursery() as nursery:
            async with open_supervisor(max_restarts=10**9) as sup:
                for step in program:
                    await self.perform(nursery, sup, spec, *step)
                    await wait_all_tasks_blocked()
                    self.compare(step)
            self.model.stop()
            await wait_all_tasks_blocked()
            if "actor" in sup.children:
                self.compare("the end")
            nursery.cancel_scope.cancel()

    async def perform(
        self, nursery: trio.Nursery, sup: Supervisor, spec: ChildSpec, verb: str, *args: Any
    ) -> None:
        if verb == "leave":
            self.leave(*args)
        elif verb == "end":
            self.end(*args)
        elif verb == "start":
            await self.start(sup, spec)
        elif verb == "stop":
            await self.stop(sup)
        else:
            number = len(self.model.answers)
            kind = cast("Kind", verb)
            self.model.send(number, kind)
            self.answers[number] = "waits"
            self.scopes[number] = trio.CancelScope()
            nursery.start_soon(self.send, number, kind)

    def leave(self, which: int) -> None:
        waiting = [number for number, answer in self.model.answers.items() if answer == "waits"]
        if waiting:
            number = waiting[which % len(waiting)]
            self.model.leave(number)
            self.scopes[number].cancel()

    def end(self, how: str) -> None:
        if self.model.in_hand is not None:
            self.how = how
            self.prompt.set()
            self.model.end(how)

    async def start(self, sup: Supervisor, spec: ChildSpec) -> None:
        if not self.model.is_up:
            if "actor" in sup.children:
                await sup.restart_child("actor")
            else:
                await sup.start_child(spec)
            self.model.start()

    async def stop(self, sup: Supervisor) -> None:
        if "actor" in sup.children:
            self.model.stop()
            await sup.stop_child("actor")

    async def send(self, number: int, kind: Kind) -> None:
        with self.scopes[number] as scope:
            try:
                self.answers[number] = await self.ask(number, kind)
            except Exception as error:  # noqa: BLE001  it is the answer
                self.answers[number] = type(error).__name__
        if scope.cancelled_caught:
            self.answers[number] = "Cancelled"

    async def ask(self, number: int, kind: Kind) -> str:
        if kind == "call":
            return cast("str", await self.ref.call(Actor.work, number))
        if kind == "cast":
            self.ref.cast(Actor.work, number)
        else:
            await self.ref.cast_wait(Actor.work, number)
        return "sent"

    def compare(self, step: object) -> None:
        assert self.answers == self.model.answers, step
        assert self.ran == self.model.ran, step
        assert self.ref.statistics() == self.model.figures(), step


STEPS = st.one_of(
    st.tuples(st.sampled_from(get_args(Kind))),
    st.tuples(st.sampled_from(get_args(Kind))),
    st.tuples(st.just("call")),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("end"), st.sampled_from(["value", "value", "Refused", "CallFailed"])),
    st.tuples(st.just("end"), st.sampled_from(["value", "value", "Refused", "CallFailed"])),
    st.tuples(st.just("start")),
    st.tuples(st.sampled_from(["start", "start", "stop"])),
)

PROGRAMS = st.lists(STEPS, min_size=5, max_size=40)


@many
@given(st.sampled_from(get_args(Overflow)), st.integers(1, 3), PROGRAMS)
def test_a_server_does_what_the_plain_model_does(
    overflow: Overflow, capacity: int, program: list[Step]
) -> None:
    trio.run(Stage(Model(capacity, overflow)).play, program, clock=MockClock(autojump_threshold=0))


# Storms


class Wild(Server):
    """Does one thing or another, and notes which message it was."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm

    async def setup(self) -> None:
        await self.storm.pause()
        if self.storm.is_up_to(0.05):
            raise Crash("setup")

    async def teardown(self, exit: object) -> None:
        await self.storm.pause()

    async def work(self, sender: int, number: int) -> tuple[int, int]:
        storm = self.storm
        storm.handled.append((sender, number))
        await storm.pause()
        if storm.is_up_to(0.1):
            raise Crash("work")
        if storm.is_up_to(0.1):
            raise Refused
        if storm.is_up_to(0.02):
            self.shutdown()
        with suppress(trio.WouldBlock, ServerGone):
            if storm.is_up_to(0.1):
                self.ref.cast(Wild.idle)
        return sender, number

    async def idle(self) -> None:
        """Do nothing."""


@attrs.define(eq=False)
class Storm:
    """A server, several callers, and somebody who stops and restarts it."""

    rng: Random
    handled: list[tuple[int, int]] = attrs.field(factory=list[tuple[int, int]])
    outcomes: Counter[str] = attrs.field(factory=Counter[str])
    calls: int = 0

    def is_up_to(self, share: float) -> bool:
        return self.rng.random() < share

    async def pause(self) -> None:
        if self.is_up_to(0.6):
            await trio.sleep(self.rng.choice([0.0, 0.05, 0.1, 0.5]))

    async def run(self) -> None:
        rng = self.rng
        spec, ref = serve(
            lambda: Wild(self),
            capacity=rng.choice([1, 2, 5]),
            overflow=rng.choice(get_args(Overflow)),
            drain=rng.choice([True, False]),
            grace=rng.choice([0.0, 0.2, 5.0]),
            backoff=rng.choice([None, Backoff(initial=0.1, jitter=0.0)]),
            name="wild",
        )
        async with trio.open_nursery() as nursery:
            for sender in range(4):
                nursery.start_soon(self.send, ref, sender)
            with suppress(ChildStartFailed):
                async with open_supervisor([spec], max_restarts=10**9) as sup:
                    await self.rule(sup)
            # And whoever still waits has to be told, with nobody's help.
        assert_conserved(ref)
        assert ref.statistics().used == ref.statistics().waiting_senders == 0
        self.check()

    async def rule(self, sup: Supervisor) -> None:
        for _ in range(10):
            await trio.sleep(self.rng.choice([0.0, 0.1, 0.3, 1.0]))
            with suppress(ChildNotFound, ChildRunning, ChildStartFailed, SupervisorClosed):
                if self.is_up_to(0.3):
                    await sup.stop_child("wild")
                else:
                    await sup.restart_child("wild")

    async def send(self, ref: Ref[Wild], sender: int) -> None:
        for number in range(25):
            await self.pause()
            assert_conserved(ref)
            with trio.move_on_after(self.rng.choice([0.05, 0.3, 2.0, 1000.0])) as scope:
                kind = self.rng.choice([self.call, self.call, self.cast, self.cast_wait])
                await self.judged(kind, ref, sender, number)
            if scope.cancelled_caught:
                self.outcomes["Cancelled"] += 1
            assert_conserved(ref)

    async def judged(
        self,
        kind: Callable[[Ref[Wild], int, int], Awaitable[None]],
        ref: Ref[Wild],
        sender: int,
        number: int,
    ) -> None:
        self.calls += 1
        try:
            await kind(ref, sender, number)
        except (CallFailed, ServerGone, MailboxFull, Refused, trio.WouldBlock) as error:
            self.outcomes[type(error).__name__] += 1
            if isinstance(error, (ServerGone, MailboxFull, trio.WouldBlock)):
                assert (sender, number) not in self.handled
            else:
                assert (sender, number) in self.handled
        else:
            self.outcomes["value"] += 1

    async def call(self, ref: Ref[Wild], sender: int, number: int) -> None:
        assert await ref.call(Wild.work, sender, number) == (sender, number)
        assert (sender, number) in self.handled

    async def cast(self, ref: Ref[Wild], sender: int, number: int) -> None:
        ref.cast(Wild.work, sender, number)

    async def cast_wait(self, ref: Ref[Wild], sender: int, number: int) -> None:
        await ref.cast_wait(Wild.work, sender, number)

    def check(self) -> None:
        assert sum(self.outcomes.values()) == self.calls == 100
        assert len(set(self.handled)) == len(self.handled)
        for sender in range(4):
            numbers = [number for one, number in self.handled if one == sender]
            assert numbers == sorted(numbers)


@many
@given(st.integers(0, 2**32 - 1))
def test_in_a_storm_every_call_ends_in_one_way_and_no_message_vanishes(seed: int) -> None:
    trio.run(Storm(Random(seed)).run, clock=MockClock(autojump_threshold=0))


def test_storms_are_storms() -> None:
    # Or else the test above would pass for want of wind.
    total: Counter[str] = Counter()
    for seed in range(30):
        storm = Storm(Random(seed))
        trio.run(storm.run, clock=MockClock(autojump_threshold=0))
        total += storm.outcomes
    kinds = {"value", "Refused", "CallFailed", "ServerGone", "MailboxFull", "Cancelled"}
    assert kinds <= set(total)
    assert min(total[kind] for kind in kinds) > 10
