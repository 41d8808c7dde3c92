"""Servers with states held against a plain walk of their tables, on a clock that jumps.

A table is drawn, and a program: when which messages come, how long each takes, where it leads
to, whether it refuses or crashes, and how long its caller waits. A plain interpreter walks the
table by that program; the server has to do the same things at the same times.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, TypeAlias

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from trio_foundation.messaging import (
    CallError,
    CallFailed,
    MailboxFull,
    MailboxStatistics,
    Ref,
    ServerGone,
    State,
    StateServer,
    WrongState,
    serve,
)
from trio_foundation.supervision import open_supervisor

# Some hundreds by day, thousands by night.
many_walks = settings(max_examples=max(200, settings().max_examples))

HOW: list[Literal["return", "refuse", "crash"]] = ["return", "return", "return", "refuse", "crash"]

METHODS = ["m0", "m1", "m2", "m3"]
STATES = ["a", "b", "c"]

# Seconds after the last message; by then only time-outs of states come.
AFTERWARDS = 50.0


@pytest.fixture(scope="module", autouse=True)
def no_log() -> Iterator[None]:
    """Keep thousands of crashes out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Refusal(CallError):
    """What handlers refuse with."""


class Crash(Exception):
    """What handlers crash with."""


# Tables and programs


@attrs.frozen
class Plan:
    """A row of a table, as names."""

    moves: dict[str, tuple[str, ...]]
    postpones: frozenset[str]
    timeout: tuple[float, str] | None


@attrs.frozen
class Machine:
    """A table, as names; the first state is the initial one."""

    rows: dict[str, Plan]
    everywhere: frozenset[str]


@attrs.frozen(kw_only=True)
class Message:
    """Something that somebody sends."""

    number: int
    method: str
    end: Literal["return", "refuse", "crash"]
    takes: float
    """How long its handler takes, in seconds."""
    choice: int | None
    """Which of the states that it may lead to it chooses."""
    patience: float | None
    """How long its caller waits, in seconds; None if it is cast."""


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Draw tables that make sense: what is not reached is left out."""
    everywhere = draw(st.frozensets(st.sampled_from(METHODS), max_size=1))
    others = [method for method in METHODS if method not in everywhere]
    moves: dict[str, dict[str, tuple[str, ...]]] = {}
    targets = st.lists(st.sampled_from(STATES), min_size=1, max_size=2, unique=True).map(tuple)
    new = [STATES[0]]
    while new:
        state = new.pop()
        moves[state] = draw(
            st.dictionaries(st.sampled_from(others), targets, min_size=1, max_size=2)
        )
        reached = {target for found in moves[state].values() for target in found}
        new += sorted(reached - moves.keys() - set(new))
    rows: dict[str, Plan] = {}
    for number, state in enumerate(sorted(moves)):
        rest = [method for method in others if method not in moves[state]]
        some = st.frozensets(st.sampled_from(rest)) if rest else st.just(frozenset[str]())
        postpones = draw(st.just(frozenset(rest)) | some)
        # Odd parts of a second, so that nothing falls into the moment of something else.
        seconds = [whole + 2.0 ** -(30 + number) for whole in range(1, 7)]
        timeouts = st.tuples(st.sampled_from(seconds), st.sampled_from(sorted(moves[state])))
        rows[state] = Plan(moves[state], postpones, draw(st.none() | timeouts))
    return Machine(rows, everywhere)


@st.composite
def programs(draw: st.DrawFn, machine: Machine) -> list[tuple[float, list[Message]]]:
    """Draw what is sent when: at one moment some casts, or one call."""
    program: list[tuple[float, list[Message]]] = []
    number, at = 0, 0.0
    for is_call in draw(st.lists(st.booleans(), min_size=1, max_size=12)):
        at += draw(st.integers(1, 3))
        messages: list[Message] = []
        for _ in range(1 if is_call else draw(st.integers(1, 4))):
            number += 1
            odd = 2.0 ** -(number + 3) if number < 16 else 2.0**-20 * number
            takes = draw(st.sampled_from([0.0, 0.0, 0.0, 0.5 + odd, 4 + odd]))
            waits = draw(st.sampled_from([math.inf, math.inf, 1.0, 5.0]))
            messages.append(
                Message(
                    number=number,
                    method=draw(st.sampled_from(messages_of(machine))),
                    end=draw(st.sampled_from(HOW)),
                    takes=takes,
                    choice=draw(st.none() | st.integers(0, 1)),
                    patience=waits + 2.0**-35 * number if is_call else None,
                )
            )
        program.append((at, messages))
    return program


Line: TypeAlias = tuple[float, str]

# The plain walk


class Walk:
    """What has to happen, step by step."""

    def __init__(self, machine: Machine, capacity: int) -> None:
        self.machine = machine
        self.capacity = capacity
        self.now = 0.0
        self.free_at = 0.0
        """When the server is done with the message in hand."""
        self.lines: list[Line] = []
        self.ends: dict[int, str] = {}
        """What became of the messages, by their numbers."""
        self.queue: deque[tuple[float, Message]] = deque()
        self.aside: list[Message] = []
        self.again: deque[Message] = deque()
        self.left: dict[int, float] = {}
        """When callers leave."""
        self.begin()

    def begin(self) -> None:
        self.again = deque([*self.aside, *self.again])
        self.aside = []
        self.enter(next(iter(self.machine.rows)))

    def enter(self, state: str) -> None:
        self.state = state
        self.lines.append((self.now, f"enter {state}"))
        timeout = self.machine.rows[state].timeout
        self.due = math.inf if timeout is None else self.now + timeout[0]

    def go_on(self, until: float) -> None:
        """Do all that the server does before that time."""
        while self.free_at < until:
            self.now = max(self.now, self.free_at)
            if self.again:
                self.take(self.again.popleft())
            elif self.queue and self.queue[0][0] <= self.due:
                self.take(self.queue.popleft()[1])
            elif self.due <= self.now:
                self.time_out()
            elif self.due < until:
                self.now = self.due
                self.time_out()
            else:
                return

    def arrive(self, at: float, messages: list[Message]) -> None:
        """Let messages come at once."""
        self.go_on(at)
        # A server that waits takes the first at once.
        room = self.capacity + (self.free_at <= at)
        for message in messages:
            self.left[message.number] = at + (
                math.inf if message.patience is None else message.patience
            )
            if len(self.queue) < room:
                self.queue.append((at, message))
            else:
                self.ends[message.number] = "full"
        self.now = max(self.now, at)
        self.free_at = max(self.free_at, at)

    def take(self, message: Message) -> None:
        row = self.machine.rows[self.state]
        if self.has_left(message):
            return
        if message.method in row.postpones:
            if len(self.aside) >= self.capacity:
                # Whose caller has left makes room for somebody else.
                self.aside = [one for one in self.aside if not self.has_left(one)]
            if len(self.aside) < self.capacity:
                self.aside.append(message)
            else:
                self.ends[message.number] = "full"
        elif message.method in row.moves or message.method in self.machine.everywhere:
            self.handle(message)
        else:
            self.ends[message.number] = "wrong state"

    def has_left(self, message: Message) -> bool:
        if self.left[message.number] > self.now:
            return False
        self.ends[message.number] = "left"
        return True

    def handle(self, message: Message) -> None:
        self.lines.append((self.now, f"{message.method} {message.number} in {self.state}"))
        self.now += message.takes
        self.free_at = self.now
        number = message.number
        if message.end == "refuse":
            self.ends[number] = "refused"
        elif message.end == "crash" or not self.move(message.method, message.choice):
            self.ends[number] = "crashed"
            self.begin()
        else:
            self.ends[number] = "returned"
        self.has_left(message)

    def time_out(self) -> None:
        timeout = self.machine.rows[self.state].timeout
        assert timeout is not None
        self.due = math.inf
        self.lines.append((self.now, f"{timeout[1]} 0 in {self.state}"))
        if not self.move(timeout[1], None):
            self.begin()

    def move(self, method: str, choice: int | None) -> bool:
        """Go where a message leads to; return whether it knows where that is."""
        targets = self.machine.rows[self.state].moves.get(method, (self.state,))
        if choice is not None:
            target = targets[choice % len(targets)]
        elif len(targets) == 1:
            [target] = targets
        elif self.state in targets:
            target = self.state
        else:
            return False
        if target != self.state:
            self.lines.append((self.now, f"exit {self.state}"))
            self.again = deque([*self.aside, *self.again])
            self.aside = []
            self.enter(target)
        return True

    def finish(self) -> None:
        """Let the server be stopped: what waits is refused."""
        for message in [*self.aside, *self.again, *(message for _, message in self.queue)]:
            self.ends[message.number] = "gone"
            self.has_left(message)


def walked(
    machine: Machine, program: list[tuple[float, list[Message]]], capacity: int
) -> tuple[list[Line], dict[int, str]]:
    walk = Walk(machine, capacity)
    for at, messages in program:
        walk.arrive(at, messages)
    until = program[-1][0] + AFTERWARDS
    walk.go_on(until)
    walk.now = until
    walk.finish()
    return walk.lines, walk.ends


# The server


def note(lines: list[Line], line: str) -> None:
    lines.append((trio.current_time(), line))


class Drawn(StateServer):
    """The base of the classes that tables stand for; casts note their own ends."""

    machine: ClassVar[Machine]
    lines: ClassVar[list[Line]]
    ends: ClassVar[dict[int, str]]

    async def _handle(self, name: str, message: Message | None = None) -> None:
        note(self.lines, f"{name} {message.number if message else 0} in {self.state}")
        if message is None:
            return
        targets = self.machine.rows[self.state].moves.get(name, (self.state,))
        is_lost = len(targets) > 1 and self.state not in targets and message.choice is None
        if message.choice is not None:
            self.become(targets[message.choice % len(targets)])
        self.ends[message.number] = "crashed"
        if message.takes:
            await trio.sleep(message.takes)
        if message.end == "crash":
            raise Crash
        self.ends[message.number] = "refused"
        if message.end == "refuse":
            raise Refusal
        self.ends[message.number] = "crashed" if is_lost else "returned"

    async def _come(self) -> None:
        note(self.lines, f"enter {self.state}")

    async def _go(self) -> None:
        note(self.lines, f"exit {self.state}")


def method(name: str) -> Any:
    async def run(self: Drawn, message: Message | None = None) -> None:
        await self._handle(name, message)

    run.__name__ = name
    return run


def messages_of(machine: Machine) -> list[str]:
    """Return the messages that a table knows."""
    known = set(machine.everywhere)
    for row in machine.rows.values():
        known |= row.moves.keys() | row.postpones
    return sorted(known)


def make(machine: Machine) -> type[Drawn]:
    """Make the class that a table stands for."""
    methods = {name: method(name) for name in messages_of(machine)}
    states = {
        state: State(
            {methods[name]: targets for name, targets in row.moves.items()},
            postpone=[methods[name] for name in row.postpones],
            timeout=None if row.timeout is None else (row.timeout[0], methods[row.timeout[1]]),
            enter=Drawn._come,
            exit=Drawn._go,
        )
        for state, row in machine.rows.items()
    }
    names = {
        "machine": machine,
        "lines": [],
        "ends": {},
        "states": states,
        "everywhere": [methods[name] for name in machine.everywhere],
    }
    return type("Walker", (Drawn,), methods | names)


ENDS: dict[type[Exception], str] = {
    Refusal: "refused",
    WrongState: "wrong state",
    CallFailed: "crashed",
    MailboxFull: "full",
    ServerGone: "gone",
}


async def call(ref: Ref[Any], server: Any, message: Message, ends: dict[int, str]) -> None:
    assert message.patience is not None
    end = "left"
    with trio.move_on_after(message.patience):
        try:
            await ref.call(getattr(server, message.method), message)
            end = "returned"
        except (CallError, CallFailed, MailboxFull, ServerGone) as error:
            end = ENDS[type(error)]
    ends[message.number] = end


def assert_conserved(figures: MailboxStatistics) -> None:
    assert figures.sent == figures.received + figures.dropped + figures.used


async def played(
    machine: Machine, program: list[tuple[float, list[Message]]], capacity: int
) -> tuple[list[Line], dict[int, str], MailboxStatistics]:
    by_callers: dict[int, str] = {}
    server = make(machine)
    ends = server.ends
    spec, ref = serve(server, capacity=capacity, overflow="reject")
    async with trio.open_nursery() as nursery:
        async with open_supervisor([spec], max_restarts=1_000):
            for at, messages in program:
                await trio.sleep_until(at)
                for message in messages:
                    if message.patience is not None:
                        nursery.start_soon(call, ref, server, message, by_callers)
                        continue
                    try:
                        ref.cast(getattr(server, message.method), message)
                    except MailboxFull:
                        ends[message.number] = "full"
                assert_conserved(ref.statistics())
            await trio.sleep(AFTERWARDS)
            assert_conserved(ref.statistics())
        nursery.cancel_scope.deadline = trio.current_time() + 1
    figures = ref.statistics()
    assert_conserved(figures)
    return server.lines, ends | by_callers, figures


@many_walks
@given(machine=machines(), data=st.data(), capacity=st.sampled_from([1, 2, 3, 100]))
def test_a_server_walks_its_table_as_a_plain_interpreter_does(
    machine: Machine, data: st.DataObject, capacity: int
) -> None:
    program = data.draw(programs(machine))
    lines, ends = walked(machine, program, capacity)
    clock = MockClock(autojump_threshold=0)
    found, came, figures = trio.run(played, machine, program, capacity, clock=clock)
    assert found == lines
    calls = {one.number for _, some in program for one in some if one.patience is not None}
    for number, end in ends.items():
        # Of a cast nobody is told that it was dropped or refused before it was handled.
        if number in calls or end in {"returned", "refused", "crashed"}:
            assert came[number] == end, number
        else:
            assert came.get(number, "full") == "full"
    assert figures.used == 0
    handled = sum(end in {"returned", "refused", "crashed", "wrong state"} for end in ends.values())
    assert figures.received >= handled
