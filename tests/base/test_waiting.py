"""Tests of the typed door to trio_util's value that can be waited on."""

from __future__ import annotations

import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from trio_foundation._waiting import State


async def test_a_value_can_be_read_and_set() -> None:
    state = State(1)
    state.value = 2
    assert state.value == 2


async def test_waiting_ends_with_the_value_that_fits() -> None:
    state = State(1)
    seen: list[int] = []

    async def wait() -> None:
        seen.append(await state.wait_value(lambda value: value >= 3))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        state.value = 2
        await wait_all_tasks_blocked()
        assert seen == []
        state.value = 3
        state.value = 0  # before the waiting task runs
    assert seen == [3]


async def test_waiting_for_what_is_already_so_is_a_checkpoint() -> None:
    with assert_checkpoints():
        assert await State(1).wait_value(lambda value: value == 1) == 1


async def test_waiting_for_what_is_already_so_can_be_cancelled() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await State(1).wait_value(lambda value: value == 1)
    assert scope.cancelled_caught
