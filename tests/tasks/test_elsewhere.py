"""Tests of maps that are used outside of the block whose tasks they use."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.tasks import TaskSupervisor, TaskSupervisorNotRunning, open_task_supervisor

from ._things import Failure, Source, Work, double, errors_of, leaves_of

each_kind = pytest.mark.parametrize("kind", ["plain", "slow"])


class Lender:
    """A block of tasks in another task, which can be told to end."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._told = trio.Event()
        self._error: Exception | None = None
        self.scope = trio.CancelScope()
        self.closed_at: float | None = None

    async def open(self) -> TaskSupervisor:
        tasks: TaskSupervisor = await self._nursery.start(self._be)
        return tasks

    async def _be(self, task_status: trio.TaskStatus[TaskSupervisor]) -> None:
        try:
            with self.scope:
                async with open_task_supervisor(name="lent") as tasks:
                    task_status.started(tasks)
                    await self._told.wait()
                    if self._error is not None:
                        raise self._error
        except Failure:
            pass
        self.closed_at = trio.current_time()

    def end(self, error: Exception | None = None) -> None:
        self._error = error
        self._told.set()


async def test_the_block_waits_for_a_map_that_runs_elsewhere(autojump_clock: MockClock) -> None:
    work = Work(2.0)
    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        lender.end()
        assert len(await tasks.parallel_map(work.do, "abc", limit=1)) == 3
        assert lender.closed_at is None
    assert lender.closed_at == 6.0


async def test_and_for_one_that_hands_out_its_results(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        async with tasks.open_map(double, range(9)) as results:
            lender.end()
            await trio.sleep(5.0)
            assert lender.closed_at is None
            assert len([one async for one in results]) == 9
    assert lender.closed_at == 5.0


@each_kind
@pytest.mark.parametrize("how", ["is cancelled", "fails"])
@pytest.mark.parametrize("on_error", ["collect", "raise"])
async def test_when_the_block_ends_before_its_time_so_does_the_map(
    kind: str, how: str, on_error: Any, autojump_clock: MockClock
) -> None:
    work, source = Work(2.0), Source("abcdef")
    items: Any = getattr(source, kind)()
    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        end = lender.scope.cancel if how == "is cancelled" else lambda: lender.end(Failure())
        nursery.start_soon(end_later, end)
        with pytest.raises(TaskSupervisorNotRunning, match="task supervisor 'lent' has closed"):
            await tasks.parallel_map(work.do, items, limit=2, on_error=on_error)
        assert trio.current_time() == 3.0
        assert sorted(work.cancelled) == ["c", "d"]
    assert lender.closed_at == 3.0
    assert source.is_closed == (kind == "slow")


async def end_later(end: Any) -> None:
    await trio.sleep(3.0)
    end()


async def test_who_receives_is_told_and_the_body_goes_on(autojump_clock: MockClock) -> None:
    received: list[Any] = []
    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        nursery.start_soon(end_later, lender.scope.cancel)
        async with tasks.open_map(Work(2.0).do, "abcd", limit=1) as results:
            with pytest.raises(TaskSupervisorNotRunning):
                while True:
                    received.append((await results.receive()).item)
            with pytest.raises(trio.EndOfChannel):
                await results.receive()
            await trio.sleep(1.0)
        assert (received, trio.current_time()) == (["a"], 4.0)


async def test_the_block_waits_for_what_takes_its_time_to_end(autojump_clock: MockClock) -> None:
    async def slow_to_end(_: str) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(4.0)

    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        nursery.start_soon(end_later, lender.scope.cancel)
        with pytest.raises(TaskSupervisorNotRunning):
            await tasks.parallel_map(slow_to_end, "ab")
    assert lender.closed_at == 7.0


async def test_to_be_cancelled_with_the_block_is_to_be_cancelled(
    autojump_clock: MockClock,
) -> None:
    with trio.move_on_after(1.0) as scope:
        async with open_task_supervisor() as tasks:
            await tasks.parallel_map(Work(9.0).do, "ab")
    assert scope.cancelled_caught


async def test_so_it_is_for_a_task_of_the_block(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        task = tasks.start_soon(tasks.parallel_map, Work(9.0).do, "ab")
        nursery.start_soon(end_later, lender.scope.cancel)
        outcome = await task.outcome()
    assert errors_of([outcome]).popitem()[1].__name__ == "TaskCancelled"


async def test_a_map_that_is_cancelled_by_itself_leaves_the_block_open(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        with trio.move_on_after(1.0) as scope:
            await tasks.parallel_map(Work(9.0).do, "ab")
        assert scope.cancelled_caught
        assert tasks.is_open
        assert len(await tasks.parallel_map(double, "ab")) == 2
        lender.end()


async def test_a_block_that_has_ended_takes_no_map() -> None:
    async with open_task_supervisor(name="old") as tasks:
        block = tasks.open_map(double, [1])
    with pytest.raises(TaskSupervisorNotRunning, match="'old' has closed"):
        await tasks.parallel_map(double, [1])
    with pytest.raises(TaskSupervisorNotRunning, match="'old' has closed"):
        tasks.open_map(double, [1])
    with pytest.raises(TaskSupervisorNotRunning, match="'old' has closed"):
        async with block:
            pass


async def test_a_map_in_a_cancelled_block_begins_nothing_that_waits(
    autojump_clock: MockClock,
) -> None:
    work = Work()

    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        async with tasks.open_map(Work(9.0).do, "a"):
            # It holds the block open for as long as its item ends slowly.
            with trio.CancelScope(shield=True):
                lender.scope.cancel()
                if tasks.is_open:
                    with pytest.raises(TaskSupervisorNotRunning):
                        await tasks.parallel_map(work.do, "ab")
        assert work.ended == []
    await wait_all_tasks_blocked()


async def test_an_error_of_the_body_and_the_end_of_the_block_come_out_as_the_bodys(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        lender = Lender(nursery)
        tasks = await lender.open()
        with pytest.raises(Failure) as caught:
            async with tasks.open_map(Work(9.0).do, "a"):
                lender.scope.cancel()
                await trio.sleep(1.0)
                raise Failure
        assert [type(leaf) for leaf in leaves_of(caught.value)] == [Failure]


def test_who_is_cancelled_while_it_is_told_leaves_that_to_the_next() -> None:
    scope = trio.CancelScope()
    told: list[Exception] = []

    class CancelAtTheEnd(trio.abc.Instrument):
        consumer: trio.lowlevel.Task | None = None

        def task_scheduled(self, task: trio.lowlevel.Task) -> None:
            if task is self.consumer:
                scope.cancel()

    instrument = CancelAtTheEnd()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            lender = Lender(nursery)
            tasks = await lender.open()
            nursery.start_soon(end_later, lender.scope.cancel)
            async with tasks.open_map(Work(9.0).do, "a") as results:
                await trio.sleep(1.0)
                instrument.consumer = trio.lowlevel.current_task()
                with scope:
                    await results.receive()
                assert scope.cancelled_caught
                with pytest.raises(TaskSupervisorNotRunning) as caught:
                    await results.receive()
                told.append(caught.value)

    trio.run(main, clock=MockClock(autojump_threshold=0), instruments=[instrument])
    assert len(told) == 1
