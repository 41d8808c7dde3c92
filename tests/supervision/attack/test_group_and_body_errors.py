"""Attacks: what leaves the block when more than one thing goes wrong at once."""

from __future__ import annotations

from typing import cast

import pytest
import trio
import trio.lowlevel
import trio.testing

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildStartFailed,
    IgnoreChild,
    RestartLimitReached,
    SupervisorFailed,
    child,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)


class OddError(BaseException):
    pass


async def crash() -> None:
    raise ValueError("crash")


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return [leaf for inner in group.exceptions for leaf in leaves(inner)]
    return [error]


async def test_a_keyboard_interrupt_in_a_group_of_the_body_is_not_lost_to_a_failure(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as caught:
        async with open_supervisor(max_restarts=0) as sup:
            sup.start_soon(crash)
            try:
                await trio.sleep_forever()
            finally:
                raise BaseExceptionGroup("a nursery of the body", [KeyboardInterrupt()])
    assert isinstance(leaves(caught.value)[0], KeyboardInterrupt)


async def test_an_odd_error_of_the_body_is_not_lost_to_a_failure(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with pytest.raises((RestartLimitReached, OddError)) as caught:
        async with open_supervisor(max_restarts=0) as sup:
            sup.start_soon(crash)
            try:
                await trio.sleep_forever()
            finally:
                raise OddError
    if isinstance(caught.value, RestartLimitReached):
        assert isinstance(caught.value.body_error, OddError)
    else:
        assert isinstance(caught.value, OddError)


async def test_the_error_of_the_body_is_told_when_failure_and_outer_cancel_meet(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.CancelScope() as outer, pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor(max_restarts=0) as sup:

            async def fail_while_cancelled() -> None:
                try:
                    await trio.sleep_forever()
                finally:
                    raise KeyError("body")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail_while_cancelled)
                nursery.start_soon(trio.sleep_forever)
                await trio.testing.wait_all_tasks_blocked()
                sup.start_soon(crash)
                outer.cancel()
                sup._engine.fail(RestartLimitReached("supervisor", "crash", 0, 5.0, ()))
    error = caught.value.body_error
    assert error is not None
    assert any(isinstance(leaf, KeyError) for leaf in leaves(error))
    assert isinstance(error, BaseExceptionGroup)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, trio.TrioInternalError])
async def test_a_fatal_error_of_a_child_leaves_bare_from_three_levels_down(
    autojump_clock: trio.testing.MockClock, error: type[BaseException]
) -> None:
    runs = 0

    async def fatal() -> None:
        nonlocal runs
        runs += 1
        await trio.sleep(1)
        raise BaseExceptionGroup("inner", [BaseExceptionGroup("x", [ValueError(), error("out")])])

    tree = subtree([subtree([child(fatal)], name="b")], name="a")
    with pytest.raises(error) as caught:
        async with open_supervisor([tree]):
            await trio.sleep_forever()
    assert runs == 1
    assert type(caught.value) is error


@pytest.mark.parametrize("error", [GeneratorExit, OddError])
async def test_an_odd_error_of_a_child_is_never_restarted(
    autojump_clock: trio.testing.MockClock, error: type[BaseException]
) -> None:
    runs = 0

    async def odd() -> None:
        nonlocal runs
        runs += 1
        await trio.lowlevel.checkpoint()
        raise error

    with pytest.raises(error):
        async with open_dynamic_supervisor() as sup:
            sup.start_soon(odd, restart="permanent")
            await trio.sleep_forever()
    assert runs == 1


async def test_a_fatal_error_while_booting_leaves_bare_and_stops_those_before(
    autojump_clock: trio.testing.MockClock,
) -> None:
    stopped: list[str] = []

    async def first() -> None:
        try:
            await trio.sleep_forever()
        finally:
            stopped.append("first")

    async def fatal(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(1)
        raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        async with open_supervisor([child(first), child(fatal)]):
            raise AssertionError
    assert caught.value.code == 3
    assert stopped == ["first"]


async def test_a_fatal_error_of_the_body_wins_over_a_failure_and_is_the_same_object(
    autojump_clock: trio.testing.MockClock,
) -> None:
    interrupt = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as caught:
        async with open_supervisor(max_restarts=0) as sup:
            sup.start_soon(crash)
            try:
                await trio.sleep_forever()
            finally:
                raise interrupt
    assert caught.value is interrupt


async def test_an_error_of_the_body_is_the_same_object_even_as_a_group(
    autojump_clock: trio.testing.MockClock,
) -> None:
    error = ExceptionGroup("body", [ValueError()])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_supervisor([child(trio.sleep_forever)]):
            raise error
    assert caught.value is error


async def test_a_cancelled_in_a_group_of_a_stopped_child_is_no_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def with_inner_nursery() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)

    async with open_supervisor() as sup:
        inner = await sup.start(with_inner_nursery)
        await trio.testing.wait_all_tasks_blocked()
        exit = await sup.stop_child(inner.name)
    assert exit is not None
    assert (exit.reason, exit.error) == ("stopped", None)


async def test_a_start_that_fails_at_entry_under_an_outer_cancel_leaves_one_thing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def fail_late(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while cancelled")

    with trio.move_on_after(1) as scope:
        async with open_supervisor([child(fail_late)]):
            raise AssertionError
    assert scope.cancelled_caught


async def test_a_failing_start_in_a_subtree_names_every_level(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def bad(*, task_status: trio.TaskStatus[None]) -> None:
        raise ValueError("no")

    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([subtree([child(bad)], name="inner")], name="app"):
            raise AssertionError
    cause = caught.value.__cause__
    assert isinstance(cause, SupervisorFailed)
    assert cause.supervisor == "app/inner"
    assert isinstance(cause.__cause__, ValueError)


async def test_notes_are_not_repeated_for_an_ignore_that_is_one_object(
    autojump_clock: trio.testing.MockClock,
) -> None:
    always = IgnoreChild("not today")

    async def late() -> None:
        raise always

    with pytest.raises(RestartLimitReached):
        async with open_supervisor(max_restarts=3) as sup:
            sup.start_soon(late)
            await trio.sleep_forever()
    assert len(always.__notes__) == 1


async def test_exits_are_those_that_spent_the_limit(autojump_clock: trio.testing.MockClock) -> None:
    async def fail_once() -> None:
        raise ValueError("a")

    async def fail_each_second() -> None:
        await trio.sleep(1)
        raise ValueError("b")

    slow = Backoff(initial=100, maximum=100, jitter=0)
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor(max_restarts=2, within=50) as sup:
            sup.start_soon(fail_each_second, name="b")
            await trio.sleep(1.5)
            sup.start_soon(fail_once, name="a", backoff=slow)
            await trio.sleep_forever()
    assert [exit.child for exit in caught.value.exits] == ["b", "b", "b"]
