"""Tests of maps where no task supervisor is open: an error, or what was done before."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation import flags
from trio_foundation.tasks import (
    TaskSupervisorNotRunning,
    open_map,
    open_task_supervisor,
    parallel_map,
)

from ._things import Failure, Work, double, fail, leaves_of, values_of

LINE = "no TaskSupervisor is running here: open one with open_task_supervisor()"


async def test_it_is_an_error_that_says_what_to_write() -> None:
    work = Work()
    with pytest.raises(TaskSupervisorNotRunning, match=re.escape(LINE)) as caught:
        await parallel_map(work.do, "ab")
    assert (work.started, caught.value.name) == ([], None)
    with pytest.raises(TaskSupervisorNotRunning, match=re.escape(LINE)):
        open_map(work.do, "ab")


async def test_a_nursery_is_no_supervisor() -> None:
    tasks: Any
    async with trio.open_nursery() as nursery, open_task_supervisor():
        for tasks in (nursery, open_task_supervisor(), 3):
            with pytest.raises(TypeError, match=r"tasks must be what open_task_supervisor\(\) giv"):
                await parallel_map(double, "ab", tasks=tasks)
            with pytest.raises(TypeError, match="a TaskSupervisor, not "):
                open_map(double, "ab", tasks=tasks)


async def test_a_flag_lets_a_map_open_a_block_of_its_own(autojump_clock: MockClock) -> None:
    work = Work(1.0)
    with flags(use_supervised_tasks_only=False):
        with pytest.warns(DeprecationWarning, match="parallel_map opens a block of its own"):
            assert values_of(await parallel_map(work.do, "abc", limit=3)) == ["a", "b", "c"]
        with pytest.warns(DeprecationWarning, match="open_map opens a block of its own"):
            block = open_map(work.do, "abc", limit=3)
        async with block as results:
            assert values_of([one async for one in results]) == ["a", "b", "c"]
    with pytest.raises(TaskSupervisorNotRunning):
        await parallel_map(work.do, "ab")


async def test_the_warning_points_at_the_line_that_is_to_be_changed() -> None:
    with flags(use_supervised_tasks_only=False), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        await parallel_map(double, [1])
        open_map(double, [1])
    assert [warning.filename for warning in told] == [__file__, __file__]
    assert told[1].lineno == told[0].lineno + 1


async def test_where_there_is_one_it_is_used_without_a_warning() -> None:
    with flags(use_supervised_tasks_only=False):
        async with open_task_supervisor():
            assert values_of(await parallel_map(double, [1])) == [2]
            async with open_map(double, [1]) as results:
                assert values_of([one async for one in results]) == [2]


@pytest.mark.filterwarnings("ignore:.*opens a block of its own")
async def test_such_a_map_is_like_any_other(autojump_clock: MockClock) -> None:
    work = Work(5.0)
    with flags(use_supervised_tasks_only=False):
        with trio.move_on_after(1.0) as scope:
            await parallel_map(work.do, "ab", limit=2)
        assert scope.cancelled_caught
        async with open_map(work.do, "cd", limit=2):
            await trio.sleep(1.0)
        with pytest.raises(Failure):
            async with open_map(work.do, "ef", limit=2):
                await trio.sleep(1.0)
                raise Failure
        with pytest.raises((Failure, ExceptionGroup)) as caught:
            await parallel_map(fail, "a", on_error="raise")
    assert sorted(work.cancelled) == list("abcdef")
    assert [type(leaf) for leaf in leaves_of(caught.value)] == [Failure]


@pytest.mark.filterwarnings("ignore:.*opens a block of its own")
async def test_its_function_finds_the_block_of_its_own() -> None:
    async def inner(item: int) -> Any:
        return values_of(await parallel_map(double, range(item)))

    with flags(use_supervised_tasks_only=False):
        assert values_of(await parallel_map(inner, [0, 2])) == [[], [0, 2]]


@pytest.mark.filterwarnings("ignore:.*opens a block of its own")
async def test_what_is_wrong_is_refused_there_too() -> None:
    wrong: Any = 3
    with flags(use_supervised_tasks_only=False):
        with pytest.raises(TypeError, match="parallel_map takes items that can be iterated over"):
            await parallel_map(double, wrong)
        with pytest.raises(TypeError, match="open_map takes items that can be iterated over"):
            async with open_map(double, wrong):
                pass
