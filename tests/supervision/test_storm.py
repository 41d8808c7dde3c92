"""Storms: trees whose children crash all the time, under orders, until a deadline cuts in.

Whatever happens, the block is left in one of the ways it may be left in, and nothing is left
behind: no task, no child, no start after the end.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, get_args

import attrs
import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio import TrioInternalError
from trio.testing import MockClock

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildEvent,
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildSpec,
    ChildStarted,
    ChildStartFailed,
    ChildStopping,
    IgnoreChild,
    Liveness,
    Restart,
    RestartLimitReached,
    ShutdownChild,
    Strategy,
    SupervisionEvent,
    SupervisorClosed,
    TooManyChildren,
    child,
    cleanup_scope,
    current_child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
    subtree,
)
from trio_foundation.telemetry import subscribe

from ._puppets import Crash

# Three times as many as other tests have: some hundreds by day, thousands by night.
many_storms = settings(max_examples=3 * settings().max_examples)

SEEDS = st.integers(0, 2**32 - 1)

ENDLESS = 10**9

RESTARTS: list[Restart] = ["permanent", "permanent", "transient", "temporary"]

REFUSALS = (
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildStartFailed,
    SupervisorClosed,
    TooManyChildren,
)


@pytest.fixture(scope="module", autouse=True)
def no_log() -> Iterator[None]:
    """Keep thousands of crashes out of the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@attrs.define(eq=False)
class Storm:
    """A tree of chaotic children, those who give it orders, and a count of who is alive."""

    rng: Random
    max_restarts: int = ENDLESS
    is_dynamic: bool = False
    fatal: BaseException | None = None
    """What one of the children raises in the end, if any does."""
    alive: Counter[str] = attrs.field(factory=Counter[str])
    restarts: int = 0
    is_leaving: bool = False
    late_starts: list[str] = attrs.field(factory=list[str])
    busy_with: str | None = None
    """The child that the supervisor starts or stops, if it has to do so one at a time."""
    overlaps: list[SupervisionEvent] = attrs.field(factory=list[SupervisionEvent])

    # The children

    async def chaos(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Live one incarnation: be ready or not, and end in some way or other."""
        with self.being_alive():
            try:
                await self.pause()
                self.refuse()
                task_status.started()
                if self.rng.random() < 0.3:
                    stop_requested()
                await self.rng.choice([self.pause, self.work_in_tasks, self.work_to_a_deadline])()
                self.fall()
            finally:
                with cleanup_scope():
                    await self.pause()

    async def squall(self) -> None:
        """Live one incarnation: be ready at once, and crash soon."""
        with self.being_alive():
            await trio.sleep(self.rng.choice([0.05, 0.1, 0.5]))
            raise Crash("as always")

    @contextmanager
    def being_alive(self) -> Generator[None]:
        name = f"{current_child().spec.name} of {id(current_child())}"
        self.alive[name] += 1
        assert self.alive[name] == 1, "two incarnations of one child at once"
        try:
            yield
        finally:
            self.alive[name] -= 1

    async def pause(self) -> None:
        if self.rng.random() < 0.8:
            await trio.sleep(self.rng.choice([0.0, 0.05, 0.1, 0.5, 3.0]))

    async def work_in_tasks(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.pause)
            nursery.start_soon(self.pause_and_fall)

    async def pause_and_fall(self) -> None:
        await self.pause()
        self.fall()

    async def work_to_a_deadline(self) -> None:
        with trio.move_on_after(0.5):
            await trio.sleep_forever()

    def refuse(self) -> None:
        if self.rng.random() < 0.1:
            raise self.rng.choice([Crash, IgnoreChild, ShutdownChild])("before it was ready")

    def fall(self) -> None:
        if self.fatal is not None and self.rng.random() < 0.05:
            raise self.fatal
        if self.rng.random() < 0.7:
            raise self.rng.choice([Crash, Crash, ShutdownChild])("of itself")

    # The tree

    def worker(self) -> ChildSpec:
        rng = self.rng
        backoff = Backoff(initial=rng.choice([0.0, 0.1, 1.0]), maximum=2.0, jitter=0.5)
        return child(
            self.chaos,
            restart=rng.choice(RESTARTS),
            grace=rng.choice([0.0, 0.5, 5.0]),
            ready_within=rng.choice([0.3, 2.0, math.inf]),
            backoff=rng.choice([None, backoff]),
            liveness=rng.choice([None, Liveness(every=0.5, misses=2)]),
        )

    def branch(self, depth: int = 0) -> ChildSpec:
        rng = self.rng
        if depth == 2 or rng.random() < 0.6:
            return self.worker()
        if rng.random() < 0.3:
            return dynamic_subtree(name=f"jobs {rng.random()}", max_restarts=self.max_restarts)
        return subtree(
            [self.calm(), *(self.branch(depth + 1) for _ in range(rng.randrange(3)))],
            name=f"tree {rng.random()}",
            strategy=rng.choice(get_args(Strategy)),
            max_restarts=rng.choice([1, self.max_restarts]),
            restart=rng.choice(RESTARTS),
            grace=rng.choice([1.0, math.inf]),
        )

    def calm(self) -> ChildSpec:
        return child(trio.sleep_forever)

    # Those who give orders

    async def give_orders(self, sup: Any) -> None:
        while True:
            with trio.move_on_after(self.rng.choice([0.0, 0.3, 2.0])), suppress(*REFUSALS):
                await self.rng.choice(self.orders(sup))()
            await trio.sleep(self.rng.choice([0.0, 0.1, 0.3]))

    def orders(self, sup: Any) -> list[Callable[[], Awaitable[object]]]:
        async def start_soon() -> None:
            sup.start_soon(self.chaos, restart=self.rng.choice(RESTARTS))

        async def delete() -> None:
            sup.delete_child(self.somebody(sup))

        orders: list[Callable[[], Awaitable[object]]] = [
            start_soon,
            lambda: sup.start_child(self.branch()),
            lambda: sup.stop_child(self.somebody(sup)),
        ]
        if hasattr(sup, "restart_child"):
            orders += [delete, lambda: sup.restart_child(self.somebody(sup))]
        return orders

    def somebody(self, sup: Any) -> str:
        names: list[str] = [*sup.children, "nobody"]
        return self.rng.choice(names)

    # The storm

    async def rage(self, sup: Any) -> None:
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(self.give_orders, sup)
        finally:
            with trio.CancelScope(shield=True):
                await self.pause()
            self.is_leaving = True

    def note(self, event: ChildEvent) -> None:
        """Look for starts after the end, and for two starts or stops at once."""
        if isinstance(event, ChildStarted):
            self.restarts += event.incarnation > 1
            if self.is_leaving and event.supervisor == "storm":
                self.late_starts.append(event.child)
        if event.supervisor != "storm" or self.is_dynamic:
            return
        if isinstance(event, ChildStarted) or (
            isinstance(event, ChildStopping)
            and not event.cause.startswith(("no beat", "not ready"))
        ):
            if self.busy_with not in {None, event.child}:
                self.overlaps.append(event)
            self.busy_with = event.child
        elif self.busy_with == event.child and not isinstance(event, ChildStopping):
            self.busy_with = None

    async def run(self, deadline: float) -> BaseException | str:
        """Let it rage, and return how the block was left."""
        before = tasks()
        sup: Any = None
        left: BaseException | str = "ended"
        try:
            with trio.move_on_after(deadline) as scope, subscribe(self.note, ChildEvent):
                async with self.opened() as sup:
                    await self.rage(sup)
            left = "cancelled" if scope.cancelled_caught else "ended"
        except BaseException as error:  # noqa: BLE001
            left = error
        self.check_that_nothing_is_left(before, sup)
        return left

    def opened(self) -> Any:
        if self.is_dynamic:
            return open_dynamic_supervisor(name="storm", max_restarts=self.max_restarts)
        return open_supervisor(
            [self.rng.choice([self.calm(), child(self.squall)]) for _ in range(4)],
            name="storm",
            strategy=self.rng.choice(get_args(Strategy)),
            max_restarts=self.max_restarts,
            rng=Random(self.rng.random()),
        )

    def check_that_nothing_is_left(self, before: int, sup: Any) -> None:
        assert +self.alive == Counter()
        assert tasks() == before
        assert self.late_starts == []
        assert self.overlaps == []
        if sup is not None:
            assert sup.count_children().active == 0
            assert {one.state for one in sup.children.values()} <= {"stopped", "ignored"}


def tasks() -> int:
    root = trio.lowlevel.current_root_task()
    assert root is not None
    found = [root]
    for task in found:
        for nursery in task.child_nurseries:
            found += nursery.child_tasks
    return len(found)


def outcome_of(storm: Storm) -> BaseException | str:
    deadline = storm.rng.choice([storm.rng.uniform(0.0, 10.0), storm.rng.randrange(20) / 2])
    return trio.run(storm.run, deadline, clock=MockClock(autojump_threshold=0))


@many_storms
@given(SEEDS)
def test_a_storm_that_a_deadline_cuts_off_leaves_nothing_but_the_cancellation(seed: int) -> None:
    # Rules R5, R7, R9, R26 and R34.
    assert outcome_of(Storm(Random(seed))) == "cancelled"


@given(SEEDS)
def test_so_does_a_storm_of_children_that_come_and_go(seed: int) -> None:
    assert outcome_of(Storm(Random(seed), is_dynamic=True)) == "cancelled"


@given(SEEDS, st.booleans(), st.integers(0, 3))
def test_a_storm_that_passes_its_limit_fails_or_is_cancelled(
    seed: int, is_dynamic: bool, max_restarts: int
) -> None:
    # Rule R16.
    left = outcome_of(Storm(Random(seed), max_restarts, is_dynamic))
    assert left == "cancelled" or isinstance(left, RestartLimitReached)


@given(SEEDS, st.booleans(), st.sampled_from([KeyboardInterrupt, SystemExit, TrioInternalError]))
def test_a_storm_with_an_interrupt_leaves_it_bare_or_is_cancelled(
    seed: int, is_dynamic: bool, kind: type[BaseException]
) -> None:
    # Rules R13 and R16.
    fatal = kind("from a child")
    left = outcome_of(Storm(Random(seed), is_dynamic=is_dynamic, fatal=fatal))
    assert left in ("cancelled", fatal)


@pytest.mark.parametrize("is_dynamic", [False, True], ids=["static", "dynamic"])
def test_storms_are_storms(is_dynamic: bool) -> None:
    # Or else the tests above would pass for want of wind.
    storms = [Storm(Random(seed), is_dynamic=is_dynamic) for seed in range(20)]
    for storm in storms:
        assert outcome_of(storm) == "cancelled"
    # It is some 200, and up to the order in which Trio runs the tasks, which nobody chooses here.
    assert sum(storm.restarts for storm in storms) > 100
