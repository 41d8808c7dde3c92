"""Tests of the time that a child has for cleaning up."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    Liveness,
    child,
    cleanup_scope,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
)

from ._puppets import Crash, Diary, Puppet, puppets, specs


async def clean_up(seconds: float, diary: Diary) -> None:
    """Wait to be cancelled, and then take that long, if there is time."""
    try:
        await trio.sleep_forever()
    finally:
        with cleanup_scope() as scope:
            await trio.sleep(seconds)
        diary.note("out of time" if scope.cancelled_caught else "clean")


@pytest.mark.parametrize(
    ("takes", "line"),
    [(4.0, (4.0, "clean")), (6.0, (5.0, "out of time"))],
    ids=["in time", "too slow"],
)
async def test_a_child_has_its_grace_to_clean_up(
    takes: float, line: tuple[float, str], autojump_clock: MockClock
) -> None:
    diary = Diary()
    async with open_supervisor([child(clean_up, takes, diary, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert diary.lines == [line]


async def test_without_grace_there_is_no_time(autojump_clock: MockClock) -> None:
    diary = Diary()
    async with open_supervisor([child(clean_up, 1.0, diary, grace=0)]):
        await wait_all_tasks_blocked()
    assert diary.lines == [(0.0, "out of time")]


async def test_with_endless_grace_there_is_all_the_time(autojump_clock: MockClock) -> None:
    diary = Diary()
    async with open_supervisor([child(clean_up, 1e6, diary, grace=math.inf)]):
        await wait_all_tasks_blocked()
    assert diary.lines == [(1e6, "clean")]


async def test_an_outer_cancellation_leaves_the_same_time(autojump_clock: MockClock) -> None:
    diary = Diary()
    with trio.move_on_after(1.0):
        async with open_supervisor([child(clean_up, 9.0, diary, grace=5.0)]):
            await trio.sleep_forever()
    assert diary.lines == [(6.0, "out of time")]


async def test_the_clock_runs_from_the_cancellation_not_from_entering(
    autojump_clock: MockClock,
) -> None:
    async def dawdle() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(3.0)
            with cleanup_scope():
                await trio.sleep_forever()
            diary.note("over")

    diary = Diary()
    async with open_supervisor([child(dawdle, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert diary.lines == [(5.0, "over")]


async def test_several_scopes_share_one_clock(autojump_clock: MockClock) -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            for _ in range(3):
                with cleanup_scope():
                    await trio.sleep(2.0)
                diary.note("step")

    diary = Diary()
    async with open_supervisor([child(work, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert [at for at, _ in diary.lines] == [2.0, 4.0, 5.0]


async def test_it_is_shielded_from_scopes_of_the_child(autojump_clock: MockClock) -> None:
    diary = Diary()
    async with open_supervisor() as sup:
        worker = sup.start_soon(cancel_and_clean_up, diary, restart="temporary")
        await worker.wait_exit()
    assert diary.lines == [(3.0, "clean")]


async def cancel_and_clean_up(diary: Diary) -> None:
    with trio.move_on_after(1.0):
        await clean_up(2.0, diary)


async def test_with_no_stop_under_way_it_lasts_for_the_grace_from_entering(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        scope = cleanup_scope()
        await trio.sleep(10.0)
        with scope:
            await trio.sleep_forever()
        diary.note("over")

    diary = Diary()
    async with open_supervisor() as sup:
        await sup.start_soon(work, grace=5.0, restart="temporary").wait_exit()
    assert diary.lines == [(15.0, "over")]


async def test_a_crash_leaves_time_to_clean_up(autojump_clock: MockClock) -> None:
    async def work() -> None:
        try:
            raise Crash("oops")
        finally:
            with cleanup_scope():
                await trio.sleep(2.0)
            diary.note("clean")

    diary = Diary()
    async with open_supervisor() as sup:
        exit = await sup.start_soon(work, restart="temporary").wait_exit()
    assert (exit.reason, diary.lines) == ("crashed", [(2.0, "clean")])


async def test_a_stop_that_begins_meanwhile_brings_the_end_forward(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        with cleanup_scope():
            await trio.sleep_forever()
        diary.note("over")

    diary = Diary()
    async with open_supervisor() as sup:
        sup.start_soon(work, grace=5.0)
        await trio.sleep(3.0)
        await sup.stop_child("work")
    # Entered at 0 it would end at 5 anyhow; the stop at 3 would leave until 8.
    assert diary.lines == [(5.0, "over")]


async def test_a_scope_that_was_made_before_and_is_entered_late_ends_no_later(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        scope = cleanup_scope()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2.0)
            with scope:
                await trio.sleep_forever()
            diary.note("over")

    diary = Diary()
    async with open_supervisor() as sup:
        sup.start_soon(work, grace=5.0)
        await trio.sleep(3.0)
        await sup.stop_child("work")
    assert diary.lines == [(8.0, "over")]


async def test_a_listener_that_was_asked_has_until_its_grace_after_it_would_be_cancelled(
    autojump_clock: MockClock,
) -> None:
    async def work() -> None:
        await stop_requested().wait()
        with cleanup_scope():
            await trio.sleep_forever()
        diary.note("over")

    diary = Diary()
    async with open_supervisor([child(work, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert diary.lines == [(10.0, "over")]


async def test_the_same_clock_runs_when_readiness_takes_too_long(
    autojump_clock: MockClock,
) -> None:
    async def work(*, task_status: trio.TaskStatus[None]) -> None:
        del task_status
        await clean_up(9.0, diary)

    diary = Diary()
    async with open_supervisor() as sup:
        worker = sup.start_soon(work, ready_within=2.0, grace=5.0, restart="temporary")
        exit = await worker.wait_exit()
    assert (exit.reason, diary.lines) == ("crashed", [(7.0, "out of time")])


@pytest.mark.parametrize("opened", [open_supervisor, open_dynamic_supervisor], ids=["", "dynamic"])
async def test_the_same_clock_runs_when_a_start_is_cancelled(
    opened: Callable[[], AbstractAsyncContextManager[Any]], autojump_clock: MockClock
) -> None:
    async def work(*, task_status: trio.TaskStatus[None]) -> None:
        del task_status
        await clean_up(9.0, diary)

    diary = Diary()
    async with opened() as sup:
        with trio.move_on_after(1.0):
            await sup.start(work, grace=5.0)
    assert diary.lines == [(6.0, "out of time")]


async def test_the_same_clock_runs_for_a_silent_child(autojump_clock: MockClock) -> None:
    diary = Diary()
    async with open_supervisor() as sup:
        liveness = Liveness(every=1.0, misses=1)
        worker = sup.start_soon(
            clean_up, 9.0, diary, liveness=liveness, grace=5.0, restart="temporary"
        )
        await worker.wait_exit()
    assert diary.lines == [(6.0, "out of time")]


async def test_a_task_of_the_child_may_clean_up_too(autojump_clock: MockClock) -> None:
    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clean_up, 2.0, diary)
            nursery.start_soon(clean_up, 9.0, diary)

    diary = Diary()
    async with open_supervisor([child(work, grace=5.0)]):
        await wait_all_tasks_blocked()
    assert diary.lines == [(2.0, "clean"), (5.0, "out of time")]


async def test_many_scopes_of_a_long_life_cost_no_memory() -> None:
    async def work() -> None:
        for _ in range(10_000):
            with cleanup_scope():
                await trio.lowlevel.checkpoint()
        gc.collect()
        diary.note(str(len([one for one in gc.get_objects() if type(one) is trio.CancelScope])))

    diary = Diary()
    async with open_supervisor() as sup:
        await sup.start_soon(work, restart="temporary").wait_exit()
    assert int(diary.take()[0]) < 2_500  # Trio itself keeps up to two thousand that were left


@pytest.mark.parametrize("hurried", [False, True], ids=["stopped", "hurried"])
async def test_a_scope_that_was_made_for_nothing_hurts_nobody(hurried: bool) -> None:
    async def work() -> None:
        cleanup_scope()
        gc.collect()
        await trio.sleep_forever()

    async with open_supervisor([child(work)]) as sup:
        await wait_all_tasks_blocked()
        if hurried:
            sup.hurry()
    assert sup.children["work"].last_exit is not None
    assert sup.children["work"].last_exit.reason == "stopped"


async def test_each_child_of_a_tree_has_its_own_clock(autojump_clock: MockClock) -> None:
    diary, (a, b) = puppets("ab")
    a.cleanup = b.cleanup = 60.0
    children = [a.spec(grace=1.0), b.spec(grace=2.0)]
    async with open_supervisor(children):
        diary.take()
    assert diary.lines == [(2.0, "-b"), (3.0, "-a")]


async def test_outside_a_child_it_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"^cleanup_scope works within a child"):
        cleanup_scope()
    async with open_supervisor(specs(Puppet())):
        with pytest.raises(RuntimeError, match=r"^cleanup_scope works within a child"):
            cleanup_scope()


def test_outside_trio_it_is_an_error_too() -> None:
    for function in (cleanup_scope, current_child, stop_requested):
        with pytest.raises(RuntimeError, match="works within a child of a supervisor only"):
            function()
