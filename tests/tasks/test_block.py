"""Tests of the block that owns tasks: how it ends, what it counts, and which is the nearest."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.tasks import (
    Failed,
    Ok,
    Task,
    TaskCancelled,
    TaskStarted,
    TaskSupervisor,
    TaskSupervisorNotRunning,
    TooManyTasks,
    open_map,
    open_task_supervisor,
    parallel_map,
)
from trio_foundation.telemetry import subscribe

from ._things import Failure, Source, Work, double, fail, loose_groups

# How it ends


async def test_it_waits_for_its_tasks_when_its_body_has_ended(autojump_clock: MockClock) -> None:
    work = Work(5.0)
    async with open_task_supervisor() as tasks:
        tasks.start_soon(work.do, "a")
    assert (work.ended, trio.current_time()) == (["a"], 5.0)


async def test_a_task_that_it_waits_for_may_start_others(autojump_clock: MockClock) -> None:
    work = Work(1.0)

    async def chain(length: int) -> None:
        await work.do(length)
        if length:
            tasks.start_soon(chain, length - 1)

    async with open_task_supervisor() as tasks:
        tasks.start_soon(chain, 3)
    assert work.ended == [3, 2, 1, 0]


async def test_an_error_of_the_body_cancels_them_and_comes_out_bare(
    autojump_clock: MockClock,
) -> None:
    work, error = Work(5.0), Failure()
    started: list[Task[str]] = []
    with pytest.raises(Failure) as caught:
        async with open_task_supervisor() as tasks:
            started.append(tasks.start_soon(work.do, "a"))
            await trio.sleep(1.0)
            raise error
    assert caught.value is error
    assert (work.cancelled, trio.current_time()) == (["a"], 1.0)
    outcome = await started[0].outcome()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, TaskCancelled)


async def test_a_cancelled_body_cancels_them(autojump_clock: MockClock) -> None:
    work = Work(5.0)
    with trio.move_on_after(1.0) as scope:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(work.do, "a")
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert (work.cancelled, trio.current_time()) == (["a"], 1.0)


async def test_to_be_cancelled_while_it_waits_cancels_them(autojump_clock: MockClock) -> None:
    work = Work(5.0)
    with trio.move_on_after(1.0) as scope:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(work.do, "a")
    assert scope.cancelled_caught
    assert (work.cancelled, trio.current_time()) == (["a"], 1.0)


async def test_an_error_of_a_body_that_is_cancelled_too_is_not_lost(
    autojump_clock: MockClock,
) -> None:
    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1.0)

    with pytest.raises(Failure), trio.CancelScope() as scope:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(stubborn)
            await wait_all_tasks_blocked()
            scope.cancel()
            raise Failure


async def test_its_end_raises_a_cancellation_if_that_has_hit_a_task_as_a_nursery_does() -> None:
    with trio.CancelScope() as scope:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(trio.sleep_forever)
            scope.cancel()
    assert scope.cancelled_caught


async def test_what_its_body_returns_is_not_lost_to_a_cancellation_that_hit_nobody() -> None:
    async def work() -> str:
        async with open_task_supervisor():
            scope.cancel()
            return "what was found"

    with trio.CancelScope() as scope:
        assert await work() == "what was found"
    assert not scope.cancelled_caught


@loose_groups
@pytest.mark.parametrize("strict", [True, False], ids=["strict", "loose"])
def test_an_exit_in_a_task_ends_it_all_and_comes_out_bare(strict: bool) -> None:
    work = Work()

    async def leave() -> None:
        await trio.lowlevel.checkpoint()
        raise SystemExit(3)

    async def main() -> None:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(work.do, "a")
            tasks.start_soon(leave)
            await trio.sleep_forever()

    with pytest.raises(SystemExit):
        trio.run(main, strict_exception_groups=strict)
    assert work.cancelled == ["a"]


def test_an_exit_among_the_children_of_a_task_goes_up() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def parent() -> None:
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(leave)

    async def main() -> None:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(parent)

    with pytest.raises((SystemExit, BaseExceptionGroup)):
        trio.run(main)


async def test_it_is_entered_once() -> None:
    block = open_task_supervisor()
    async with block:
        pass
    with pytest.raises(RuntimeError, match=r"entered once: call open_task_supervisor\(\) again"):
        async with block:
            pass


# What it counts


async def test_it_says_how_much_it_runs(autojump_clock: MockClock) -> None:
    async with open_task_supervisor(name="thumbnails") as tasks:
        assert (tasks.name, tasks.max_tasks, tasks.is_open) == ("thumbnails", math.inf, True)
        tasks.start_soon(trio.sleep, 1.0)
        tasks.start_soon(fail).cancel()
        assert repr(tasks) == "<TaskSupervisor 'thumbnails' runs 2 tasks>"
        await trio.sleep(0.5)
        assert tasks.running == 1
    assert (tasks.running, tasks.is_open) == (0, False)


async def test_the_items_of_its_maps_count(autojump_clock: MockClock) -> None:
    async with open_task_supervisor() as tasks:
        async with tasks.open_map(Work().do, range(9), limit=3):
            await trio.sleep(0.5)
            assert tasks.running == 3
        assert tasks.running == 0


async def test_no_more_tasks_than_it_may_run(autojump_clock: MockClock) -> None:
    async with open_task_supervisor(name="few", max_tasks=2) as tasks:
        tasks.start_soon(trio.sleep, 1.0)
        tasks.start_soon(trio.sleep, 2.0)
        with pytest.raises(TooManyTasks) as caught:
            tasks.start_soon(trio.sleep, 3.0)
        assert str(caught.value) == (
            "task supervisor 'few' may not run more than 2 at once: raise its max_tasks, or lower "
            "the limit of its maps"
        )
        assert (caught.value.name, caught.value.max_tasks) == ("few", 2)
        await trio.sleep(1.5)
        tasks.start_soon(trio.sleep, 3.0)


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_map_that_needs_more_ends_with_that(kind: str, autojump_clock: MockClock) -> None:
    async def numbers() -> Any:
        for number in range(9):
            yield number

    work = Work()
    items: Any = range(9) if kind == "plain" else numbers()
    async with open_task_supervisor(max_tasks=2) as tasks:
        with pytest.raises(TooManyTasks):
            await tasks.parallel_map(work.do, items, limit=3)
        assert tasks.running == 0
        assert (work.running, work.ended) == (0, [])


@pytest.mark.parametrize("on_error", ["collect", "raise"])
@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_map_for_which_there_is_no_task_at_all_does_not_return_nothing(
    kind: str, on_error: Any, autojump_clock: MockClock
) -> None:
    async def numbers() -> Any:
        yield 0

    def items() -> Any:
        return [0] if kind == "plain" else numbers()

    work = Work()
    async with open_task_supervisor(max_tasks=1) as tasks:
        tasks.start_soon(trio.sleep, 1.0)
        with pytest.raises(TooManyTasks):
            await tasks.parallel_map(work.do, items(), on_error=on_error)
        async with tasks.open_map(work.do, items(), on_error=on_error) as results:
            with pytest.raises(TooManyTasks):
                await results.receive()
        assert await tasks.parallel_map(work.do, [], on_error=on_error) == []
    assert work.ended == []


async def test_so_does_one_that_hands_out_its_results(autojump_clock: MockClock) -> None:
    async with open_task_supervisor(max_tasks=2) as tasks:
        async with tasks.open_map(Work().do, range(9), limit=3) as results:
            with pytest.raises(TooManyTasks):
                await results.receive()
            with pytest.raises(trio.EndOfChannel):
                await results.receive()


async def test_a_map_may_use_all_that_there_is(autojump_clock: MockClock) -> None:
    async with open_task_supervisor(max_tasks=3) as tasks:
        assert len(await tasks.parallel_map(double, range(9), limit=3)) == 9
        assert len(await tasks.parallel_map(double, [1], limit=100)) == 1


@pytest.mark.parametrize("kind", ["plain", "slow"])
async def test_a_map_of_few_items_needs_few(kind: str, autojump_clock: MockClock) -> None:
    async with open_task_supervisor(max_tasks=2) as tasks:
        items: Any = getattr(Source("ab"), kind)()
        assert len(await tasks.parallel_map(Work().do, items, limit=9)) == 2


async def test_one_whose_input_raises_then_ends_with_that(autojump_clock: MockClock) -> None:
    source = Source("ab", error=Failure())
    async with open_task_supervisor(max_tasks=2) as tasks:
        with pytest.raises(Failure):
            await tasks.parallel_map(Work().do, source.plain(), limit=9)


@pytest.mark.parametrize("max_tasks", [0, -1, math.nan])
def test_there_is_no_supervisor_of_no_tasks(max_tasks: float) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(f"not {max_tasks!r}")) as caught:
        open_task_supervisor(max_tasks=max_tasks)
    assert "max_tasks must be" in str(caught.value)


@pytest.mark.parametrize("max_tasks", [True, 1.5, "2", None])
def test_there_is_none_of_some_tasks(max_tasks: Any) -> None:
    message = f"max_tasks must be a whole number or math.inf, not {max_tasks!r}"
    with pytest.raises(TypeError, match=re.escape(message)):
        open_task_supervisor(max_tasks=max_tasks)


def test_it_needs_a_name() -> None:
    with pytest.raises(ValueError, match="name must not be empty"):
        open_task_supervisor(name="")


# Which is the nearest


async def owner_of_a_map() -> str:
    """Return the name of the supervisor that a map finds, here."""
    started: list[TaskStarted] = []
    with subscribe(started.append, TaskStarted):
        await parallel_map(double, [1])
    (one,) = started
    return one.supervisor


async def test_the_nearest_is_the_innermost() -> None:
    async with open_task_supervisor(name="outer"):
        async with open_task_supervisor(name="inner"):
            assert await owner_of_a_map() == "inner"
        assert await owner_of_a_map() == "outer"
    with pytest.raises(TaskSupervisorNotRunning):
        await owner_of_a_map()


async def test_a_task_finds_the_one_around_who_started_it() -> None:
    async with open_task_supervisor(name="outer") as outer, open_task_supervisor(name="inner"):
        assert (await outer.start_soon(owner_of_a_map).outcome()).unwrap() == "inner"


async def test_nearest_means_nearest_that_is_still_open(autojump_clock: MockClock) -> None:
    found: list[str] = []

    async def look_later() -> None:
        await trio.sleep(1.0)
        found.append(await owner_of_a_map())

    async with open_task_supervisor(name="outer"), trio.open_nursery() as nursery:
        async with open_task_supervisor(name="inner") as inner:
            nursery.start_soon(look_later)
        assert not inner.is_open
    assert found == ["outer"]


async def test_where_all_have_closed_there_is_none(autojump_clock: MockClock) -> None:
    async def look_later() -> None:
        await trio.sleep(1.0)
        with pytest.raises(TaskSupervisorNotRunning, match="open one with open_task_supervisor"):
            await parallel_map(double, [1])

    async with trio.open_nursery() as nursery:
        async with open_task_supervisor(), open_task_supervisor():
            nursery.start_soon(look_later)


async def test_one_that_is_given_is_used(autojump_clock: MockClock) -> None:
    async with open_task_supervisor(name="outer") as outer, open_task_supervisor() as inner:
        async with open_map(trio.sleep, [9.0], tasks=outer):
            await wait_all_tasks_blocked()
            assert (outer.running, inner.running) == (1, 0)
        assert await parallel_map(double, [1], tasks=outer) == [Ok(1, 2)]


async def test_blocks_may_be_left_in_another_order() -> None:
    first, second = open_task_supervisor(name="first"), open_task_supervisor(name="second")
    first_has_closed = trio.Event()

    async def use_the_second(task_status: trio.TaskStatus[None]) -> None:
        async with second:
            task_status.started()
            await first_has_closed.wait()
            assert await owner_of_a_map() == "second"

    async with trio.open_nursery() as nursery:
        async with first:
            await nursery.start(use_the_second)
            assert await owner_of_a_map() == "first"
        first_has_closed.set()


@pytest.fixture(name="tasks")
async def a_block() -> AsyncGenerator[TaskSupervisor]:
    async with open_task_supervisor(name="fixture") as tasks:
        yield tasks


async def test_a_block_may_be_a_fixture(tasks: TaskSupervisor) -> None:
    assert tasks.is_open
    assert await owner_of_a_map() == "fixture"
