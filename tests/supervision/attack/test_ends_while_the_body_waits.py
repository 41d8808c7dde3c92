"""Attacks: the supervisor ends while its own body waits for something only it can do."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    RestartLimitReached,
    cleanup_scope,
    open_dynamic_supervisor,
)

from ._openers import BOTH, AnySupervisor, OpenAny

Clock = trio.testing.MockClock


async def never_ready(*, task_status: trio.TaskStatus[None]) -> None:
    await trio.sleep_forever()


async def slow_to_stop() -> None:
    try:
        await trio.sleep_forever()
    finally:
        with cleanup_scope():
            await trio.sleep(2)


async def shut_down(sup: AnySupervisor) -> None:
    await trio.sleep(1)
    sup.shutdown()
    await trio.sleep_forever()


async def crash_at_one(sup: AnySupervisor) -> None:
    await trio.sleep(1)
    raise ValueError


@BOTH
async def test_a_fatal_error_of_a_child_that_the_body_starts(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async def fatal(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        async with open_any() as sup:
            await sup.start(fatal)


@BOTH
async def test_a_shutdown_while_the_body_starts_a_child(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async with open_any() as sup:
        await sup.start(shut_down, sup)
        await sup.start(never_ready)


async def test_a_failure_while_the_body_starts_a_child(autojump_clock: Clock) -> None:
    with pytest.raises(RestartLimitReached):
        async with open_dynamic_supervisor(max_restarts=0) as sup:
            await sup.start(crash_at_one, sup, restart="permanent")
            await sup.start(never_ready)


@BOTH
async def test_a_shutdown_while_the_body_stops_a_child_within_a_shield(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async with open_any() as sup:
        await sup.start(shut_down, sup)
        await sup.start(slow_to_stop, name="slow")
        await trio.sleep(0.5)
        with trio.CancelScope(shield=True):
            await sup.stop_child("slow")


@BOTH
async def test_the_body_may_wait_for_an_exit_in_its_cleanup(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    finish = trio.Event()

    async def work() -> None:
        await finish.wait()

    async with open_any() as sup:
        await sup.start(shut_down, sup)
        worker = await sup.start(work, restart="temporary")
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                finish.set()
                assert (await worker.wait_exit()).reason == "returned"


@BOTH
async def test_the_body_may_wait_for_an_exit_in_its_cleanup_from_its_start_on(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async def crash_at_three() -> None:
        await trio.sleep(3)
        raise ValueError

    async with open_any() as sup:
        await sup.start(shut_down, sup)
        worker = await sup.start(crash_at_three, restart="temporary")
        with trio.CancelScope(shield=True):
            assert (await worker.wait_exit()).reason == "crashed"
            assert trio.current_time() == 3


@BOTH
async def test_a_start_that_fails_while_the_supervisor_ends_comes_back(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    async def fail_at_two(*, task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
        raise ValueError

    async with open_any() as sup:
        await sup.start(shut_down, sup)
        await sup.start(fail_at_two)


@BOTH
async def test_a_child_may_wait_for_the_exit_of_another_while_the_supervisor_ends(
    open_any: OpenAny, autojump_clock: Clock
) -> None:
    told: list[str] = []
    async with open_any() as sup:
        first = await sup.start(slow_to_stop, name="first")

        async def mourn() -> None:
            try:
                await trio.sleep_forever()
            finally:
                with cleanup_scope():
                    told.append((await first.wait_exit()).reason)

        if open_any is open_dynamic_supervisor:
            await sup.start(mourn, grace=50.0)
        sup.shutdown()
    assert told == (["stopped"] if open_any is open_dynamic_supervisor else [])
    assert trio.current_time() == 2
