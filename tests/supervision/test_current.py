"""Tests of what a child can ask about itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_foundation.supervision import (
    Child,
    child,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
    subtree,
)

from ._puppets import Crash, Puppet


async def test_a_child_finds_its_own_handle() -> None:
    found: list[Child[object]] = []

    async def work() -> None:
        found.append(current_child())
        await trio.sleep_forever()

    for opened in (open_supervisor(), open_dynamic_supervisor()):
        async with opened as sup:
            worker = sup.start_soon(work)
            await wait_all_tasks_blocked()
            assert found.pop() is worker


async def test_so_do_the_tasks_that_it_starts() -> None:
    names: list[str] = []

    async def ask() -> None:
        names.append(current_child().name)

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
        await trio.to_thread.run_sync(lambda: names.append(current_child().name))

    async with open_supervisor() as sup:
        await sup.start_soon(work, restart="temporary").wait_exit()
    assert names == ["work", "work"]


async def test_in_a_tree_it_is_the_innermost_one() -> None:
    names: list[str] = []

    async def work() -> None:
        names.append(current_child().name)
        async with open_supervisor(name="inner"):
            names.append(current_child().name)
        await trio.sleep_forever()

    async with open_supervisor([subtree([child(work)], name="web")]):
        await wait_all_tasks_blocked()
    assert names == ["work", "work"]


async def test_the_body_of_a_supervisor_is_no_child() -> None:
    async with open_supervisor([Puppet().spec()]):
        for function in (current_child, stop_requested):
            with pytest.raises(RuntimeError, match=f"^{function.__name__} works within a child"):
                function()


async def test_a_task_that_outlives_its_incarnation_is_no_child_any_more() -> None:
    async def outlive() -> None:
        assert current_child().name == "work"
        begun.set()
        await over.wait()
        with pytest.raises(RuntimeError, match="works within a child"):
            current_child()
        with pytest.raises(RuntimeError, match="works within a child"):
            stop_requested()

    async def work() -> None:
        nursery.start_soon(outlive)
        await begun.wait()

    begun, over = trio.Event(), trio.Event()
    async with trio.open_nursery() as nursery, open_supervisor() as sup:
        await sup.start_soon(work, restart="temporary").wait_exit()
        over.set()


async def test_a_task_that_outlives_its_incarnation_is_not_taken_for_the_next_one() -> None:
    seen: list[bool] = []

    async def outlive() -> None:
        await over.wait()
        with pytest.raises(RuntimeError):
            current_child()
        seen.append(True)

    async def work() -> None:
        if current_child().incarnation == 1:
            nursery.start_soon(outlive)
            raise Crash("once")
        await trio.sleep_forever()

    over = trio.Event()
    async with trio.open_nursery() as nursery, open_supervisor([child(work)]) as sup:
        await wait_all_tasks_blocked()
        assert sup.children["work"].state == "running"
        over.set()
        await wait_all_tasks_blocked()
        assert seen == [True]


async def test_the_status_is_whatever_the_child_wants_to_show() -> None:
    async def work() -> None:
        current_child().status = {"files": 3}
        await trio.sleep_forever()

    async with open_supervisor() as sup:
        worker = sup.start_soon(work)
        assert worker.status is None
        await wait_all_tasks_blocked()
        assert worker.status == {"files": 3}
        assert sup.snapshot().children[0].status == {"files": 3}


def test_a_run_knows_nothing_of_the_one_before_it() -> None:
    # Rule R36.
    async def main() -> str:
        with pytest.raises(RuntimeError):
            current_child()
        async with open_supervisor(name="same"):
            return trio.lowlevel.current_task().name

    assert trio.run(main) == trio.run(main)


@pytest.mark.realtime
def test_two_runs_at_once_share_nothing() -> None:
    # Rule R36.
    async def main() -> list[str]:
        async with open_supervisor(name="same") as sup:
            sup.start_soon(trio.sleep_forever)
            for _ in range(100):
                await trio.lowlevel.checkpoint()
            return list(sup.children)

    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(trio.run, main) for _ in range(2)]
    assert [run.result() for run in runs] == [["sleep_forever"]] * 2
