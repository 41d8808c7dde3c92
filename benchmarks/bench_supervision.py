"""What it costs to be kept running, rather than only to run."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Literal

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation import Backoff
from trio_foundation.supervision import (
    child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
    subtree,
)

from ._runner import Finding, Job, Plan, Samples, compare, take_turns, weigh

__all__ = ["BENCHMARKS"]

AsyncFn = Callable[[], Awaitable[object]]


@contextmanager
def unwritten_log() -> Generator[None]:
    """Let what supervisors log go nowhere, as in a program that filters its log.

    Each crash is a warning. Making the record is the library's cost, and counts; writing it
    depends on the program, and does not.
    """
    logger = logging.getLogger("trio_foundation.supervision")
    nowhere, propagate = logging.NullHandler(), logger.propagate
    logger.addHandler(nowhere)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(nowhere)


async def scoped(async_fn: AsyncFn) -> None:
    """Run a function under a cancel scope of its own, the least that a child has."""
    with trio.CancelScope():
        await async_fn()


# Short children


class Countdown:
    """A function for many tasks to run, of one checkpoint, and a way to wait for the last."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done = trio.Event()

    async def work(self) -> None:
        """Be one of them."""
        await trio.lowlevel.checkpoint()
        self.left -= 1
        if self.left == 0:
            self.done.set()


async def short_children_ours(count: int) -> None:
    """Start them all, wait for all, and until nothing is left of them."""
    countdown = Countdown(count)
    async with open_dynamic_supervisor() as sup:
        for _ in range(count):
            sup.start_soon(countdown.work)
        await countdown.done.wait()
        while sup.children:  # the last ones have ended, and are not forgotten yet
            await trio.lowlevel.checkpoint()


async def short_children_bare(count: int) -> None:
    """Start them all, and wait for all."""
    countdown = Countdown(count)
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(scoped, countdown.work)
        await countdown.done.wait()


def short_children(plan: Plan) -> Finding:
    """How much longer does a child take that does next to nothing, than a task that does?

    10,000 are started at once in a dynamic supervisor, and waited for.
    """
    count = plan.size(10_000, smoke=100)
    ours, bare = take_turns(
        (short_children_ours, count), (short_children_bare, count), rounds=plan.rounds()
    )
    figure, readings = compare(ours, bare)
    return Finding(
        what=f"{count:,} short children, per child",
        figure=figure,
        target=2.0,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a child",
        readings=readings,
    )


# Growth


def growth(plan: Plan) -> Finding:
    """Does a child take longer the more there are, beyond what tasks do in bare Trio?

    The job is that of `short_children`: 100,000 at once, against 1,000 at once some 30 times.
    It takes many seconds, and is done in few rounds.
    """
    few, many = plan.size(1_000, smoke=10), plan.size(100_000, smoke=200)
    again = plan.size(30, smoke=1)
    ours_few, bare_few, ours_many, bare_many = take_turns(
        (repeated(short_children_ours, few), few * again),
        (repeated(short_children_bare, few), few * again),
        (short_children_ours, many),
        (short_children_bare, many),
        rounds=plan.rounds(7),
        warm_ups=1,
    )
    ours, bare = quotient(ours_many, ours_few), quotient(bare_many, bare_few)
    figure, readings = compare(ours, bare)
    del readings["ratio of bests"]  # the smallest of such quotients are accidents
    readings |= {
        f"ours with {few:,}, us a child": ours_few.median,
        f"ours with {many:,}, us a child": ours_many.median,
        f"bare with {few:,}, us a child": bare_few.median,
        f"bare with {many:,}, us a child": bare_many.median,
    }
    return Finding(
        what=f"growth of that from {few:,} to {many:,} children",
        figure=figure,
        target=1.2,
        unit="x that of bare",
        ours=ours,
        bare=bare,
        samples_in="times longer",
        readings=readings,
    )


def repeated(job: Job, size: int) -> Job:
    """Return the job that does *job* in that size as often as it takes."""

    async def again(count: int) -> None:
        for _ in range(count // size):
            await job(size)

    return again


def quotient(these: Samples, those: Samples) -> Samples:
    """Return how many times as much the one was in each round."""
    return Samples(tuple(a / b for a, b in zip(these.values, those.values, strict=True)))


# Memory


async def idle_children_ours(count: int, note: Callable[[], None]) -> None:
    """Hold children that do nothing."""
    async with open_dynamic_supervisor() as sup:
        for _ in range(count):
            sup.start_soon(trio.sleep_forever)
        await wait_all_tasks_blocked()
        note()


async def idle_children_bare(count: int, note: Callable[[], None]) -> None:
    """Hold tasks that do nothing."""
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(scoped, trio.sleep_forever)
        await wait_all_tasks_blocked()
        note()
        nursery.cancel_scope.cancel()


def idle_memory(plan: Plan) -> Finding:
    """How much more memory does an idle child take than a task asleep in a scope?

    What Python has allocated (by tracemalloc) after a full collection, in a fresh process for
    each sample. It is the same each time to a few bytes, so few rounds do. What the system
    says is told beside it.
    """
    count = plan.size(20_000, smoke=50)
    rounds = plan.rounds(3) if not plan.smoke else 1

    def weigh_both(by: Literal["allocated", "resident"]) -> tuple[Samples, Samples]:
        here = f"{__spec__.name}:idle_children"
        ours = weigh(f"{here}_ours", size=count, rounds=rounds, by=by)
        return ours, weigh(f"{here}_bare", size=count, rounds=rounds, by=by)

    ours, bare = weigh_both("allocated")
    readings: dict[str, float] = {}
    if sys.platform == "linux":
        resident, resident_bare = weigh_both("resident")
        readings = {
            "ours by resident memory, KB a child": resident.median,
            "bare by resident memory, KB a child": resident_bare.median,
            "resident memory above bare, KB a child": resident.median - resident_bare.median,
        }
    return Finding(
        what=f"memory of an idle child, of {count:,}",
        figure=ours.median - bare.median,
        target=2.5,
        unit="KB above bare",
        ours=ours,
        bare=bare,
        samples_in="KB a child",
        readings=readings,
    )


# Crashes


class Crash(Exception):
    """What a child crashes with."""


class Crasher:
    """A function that raises the first so many times it is run."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done = trio.Event()

    async def work(self) -> None:
        """Raise at once, or be done."""
        if self.left:
            self.left -= 1
            raise Crash
        self.done.set()


async def crashes_ours(count: int) -> None:
    """Have a supervisor start it again."""
    crasher = Crasher(count)
    worker = child(crasher.work, restart="transient")
    async with open_supervisor([worker], max_restarts=count):
        await crasher.done.wait()


async def crashes_bare(count: int) -> None:
    """Start it again by hand."""
    crasher = Crasher(count)
    while not crasher.done.is_set():
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(crasher.work)
        except ExceptionGroup:
            continue


def crash_to_running(plan: Plan) -> Finding:
    """How much longer does it take until a child that crashed runs again?

    Bare Trio has a nursery with one task that raises; what it raises is caught, and the next
    nursery opened.
    """
    count = plan.size(1_000, smoke=20)
    with unwritten_log():
        ours, bare = take_turns((crashes_ours, count), (crashes_bare, count), rounds=plan.rounds())
    figure, readings = compare(ours, bare)
    return Finding(
        what="crash to running again",
        figure=figure,
        target=3.0,
        unit="x bare",
        ours=ours,
        bare=bare,
        samples_in="us a crash",
        readings=readings,
    )


# Wake-ups


@attrs.define(eq=False, slots=False)
class Watch(trio.abc.Instrument):
    """How often the Trio loop woke up, and how often any task took a step."""

    wake_ups: int = 0
    steps: int = 0

    def after_io_wait(self, timeout: float) -> None:
        """Count a turn of the loop."""
        self.wake_ups += 1

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a step."""
        self.steps += 1


async def idle_hour() -> tuple[int, int]:
    """Sleep for an hour; return the wake-ups and steps in it."""
    await wait_all_tasks_blocked()
    watch = Watch()
    trio.lowlevel.add_instrument(watch)
    await trio.sleep(3600)
    trio.lowlevel.remove_instrument(watch)
    return watch.wake_ups, watch.steps


async def hour_of_tasks() -> tuple[int, int]:
    """Let tasks be idle that nobody supervises."""
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(scoped, trio.sleep_forever)
        counted = await idle_hour()
        nursery.cancel_scope.cancel()
    return counted


async def hour_of_a_new_supervisor() -> tuple[int, int]:
    """Let children be idle to whom nothing has happened."""
    workers = [child(trio.sleep_forever, grace=10.0, ready_within=60.0) for _ in range(5)]
    async with open_supervisor(workers):
        return await idle_hour()


async def hour_of_an_old_supervisor() -> tuple[int, int]:
    """Let a tree be idle in which children were restarted, stopped, started late."""
    backoff = Backoff(initial=1.0, jitter=0.0)
    workers = [
        child(crash_twice(), name="soon", backoff=backoff),
        child(crash_twice(), name="at once"),
        child(listen, name="listener", grace=600.0),
        child(ready_late, name="late", ready_within=600.0),
        child(trio.sleep_forever, name="stopped", grace=600.0),
    ]
    tree = [subtree(workers, name="static", max_restarts=10), dynamic_subtree(name="dynamic")]
    async with open_supervisor(tree, name="top") as top:
        inner, dynamic = top.children["static"].value, top.children["dynamic"].value
        await inner.stop_child("stopped")
        await inner.stop_child("listener")
        await inner.restart_child("listener")
        for _ in range(100):
            dynamic.start_soon(trio.lowlevel.checkpoint)
        idler = dynamic.start_soon(trio.sleep_forever, grace=600.0)
        dynamic.start_soon(crash_twice(), restart="permanent", backoff=backoff)
        await dynamic.stop_child(idler.name)
        dynamic.start_soon(trio.sleep_forever)
        await trio.sleep(60)
        assert inner.children["soon"].incarnation == inner.children["at once"].incarnation == 3
        return await idle_hour()


def crash_twice() -> AsyncFn:
    """Return a function that crashes when it runs first and second, and then sleeps."""
    crasher = Crasher(2)

    async def work() -> None:
        await crasher.work()
        await trio.sleep_forever()

    return work


async def listen() -> None:
    """Stop when asked."""
    await stop_requested().wait()


async def ready_late(*, task_status: trio.TaskStatus[None]) -> None:
    """Take a second to be ready."""
    await trio.sleep(1)
    task_status.started()
    await trio.sleep_forever()


def idle_wake_ups(plan: Plan) -> Finding:
    """Does a supervisor whose children are idle ever wake up?

    Turns of the Trio loop and steps of tasks in a virtual hour, above those of idle tasks in
    bare Trio; of a new supervisor, and of a tree in which children were restarted (at once and
    after a delay), stopped and started before. It is the same each time: one round.
    """

    def count(hour: Callable[[], Awaitable[tuple[int, int]]]) -> tuple[int, int]:
        with unwritten_log():
            return trio.run(hour, clock=MockClock(autojump_threshold=0))

    tasks, new, old = map(
        count, (hour_of_tasks, hour_of_a_new_supervisor, hour_of_an_old_supervisor)
    )
    readings: dict[str, float] = {}
    for who, (wake_ups, steps) in {"bare": tasks, "new": new, "old": old}.items():
        readings |= {f"turns of the loop, {who}": wake_ups, f"steps of tasks, {who}": steps}
    ours = [max(a, b) for a, b in zip(new, old, strict=True)]
    return Finding(
        what="wake-ups of an idle supervisor in an hour",
        figure=sum(ours) - sum(tasks),
        target=0,
        unit="",
        ours=Samples((sum(ours),)),
        bare=Samples((sum(tasks),)),
        samples_in="turns and steps",
        readings=readings,
    )


BENCHMARKS = (short_children, idle_memory, crash_to_running, growth, idle_wake_ups)
