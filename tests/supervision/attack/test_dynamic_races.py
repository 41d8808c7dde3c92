"""Attacks: a dynamic supervisor, where nothing waits its turn."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    ChildStartFailed,
    Exit,
    Liveness,
    cleanup_scope,
    open_dynamic_supervisor,
)

from ._openers import BOTH, OpenAny

Clock = trio.testing.MockClock


async def clean_up_slowly() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with cleanup_scope():
            await trio.sleep(2)


async def clean_up_slowly_unready(*, task_status: trio.TaskStatus[None]) -> None:
    await clean_up_slowly()


@BOTH
async def test_a_child_stopped_while_it_ends_as_unresponsive_stays_stopped(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async with open_any() as sup:
        mute = sup.start_soon(
            clean_up_slowly, name="mute", restart="permanent", liveness=Liveness(every=1, misses=1)
        )
        await trio.sleep(2)  # cancelled at 1 for its silence, it cleans up until 3
        assert mute.state == "stopping"
        exit: Exit | None = None
        with trio.move_on_after(4) as scope:
            exit = await sup.stop_child("mute")
        assert not scope.cancelled_caught
        assert exit is not None
        await trio.sleep(10)
        assert mute.incarnation == 1
        assert mute.state == "stopped"


async def test_a_child_stopped_while_its_late_start_is_cut_short_stays_stopped(
    autojump_clock: Clock,
) -> None:
    async with open_dynamic_supervisor() as sup:
        late = sup.start_soon(
            clean_up_slowly_unready, name="late", restart="permanent", ready_within=1
        )
        await trio.sleep(2)
        with trio.move_on_after(4) as scope:
            await sup.stop_child("late")
        assert not scope.cancelled_caught
        assert late.incarnation == 1


async def test_room_is_made_by_the_time_an_exit_is_known(autojump_clock: Clock) -> None:
    async with open_dynamic_supervisor(max_children=1) as sup:
        for _ in range(50):
            one = sup.start_soon(trio.sleep, 1, name="one")
            await one.wait_exit()


async def test_concurrent_stops_of_one_child_are_all_answered(autojump_clock: Clock) -> None:
    exits: list[object] = []

    async with open_dynamic_supervisor() as sup:
        sup.start_soon(clean_up_slowly, name="one")
        await trio.testing.wait_all_tasks_blocked()

        async def stop() -> None:
            exits.append(await sup.stop_child("one"))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(stop)
    assert len(exits) == 5
    assert len(set(map(id, exits))) == 1


async def test_a_start_and_a_stop_of_the_same_child_both_come_back(autojump_clock: Clock) -> None:
    async with open_dynamic_supervisor() as sup, trio.open_nursery() as nursery:
        failed = trio.Event()

        async def start() -> None:
            with pytest.raises(ChildStartFailed):
                await sup.start(clean_up_slowly_unready, name="one")
            failed.set()

        nursery.start_soon(start)
        await trio.testing.wait_all_tasks_blocked()
        exit = await sup.stop_child("one")
        assert exit is not None
        assert exit.reason == "stopped"
        await failed.wait()
        assert not sup.children
