"""Tests of what is told of tasks and items, if somebody listens."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_foundation.tasks import (
    TaskEvent,
    TaskFinished,
    TaskStarted,
    open_map,
    open_task_supervisor,
    parallel_map,
)
from trio_foundation.telemetry import subscribe

from ._things import Failure, Source, Work, fail

each_kind = pytest.mark.parametrize("kind", ["plain", "slow"])
each_way = pytest.mark.parametrize("on_error", ["collect", "raise"])


async def test_of_a_task_is_told_when_it_starts_and_how_it_ends(autojump_clock: MockClock) -> None:
    told: list[TaskEvent] = []
    with subscribe(told.append, TaskEvent):
        async with open_task_supervisor(name="s") as tasks:
            tasks.start_soon(trio.sleep, 2.0)
            await trio.sleep(1.0)
            assert told == [TaskStarted(supervisor="s", task="sleep", index=None)]
    assert told[1:] == [
        TaskFinished(supervisor="s", task="sleep", index=None, result="ok", after=2.0, error="")
    ]


async def test_how_it_failed(autojump_clock: MockClock) -> None:
    told: list[TaskFinished] = []
    with subscribe(told.append, TaskFinished):
        async with open_task_supervisor() as tasks:
            task = tasks.start_soon(fail, "why")
            await task.outcome()
            tasks.start_soon(trio.sleep_forever).cancel()
    assert [(one.result, one.error) for one in told] == [
        ("failed", "Failure: why"),
        ("cancelled", "TaskCancelled: task sleep_forever was cancelled"),
    ]


@each_kind
async def test_of_each_item_is_told_by_its_number(kind: str, autojump_clock: MockClock) -> None:
    told: list[TaskEvent] = []
    work = Work({"a": 1.0, "b": 9.0, "c": 2.0}, fails="c")
    items: Any = getattr(Source("abc"), kind)()
    with subscribe(told.append, TaskEvent):
        async with open_task_supervisor(name="s"):
            await parallel_map(work.do, items, limit=3, timeout=5.0)
    started = [one for one in told if isinstance(one, TaskStarted)]
    assert started == [TaskStarted(supervisor="s", task="do", index=index) for index in range(3)]
    finished = [one for one in told if isinstance(one, TaskFinished)]
    assert [(one.index, one.result, one.after, one.error) for one in finished] == [
        (0, "ok", 1.0, ""),
        (2, "failed", 2.0, "Failure: c"),
        (1, "timed_out", 5.0, "TaskTimeout: do took longer than 5 s"),
    ]


@each_kind
async def test_what_ends_with_a_map_was_cancelled(kind: str, autojump_clock: MockClock) -> None:
    told: list[TaskFinished] = []
    items: Any = getattr(Source("abc"), kind)()
    with subscribe(told.append, TaskFinished):
        async with open_task_supervisor():
            async with open_map(Work(5.0).do, items, limit=2):
                await trio.sleep(1.0)
    assert sorted((one.index, one.result, one.after, one.error) for one in told) == [
        (0, "cancelled", 1.0, ""),
        (1, "cancelled", 1.0, ""),
    ]


@each_kind
async def test_with_raise_an_item_has_failed_all_the_same(
    kind: str, autojump_clock: MockClock
) -> None:
    told: list[TaskFinished] = []
    work = Work({"a": 1.0, "b": 2.0, "c": 9.0}, fails="b")
    items: Any = getattr(Source("abc"), kind)()
    with subscribe(told.append, TaskFinished):
        async with open_task_supervisor():
            with pytest.raises((Failure, ExceptionGroup)):
                await parallel_map(work.do, items, limit=3, on_error="raise")
    assert [one.result for one in told] == ["ok", "failed", "cancelled"]


async def test_a_task_that_exits_was_told_of() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    told: list[TaskFinished] = []
    with subscribe(told.append, TaskFinished):
        with pytest.raises(SystemExit):
            async with open_task_supervisor() as tasks:
                tasks.start_soon(leave)
    assert [one.task for one in told] == ["leave"]


async def test_who_begins_to_listen_midway_is_told_of_the_rest(autojump_clock: MockClock) -> None:
    told: list[TaskEvent] = []
    async with open_task_supervisor():
        async with open_map(Work(1.0).do, range(6), limit=1, buffer=9) as results:
            await results.receive()
            with subscribe(told.append, TaskEvent):
                await results.receive()
                await results.receive()
            await trio.sleep(9.0)
    assert {one.index for one in told} <= {1, 2, 3}
    assert len(told) >= 3


async def test_what_nobody_listens_to_is_not_built(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(TaskStarted, "__init__", refuse)
    monkeypatch.setattr(TaskFinished, "__init__", refuse)
    async with open_task_supervisor() as tasks:
        tasks.start_soon(trio.sleep, 1.0)
        await parallel_map(Work().do, "abc")
        async with open_map(Work().do, Source("abc").slow()) as results:
            assert len([one async for one in results]) == 3


async def test_an_error_that_cannot_be_printed_is_told_by_its_type() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise LookupError

    async def fail_so(_: int) -> None:
        raise Unprintable

    told: list[TaskFinished] = []
    with subscribe(told.append, TaskFinished):
        async with open_task_supervisor():
            await parallel_map(fail_so, [1])
    assert [one.error for one in told] == ["Unprintable"]


async def test_who_listens_and_breaks_hurts_nobody(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    def broken(event: TaskEvent) -> None:
        raise Failure

    with subscribe(broken, TaskEvent):
        async with open_task_supervisor():
            assert len(await parallel_map(Work().do, "abc")) == 3
    assert caplog.records


def test_they_have_names_and_a_level() -> None:
    assert TaskStarted.name == "foundation.tasks.task_started"
    assert TaskFinished.name == "foundation.tasks.task_finished"
    assert {TaskStarted.level, TaskFinished.level} == {logging.DEBUG}
