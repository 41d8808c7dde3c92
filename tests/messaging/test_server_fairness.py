"""Tests that a flooded server lets others run. Rule R45."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.messaging import Ref, Server, ServerGone, serve
from trio_foundation.supervision import Liveness, open_supervisor

from ._servers import attempt

FLOOD = 1_000


class Busy(Server):
    """Handles messages without ever waiting."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def work(self, who: str) -> None:
        self.log.append(who)

    async def again(self) -> None:
        self.log.append("again")
        self.ref.cast(Busy.again)


class Steps(trio.abc.Instrument):
    """Writes a line into a log whenever a task runs until it gives way."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Write the line."""
        self.log.append("|")


@contextmanager
def steps_in(log: list[str]) -> Generator[None]:
    steps = Steps(log)
    trio.lowlevel.add_instrument(steps)
    yield
    trio.lowlevel.remove_instrument(steps)


@pytest.mark.parametrize("liveness", [None, Liveness(every=10)], ids=["plain", "watched"])
async def test_a_flooded_server_handles_at_most_32_messages_before_others_run(
    liveness: Liveness | None,
) -> None:
    log: list[str] = []
    spec, ref = serve(lambda: Busy(log), capacity=FLOOD, liveness=liveness)
    for _ in range(FLOOD):
        ref.cast(Busy.work, "a")
    with steps_in(log):
        async with open_supervisor([spec]):
            await ref.call(Busy.work, "a")
    turns = [len(turn) for turn in "".join(log).split("|")]
    assert max(turns) == 32
    assert sum(turns) == FLOOD + 1


async def test_two_flooded_servers_take_turns() -> None:
    log: list[str] = []
    served = [serve(lambda: Busy(log), capacity=FLOOD, name=name) for name in "ab"]
    for one in served:
        for _ in range(FLOOD):
            one.ref.cast(Busy.work, one.spec.name)
    async with open_supervisor([one.spec for one in served]):
        await served[1].ref.call(Busy.work, "b")
    handled = "".join(log)
    both = handled[handled.index("b") : handled.rindex("a")]
    assert len(both) > FLOOD
    # Trio lets the tasks of a tick run in any order, so each may have two turns in a row.
    assert max(map(len, re.findall("a+|b+", both))) <= 64


async def test_messages_whose_callers_have_left_count_towards_the_turn() -> None:
    log: list[str] = []
    spec, ref = serve(lambda: Busy(log), capacity=FLOOD)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(attempt, ref, Busy.work, "left")
            await wait_all_tasks_blocked()
            scope.cancel()
    async with open_supervisor([spec]):
        figures: list[int] = []
        while not figures or figures[-1] < 100:
            figures.append(ref.statistics().dropped)
            await trio.lowlevel.checkpoint()
    assert all(later - before <= 64 for before, later in pairwise(figures))
    assert figures[-1] == 100
    assert log == []


@pytest.mark.parametrize("drain", [False, True], ids=["", "drain"])
async def test_a_server_that_floods_itself_without_waiting_can_be_stopped(drain: bool) -> None:
    log: list[str] = []
    spec, ref = serve(lambda: Busy(log), capacity=1, drain=drain, grace=0.05)
    async with open_supervisor([spec]) as sup:
        child = sup.children["<lambda>"]
        ref.cast(Busy.again)
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        assert len(log) > 32
        await sup.stop_child(child.name)
        assert child.last_exit is not None
        assert child.last_exit.reason == "stopped"
        assert child.last_exit.error is None
    assert isinstance(await attempt(ref, Busy.work, "a"), ServerGone)


async def test_a_server_that_floods_itself_without_waiting_can_be_cancelled() -> None:
    spec, ref = serve(lambda: Busy([]), capacity=1)
    with trio.move_on_after(0.01) as scope:
        async with open_supervisor([spec]):
            ref.cast(Busy.again)
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_hundred_callers_at_once_are_all_answered() -> None:
    async def ask(ref: Ref[Busy]) -> None:
        for _ in range(10):
            await ref.call(Busy.work, "x")

    log: list[str] = []
    spec, ref = serve(lambda: Busy(log), capacity=7)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask, ref)
    assert len(log) == 1_000
