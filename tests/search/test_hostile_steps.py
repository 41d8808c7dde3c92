"""Tests of searches that are cancelled at one step of the run after the other.

The steps are those of all tasks, so the cancellation comes also in the very tick in which a trial
ends, is pruned, takes too long, or is one failure too many.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_foundation.search import (
    IntUniform,
    SearchResult,
    SearchSpace,
    Standing,
    TooManyFailures,
    Trial,
    random_search,
    report,
)
from trio_foundation.tasks import (
    TaskSupervisor,
    TaskSupervisorNotRunning,
    open_task_supervisor,
)

from ._things import LINE, value_of_x

DISCRETE = SearchSpace(x=IntUniform(0, 3))


class ExpectedError(Exception):
    pass


@attrs.define(eq=False)
class CancelAfter(trio.abc.Instrument):
    """Cancels a scope after so many steps of any tasks."""

    due: int
    scope: trio.CancelScope | None = None

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is None:
            return
        self.due -= 1
        if self.due == 0:
            self.scope.cancel()


def at_every_step(program: Callable[[CancelAfter], Awaitable[None]]) -> None:
    """Run a program again and again, and cancel it a step later each time, until it ends before."""
    for due in itertools.count(1):
        instrument = CancelAfter(due)
        clock = MockClock(autojump_threshold=0)
        trio.run(program, instrument, clock=clock, instruments=[instrument])
        if instrument.due > 0:
            return


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


# What trials do


async def wait(params: dict[str, Any]) -> float:
    await trio.sleep(1)
    return float(params["x"])


async def fail(params: dict[str, Any]) -> float:
    await trio.sleep(1)
    raise ExpectedError


async def shielded(params: dict[str, Any]) -> float:
    with trio.CancelScope(shield=True):
        await trio.sleep(1)
    return float(params["x"])


async def swallow(params: dict[str, Any]) -> float:
    try:
        await trio.sleep(1)
    except trio.Cancelled:  # noqa: ASYNC103  it should not
        return 5.0  # noqa: ASYNC104
    return 1.0


async def untidy(params: dict[str, Any]) -> float:
    try:
        await trio.sleep(1)
    finally:
        raise ExpectedError


async def untidy_family(params: dict[str, Any]) -> float:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 2)
        nursery.start_soon(untidy, params)
    return 1.0


async def tell(params: dict[str, Any]) -> float:
    for step in range(3):
        await report(step, params["x"])
        await trio.sleep(0.5)
    return float(params["x"])


async def tell_from_family(params: dict[str, Any]) -> float:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell, params)
        nursery.start_soon(trio.sleep, 1)
    return 1.0


WAYS: dict[str, Callable[[dict[str, Any]], Awaitable[float]]] = {
    "that wait": wait,
    "that do not wait": value_of_x,
    "that fail": fail,
    "that are shielded": shielded,
    "that swallow their cancellation": swallow,
    "that fail when they are cancelled": untidy,
    "whose tasks do so": untidy_family,
    "that report": tell,
    "whose tasks report": tell_from_family,
}


def is_below_5(standing: Standing) -> bool:
    return standing.score < 5


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "in time": {"trial_timeout": 0.7},
    "pruned": {"pruner": is_below_5},
    "few failures": {"max_failures": 1},
    "all": {"trial_timeout": 0.5, "pruner": is_below_5, "max_failures": 0},
}


@attrs.define(eq=False)
class Attempt:
    """One search, and what is known of it from outside."""

    space: SearchSpace
    evaluate: Callable[[dict[str, Any]], Awaitable[float]]
    path: Path
    options: dict[str, Any]
    told: list[Trial] = attrs.field(factory=list[Trial])
    result: SearchResult | None = None
    has_failed: bool = False

    async def run(self, tasks: TaskSupervisor) -> None:
        self.path.unlink(missing_ok=True)
        try:
            self.result = await random_search(
                self.space,
                self.evaluate,
                seed=1,
                iterations=4,
                journal=self.path,
                tasks=tasks,
                on_trial=self.told.append,
                **self.options,
            )
        except TooManyFailures as error:
            self.has_failed = True
            self.result = error.result

    def check(self) -> None:
        """Each trial is in one place, and whoever is told is told of the same ones."""
        result = self.result
        assert result is not None
        all_of_them = [*result.trials, *result.cancelled]
        indexes = [trial.index for trial in all_of_them]
        assert len(set(indexes)) == len(indexes)
        for trial in all_of_them:
            assert trial.params == self.space.sample(random.Random(f"1:{trial.index}"))
        assert sorted(self.told, key=lambda trial: trial.index) == result.trials
        assert len(self.path.read_bytes().splitlines()) == 1 + len(result.trials)
        has_run_all = len(result.trials) + result.skipped == 4 and not result.cancelled
        assert result.complete == (has_run_all and not self.has_failed)


@pytest.mark.parametrize("parallelism", [1, 3])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("evaluate", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("space", [LINE, DISCRETE], ids=["line", "discrete"])
def test_whenever_a_search_is_cancelled_it_returns_all_that_it_has_found(
    space: SearchSpace,
    evaluate: Callable[[dict[str, Any]], Awaitable[float]],
    options: dict[str, Any],
    parallelism: int,
    tmp_path: Path,
) -> None:
    async def program(instrument: CancelAfter) -> None:
        attempt = Attempt(
            space, evaluate, tmp_path / "j.jsonl", {"parallelism": parallelism, **options}
        )
        async with open_task_supervisor() as tasks:
            before = trio.lowlevel.current_statistics().tasks_living
            with trio.CancelScope() as scope:
                instrument.scope = scope
                await attempt.run(tasks)
            instrument.scope = None
            attempt.check()
            await trio.testing.wait_all_tasks_blocked()
            assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("evaluate", WAYS.values(), ids=WAYS)
def test_a_search_whose_supervisor_is_cancelled_too_returns_all_that_it_has_found(
    evaluate: Callable[[dict[str, Any]], Awaitable[float]], options: dict[str, Any], tmp_path: Path
) -> None:
    async def program(instrument: CancelAfter) -> None:
        attempt = Attempt(LINE, evaluate, tmp_path / "j.jsonl", {"parallelism": 2, **options})
        with trio.CancelScope() as scope:
            instrument.scope = scope
            async with open_task_supervisor() as tasks:
                await attempt.run(tasks)
        instrument.scope = None
        attempt.check()

    at_every_step(program)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("evaluate", WAYS.values(), ids=WAYS)
def test_a_supervisor_that_is_cancelled_at_any_step_ends_searches_of_other_tasks(
    evaluate: Callable[[dict[str, Any]], Awaitable[float]], options: dict[str, Any], tmp_path: Path
) -> None:
    async def program(instrument: CancelAfter) -> None:
        attempt = Attempt(LINE, evaluate, tmp_path / "j.jsonl", {"parallelism": 2, **options})
        before = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:

            async def own(*, task_status: trio.TaskStatus[TaskSupervisor]) -> None:
                with trio.CancelScope() as scope:
                    async with open_task_supervisor() as tasks:
                        instrument.scope = scope
                        task_status.started(tasks)
                        await trio.sleep(30)

            tasks = await nursery.start(own)
            try:
                await attempt.run(tasks)
                attempt.check()
            except TaskSupervisorNotRunning:
                pass
            instrument.scope = None
            nursery.cancel_scope.cancel()
        assert tasks.running == 0
        assert trio.lowlevel.current_statistics().tasks_living == before

    at_every_step(program)
