"""Attacks: who is stopped when, if the end comes from different sides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    ChildSpec,
    RestartLimitReached,
    ShutdownChild,
    Supervisor,
    child,
    cleanup_scope,
    open_supervisor,
)

Clock = trio.testing.MockClock


def lasting(ended: dict[str, float], name: str) -> ChildSpec:
    async def last() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(1)
            ended[name] = trio.current_time()

    return child(last, name=name)


async def clean_up_for_two_seconds(used: list[bool], sup: Supervisor) -> None:
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
            used.append(sup.children["a"].state == "running")


ENDS: dict[str, Callable[[Supervisor, trio.CancelScope], object]] = {
    "outer cancel": lambda sup, scope: scope.cancel(),
    "shutdown": lambda sup, scope: sup.shutdown(),
}


@pytest.mark.parametrize("end", ENDS)
async def test_children_serve_the_body_until_it_has_cleaned_up(
    end: str, autojump_clock: Clock
) -> None:
    ended: dict[str, float] = {}
    used: list[bool] = []
    with trio.CancelScope() as scope:
        async with open_supervisor([lasting(ended, n) for n in "abc"]) as sup:
            ENDS[end](sup, scope)
            await clean_up_for_two_seconds(used, sup)
    assert used == [True]
    assert ended == {"c": 3.0, "b": 4.0, "a": 5.0}


async def test_children_serve_the_body_until_it_has_cleaned_up_after_auto_shutdown(
    autojump_clock: Clock,
) -> None:
    async def finish() -> None:
        raise ShutdownChild

    ended: dict[str, float] = {}
    used: list[bool] = []
    last = child(finish, restart="transient", significant=True)
    async with open_supervisor([lasting(ended, "a"), last], auto_shutdown="any_significant") as sup:
        await clean_up_for_two_seconds(used, sup)
    assert used == [True]


async def test_children_stop_newest_first_at_a_failure(autojump_clock: Clock) -> None:
    async def crash() -> None:
        raise ValueError

    ended: dict[str, float] = {}
    with pytest.raises(RestartLimitReached):
        async with open_supervisor([lasting(ended, n) for n in "abc"], max_restarts=0) as sup:
            sup.start_soon(crash)
            await trio.sleep_forever()
    assert ended == {"c": 1.0, "b": 2.0, "a": 3.0}


async def test_an_outer_cancel_in_the_middle_of_a_group_restart_stops_in_order(
    autojump_clock: Clock,
) -> None:
    ended: dict[str, float] = {}

    async def crash_once(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        raise ValueError

    children = [
        lasting(ended, "a"),
        child(crash_once, name="b"),
        lasting(ended, "c"),
        lasting(ended, "d"),
    ]
    opened: list[Supervisor] = []
    with trio.move_on_after(1.5) as scope:
        async with open_supervisor(children, strategy="one_for_all") as sup:
            opened.append(sup)
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert ended == {"d": 2.0, "c": 3.0, "a": 4.0}
    assert opened[0].children["b"].incarnation == 1
