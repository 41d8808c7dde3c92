"""Tests of servers that are made once, and used in run after run, and in several at once.

Rule R36: what `serve` returns holds no state of a run.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
import trio

from trio_foundation.messaging import MailboxStatistics, ServerGone
from trio_foundation.messaging._post import Post
from trio_foundation.supervision import open_supervisor

from ._servers import Worker, attempt, worker

# Made when the module is imported.
SPEC, REF = worker(name="global")

FRESH = MailboxStatistics(
    capacity=10, used=0, peak=0, sent=0, received=0, dropped=0, rejected=0, waiting_senders=0
)


async def use(rounds: int = 1) -> list[object]:
    """Use the server of this module, which has to be as new."""
    assert REF.statistics() == FRESH
    REF.cast(Worker.echo, 0)
    async with open_supervisor([SPEC]):
        answers = [await REF.call(Worker.echo, number) for number in range(rounds)]
    assert isinstance(await attempt(REF, Worker.echo, 0), ServerGone)
    assert REF.statistics().received == rounds + 1
    return answers


def test_a_server_of_a_module_is_new_in_each_run() -> None:
    for _ in range(3):
        assert trio.run(use) == [0]


def test_what_one_run_leaves_behind_the_next_one_does_not_find() -> None:
    async def leave() -> None:
        REF.cast(Worker.echo, "left behind")

    trio.run(leave)
    assert trio.run(use) == [0]


def test_a_run_that_was_torn_apart_does_not_block_the_next_one() -> None:
    async def crash() -> None:
        async with open_supervisor([SPEC]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trio.run(crash)
    assert trio.run(use) == [0]


@pytest.mark.realtime
def test_two_runs_at_the_same_time_know_nothing_of_each_other() -> None:
    def run() -> None:
        barrier.wait()
        answers.append(trio.run(use, 200))

    barrier = threading.Barrier(3)
    answers: list[list[object]] = []
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        sys.setswitchinterval(before)
    assert answers == [list(range(200))] * 3


PATIENCE = 0.2

# Where the box of a run is looked up.
POST = inspect.getfile(Post)


class Meeting:
    """Two runs that use a server for the first time, one in the midst of the other's doing so."""

    def __init__(self, line: int) -> None:
        self.line = line
        """How many lines the first comes before the second steps in."""
        self.ref = worker().ref
        self.second_has_sent = threading.Event()
        self.first_has_sent = threading.Event()
        self.sent: list[int] = []

    async def first(self) -> None:
        sys.settrace(self.trace)
        self.ref.cast(Worker.echo, 1)
        sys.settrace(None)
        self.first_has_sent.set()
        self.sent.append(self.ref.statistics().sent)

    async def second(self) -> None:
        self.ref.cast(Worker.echo, 2)
        self.second_has_sent.set()
        self.first_has_sent.wait(5)
        self.sent.append(self.ref.statistics().sent)

    def trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != POST:
            return None
        if event == "line":
            self.line -= 1
            if self.line == 0:
                self.thread = threading.Thread(target=trio.run, args=[self.second])
                self.thread.start()
                self.second_has_sent.wait(PATIENCE)  # it may have to wait for the first
        return self.trace

    def hold(self) -> bool:
        """Hold it; return whether the second was there."""
        first = threading.Thread(target=trio.run, args=[self.first])
        first.start()
        first.join(10)
        if self.line > 0:
            return False
        self.thread.join(10)
        return True


@pytest.mark.realtime
def test_two_runs_that_first_send_at_the_same_moment_both_keep_their_message() -> None:
    for line in range(1, 100):
        meeting = Meeting(line)
        if not meeting.hold():
            assert line > 5
            return
        assert meeting.sent == [1, 1], f"at line {line}"


# Outside a run


async def call_by_hand(verb: Callable[..., Any]) -> None:
    await verb(Worker.echo, 1)


@pytest.mark.parametrize("verb", ["cast", "statistics", "call", "cast_wait"])
def test_outside_a_run_there_is_nothing_to_reach(verb: str) -> None:
    reach = getattr(worker().ref, verb)
    with pytest.raises(RuntimeError):
        if verb == "cast":
            reach(Worker.echo, 1)
        elif verb == "statistics":
            reach()
        else:
            call_by_hand(reach).send(None)


def test_after_a_run_there_is_nothing_to_reach() -> None:
    _, ref = worker()

    async def main() -> None:
        ref.cast(Worker.echo, 1)

    trio.run(main)
    with pytest.raises(RuntimeError, match="server 'w' is reached from within its Trio run only"):
        ref.cast(Worker.echo, 1)


async def test_from_a_thread_a_server_is_reached_through_trio() -> None:
    log: list[str] = []
    spec, ref = worker(log)

    cast: Any = ref.cast
    call: Any = ref.call

    def in_a_thread() -> object:
        with pytest.raises(RuntimeError, match=r"use trio\.from_thread\.run"):
            ref.cast(Worker.note, "directly")
        trio.from_thread.run_sync(cast, Worker.note, "cast")
        return trio.from_thread.run(call, Worker.note, "called")

    async with open_supervisor([spec]):
        assert await trio.to_thread.run_sync(in_a_thread) == "called"
    assert log == ["cast", "called"]


def test_a_reference_tells_its_name_anywhere() -> None:
    assert (REF.name, repr(REF)) == ("global", "<Ref of server 'global'>")
