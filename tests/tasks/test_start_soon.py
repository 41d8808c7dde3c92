"""Tests of tasks that are started by themselves: what becomes of one, and how that is known."""

from __future__ import annotations

import functools
import gc
import logging
import re
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.tasks import (
    Failed,
    Ok,
    Task,
    TaskCancelled,
    TaskSupervisor,
    TaskSupervisorNotRunning,
    open_task_supervisor,
)

from ._things import Failure, Work, double, fail, leaves_of


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


# What became of it


async def test_its_outcome_is_what_it_returned() -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(double, 4)
        assert await task.outcome() == Ok((4,), 8)


async def test_its_outcome_is_what_it_raised() -> None:
    error = Failure()
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(fail_with, error, "second")
        outcome = await task.outcome()
    assert outcome == Failed((error, "second"), error)


async def fail_with(error: Exception, *_: object) -> None:
    await trio.lowlevel.checkpoint()
    raise error


async def test_it_can_be_asked_again_and_after_the_block() -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(double, 4)
    assert await task.outcome() is await task.outcome()


async def test_to_ask_is_a_checkpoint_also_when_it_has_ended() -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(double, 4)
        await task.outcome()
        with assert_checkpoints():
            await task.outcome()


async def test_it_is_done_when_it_has_ended(autojump_clock: MockClock) -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(trio.sleep, 1.0)
        assert (task.done, task.name, repr(task)) == (False, "sleep", "<Task sleep runs>")
        await trio.sleep(2.0)
        assert (task.done, repr(task)) == (True, "<Task sleep ok>")


async def test_it_says_how_it_failed() -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(fail)
        await task.outcome()
    assert repr(task) == "<Task fail failed>"


async def test_keywords_are_bound_beforehand() -> None:
    async def add(a: int, *, b: int) -> int:
        return a + b

    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(functools.partial(add, b=2), 1)
        assert (await task.outcome()).unwrap() == 3
        assert task.name == "add"


async def test_a_group_that_it_raises_is_its_error() -> None:
    async def many() -> None:
        raise ExceptionGroup("two", [Failure(1), Failure(2)])

    async with open_task_supervisor() as tasks:
        outcome = await tasks.start_soon(many).outcome()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ExceptionGroup)


# It hurts nobody else


async def test_its_crash_hurts_neither_the_body_nor_the_others(autojump_clock: MockClock) -> None:
    work = Work()
    async with open_task_supervisor() as tasks:
        crashed = tasks.start_soon(fail)
        tasks.start_soon(work.do, "other")
        await trio.sleep(0.5)
        assert (crashed.done, work.running) == (True, 1)
        await crashed.outcome()
    assert work.ended == ["other"]


async def test_it_sees_the_context_of_who_started_it_and_changes_only_its_own() -> None:
    import contextvars  # noqa: PLC0415  for this one alone

    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")

    async def look() -> str:
        seen = var.get()
        var.set("the task")
        return seen

    async with open_task_supervisor() as tasks:
        var.set("who started it")
        assert (await tasks.start_soon(look).outcome()).unwrap() == "who started it"
    assert var.get() == "who started it"


# To cancel


async def test_one_that_was_cancelled_has_failed_with_that(autojump_clock: MockClock) -> None:
    work = Work(9.0)
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(work.do, "a")
        tasks.start_soon(work.do, "b")
        await wait_all_tasks_blocked()
        task.cancel()
        outcome = await task.outcome()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, TaskCancelled)
    assert (outcome.item, outcome.error.name) == (("a",), "do")
    assert (work.cancelled, work.ended) == (["a"], ["b"])


async def test_one_that_is_cancelled_before_it_begins_ends_at_its_first_checkpoint() -> None:
    work = Work()
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(work.do, "a")
        task.cancel()
    assert (work.started, work.cancelled, task.done) == (["a"], ["a"], True)


async def test_to_cancel_one_that_has_ended_changes_nothing() -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(double, 1)
        before = await task.outcome()
        task.cancel()
        assert await task.outcome() is before


async def test_one_that_returns_all_the_same_was_not_cancelled() -> None:
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()
        return "done"

    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(stubborn)
        task.cancel()
        assert await task.outcome() == Ok((), "done")


async def test_an_error_while_it_is_cancelled_is_its_error() -> None:
    async def clumsy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(clumsy)
        task.cancel()
        outcome = await task.outcome()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Failure)


async def test_so_is_one_among_its_own_children() -> None:
    async def clumsy_child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Failure

    async def parent() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clumsy_child)
            nursery.start_soon(trio.sleep_forever)

    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(parent)
        await wait_all_tasks_blocked()
        task.cancel()
        outcome = await task.outcome()
    assert isinstance(outcome, Failed)
    assert [type(leaf) for leaf in leaves_of(outcome.error)] == [Failure]


async def test_who_asks_may_leave_without_touching_the_task(autojump_clock: MockClock) -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(trio.sleep, 2.0)
        with trio.move_on_after(1.0) as scope:
            await task.outcome()
        assert scope.cancelled_caught
        assert (await task.outcome()).unwrap() is None


async def test_one_that_asks_for_its_own_end_is_told_that_it_cannot() -> None:
    started: list[Task[None]] = []

    async def ask() -> None:
        await started[0].outcome()

    async with open_task_supervisor() as tasks:
        started.append(tasks.start_soon(ask))
        outcome = await started[0].outcome()
    with pytest.raises(
        RuntimeError, match="task ask cannot wait for its own end: ask in another one"
    ):
        outcome.unwrap()


async def test_a_cancellation_that_comes_in_a_group_is_one(autojump_clock: MockClock) -> None:
    async def wrap() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            raise BaseExceptionGroup("wrapped", [cancelled]) from None

    started: list[Task[None]] = []
    with trio.move_on_after(1.0) as scope:
        async with open_task_supervisor() as tasks:
            started.append(tasks.start_soon(wrap))
    assert scope.cancelled_caught
    outcome = await started[0].outcome()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, TaskCancelled)


# What nobody asks for is logged, once


async def test_an_error_that_nobody_asks_for_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(fail, "why")
    assert told(caplog) == ["task fail failed, and nobody asked why"]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("trio_foundation.tasks", logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], Failure)
    del task
    gc.collect()
    assert len(caplog.records) == 1


async def test_a_task_that_nobody_keeps_is_logged_when_it_is_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_task_supervisor() as tasks:
        tasks.start_soon(fail)
        await wait_all_tasks_blocked()
        gc.collect()
        assert told(caplog) == ["task fail failed, and nobody asked why"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("when", ["before it ends", "after it has ended"])
async def test_an_error_that_was_asked_for_is_not_logged(
    when: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(fail)
        if when == "after it has ended":
            await wait_all_tasks_blocked()
        await task.outcome()
        del task
        gc.collect()
    assert told(caplog) == []


async def test_nor_is_one_that_somebody_outside_is_asking_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes: list[Any] = []

    async def ask(task: Task[None]) -> None:
        outcomes.append(await task.outcome())

    # Whether it is told before or after the block has closed is up to Trio.
    for _ in range(20):
        async with trio.open_nursery() as nursery:
            async with open_task_supervisor() as tasks:
                nursery.start_soon(ask, tasks.start_soon(fail))
                await trio.lowlevel.checkpoint()
    gc.collect()
    assert (len(outcomes), told(caplog)) == (20, [])


async def test_who_has_asked_and_left_has_not_been_told(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async def fail_late() -> None:
        await trio.sleep(2.0)
        raise Failure

    async with open_task_supervisor() as tasks:
        task = tasks.start_soon(fail_late)
        with trio.move_on_after(1.0):
            await task.outcome()
    assert told(caplog) == ["task fail_late failed, and nobody asked why"]
    assert task.done


async def test_to_be_cancelled_is_no_error_to_log(caplog: pytest.LogCaptureFixture) -> None:
    async with open_task_supervisor() as tasks:
        tasks.start_soon(trio.sleep_forever).cancel()
    assert told(caplog) == []


# What it refuses


@pytest.mark.parametrize(
    ("not_async", "message"),
    [
        (None, "start_soon takes an async function, but got None"),
        (3, "start_soon takes an async function, but got 3"),
    ],
)
async def test_what_cannot_be_an_async_function_is_refused(not_async: Any, message: str) -> None:
    async with open_task_supervisor() as tasks:
        with pytest.raises(TypeError, match=re.escape(message)):
            tasks.start_soon(not_async)
        assert tasks.running == 0


async def test_a_coroutine_is_refused_with_the_right_line() -> None:
    coroutine: Any = double(4)
    async with open_task_supervisor() as tasks:
        with pytest.raises(TypeError, match=re.escape("write start_soon(double, 4), not")):
            tasks.start_soon(coroutine)


async def test_an_async_generator_is_refused() -> None:
    async def numbers() -> Any:
        yield 1

    async with open_task_supervisor() as tasks:
        with pytest.raises(TypeError, match="numbers is an async generator: write an async fun"):
            tasks.start_soon(numbers)


async def test_a_plain_function_is_a_task_that_fails_and_says_so() -> None:
    plain: Any = len
    async with open_task_supervisor() as tasks:
        outcome = await tasks.start_soon(plain, "abc").outcome()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, TypeError)


async def test_a_block_that_has_ended_takes_no_more() -> None:
    async with open_task_supervisor(name="thumbnails") as tasks:
        pass
    message = "task supervisor 'thumbnails' has closed: what it runs has to end inside its block"
    with pytest.raises(TaskSupervisorNotRunning, match=message):
        tasks.start_soon(double, 1)
    assert repr(tasks) == "<TaskSupervisor 'thumbnails' closed>"


async def test_it_takes_none_from_outside_of_the_run() -> None:
    async with open_task_supervisor() as tasks:
        with pytest.raises(RuntimeError):
            await trio.to_thread.run_sync(tasks.start_soon, double, 1)
        assert tasks.running == 0


def test_nor_when_its_last_task_has_just_ended() -> None:
    refused: list[Exception] = []
    supervisors: list[TaskSupervisor] = []

    class StartAtTheEnd(trio.abc.Instrument):
        def task_exited(self, task: trio.lowlevel.Task) -> None:
            if task.name == "double":
                try:
                    supervisors[0].start_soon(double, 1)
                except TaskSupervisorNotRunning as error:
                    refused.append(error)

    async def main() -> None:
        async with open_task_supervisor() as tasks:
            supervisors.append(tasks)
            tasks.start_soon(double, 1)

    trio.run(main, instruments=[StartAtTheEnd()])
    assert len(refused) == 1
