"""Attacks: crashes, orders and a deadline at random, over many seeds."""

from __future__ import annotations

import random

import pytest
import trio
import trio.testing

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildSpec,
    ChildStartFailed,
    IgnoreChild,
    Liveness,
    Restart,
    ShutdownChild,
    Supervisor,
    SupervisorClosed,
    child,
    cleanup_scope,
    dynamic_subtree,
    open_supervisor,
    stop_requested,
    subtree,
)

REFUSALS = (ChildExists, ChildNotFound, ChildRunning, ChildStartFailed, SupervisorClosed)


class Storm:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.alive = 0

    async def child(self, *, task_status: trio.TaskStatus[None]) -> None:
        self.alive += 1
        try:
            await self.live(task_status)
        finally:
            try:
                if self.random.random() < 0.5:
                    with cleanup_scope():
                        await trio.sleep(self.random.random())
            finally:
                self.alive -= 1

    async def live(self, task_status: trio.TaskStatus[None]) -> None:
        dice = self.random
        await trio.sleep(dice.choice([0, 0, 0.25, 0.5]))
        if dice.random() < 0.1:
            raise dice.choice([IgnoreChild(), ValueError("start"), ShutdownChild()])
        task_status.started()
        if dice.random() < 0.3:
            with trio.move_on_after(dice.random()):
                await stop_requested().wait()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, dice.random() * 2)
            await trio.sleep(dice.choice([0, 0.25, 0.5, 1.0, 100.0]))
            nursery.cancel_scope.cancel()
        if dice.random() < 0.7:
            raise dice.choice([ValueError("x"), ShutdownChild(), ExceptionGroup("g", [OSError()])])

    def spec(self, depth: int = 0) -> ChildSpec:
        dice = self.random
        restarts: list[Restart] = ["permanent", "transient", "temporary"]
        restart = dice.choice(restarts)
        if depth < 2 and dice.random() < 0.3:
            if dice.random() < 0.3:
                return dynamic_subtree(name=f"d{dice.random()}", restart=restart)
            return subtree(
                [self.spec(depth + 1) for _ in range(dice.randrange(4))],
                name=f"s{dice.random()}",
                strategy=dice.choice(["one_for_one", "one_for_all", "rest_for_one"]),
                max_restarts=1000,
                restart=restart,
            )
        return child(
            self.child,
            restart=restart,
            grace=dice.choice([0.0, 0.5, 5.0]),
            ready_within=dice.choice([0.3, 10.0]),
            backoff=dice.choice([None, None, Backoff(initial=0.5)]),
            liveness=dice.choice([None, Liveness(every=0.5, misses=2)]),
        )

    async def order(self, sup: Supervisor) -> None:
        dice = self.random
        while True:
            await trio.sleep(dice.choice([0, 0.25, 0.5]))
            names = [*sup.children, "nobody"]
            name = dice.choice(names)
            try:
                with trio.move_on_after(dice.choice([0, 0.25, 0.5, 100])):
                    match dice.randrange(6):
                        case 0:
                            await sup.start_child(self.spec())
                        case 1:
                            await sup.stop_child(name)
                        case 2:
                            await sup.restart_child(name)
                        case 3:
                            sup.delete_child(name)
                        case 4:
                            sup.start_soon(self.child, restart="temporary")
                        case _:
                            str(sup.snapshot())
                            sup.count_children()
            except REFUSALS:
                pass

    async def run(self) -> None:
        dice = self.random
        deadline = dice.random() * 6
        tasks = trio.lowlevel.current_statistics().tasks_living
        with trio.move_on_after(deadline) as scope:
            try:
                async with (
                    open_supervisor(
                        [self.spec() for _ in range(4)],
                        strategy=dice.choice(["one_for_one", "one_for_all", "rest_for_one"]),
                        max_restarts=10_000,
                        rng=dice,
                    ) as sup,
                    trio.open_nursery() as nursery,
                ):
                    nursery.start_soon(self.order, sup)
                    nursery.start_soon(self.order, sup)
            except ChildStartFailed:
                deadline = -1
        assert scope.cancelled_caught or deadline == -1
        assert self.alive == 0
        assert trio.lowlevel.current_statistics().tasks_living == tasks


@pytest.mark.parametrize("decade", range(30))
def test_a_storm_ends_by_its_deadline_and_leaves_nobody_behind(decade: int) -> None:
    for seed in range(10 * decade, 10 * decade + 10):
        trio.run(Storm(seed).run, clock=trio.testing.MockClock(autojump_threshold=0))
