"""Tests of what leaves the block of a supervisor: exactly one thing."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    ChildStartFailed,
    Exit,
    RestartLimitReached,
    child,
    cleanup_scope,
    open_dynamic_supervisor,
    open_supervisor,
    stop_requested,
    supervise,
)
from trio_foundation.supervision._exit import leaves

from ._puppets import Crash, Puppet, puppets, rest, specs

# Rule R16 throughout.

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

both_kinds = pytest.mark.parametrize(
    "open_it", [open_supervisor, open_dynamic_supervisor], ids=["static", "dynamic"]
)

INTERRUPTS = [KeyboardInterrupt(), SystemExit(3), trio.TrioInternalError("beyond repair")]

every_interrupt = pytest.mark.parametrize(
    "interrupt", INTERRUPTS, ids=lambda error: type(error).__name__
)


def a_group() -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("of the body", [KeyboardInterrupt(), Crash("too")])


# One thing at a time


@both_kinds
async def test_a_body_that_ends_leaves_nothing(open_it: Open) -> None:
    async with open_it() as sup:
        await sup.start(rest)
    assert sup.children == {} or sup.children["rest"].state == "stopped"


@both_kinds
@pytest.mark.parametrize(
    "error",
    [Crash("of the body"), ExceptionGroup("two", [Crash("1"), Crash("2")]), *INTERRUPTS],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_of_the_body_leaves_as_it_is(open_it: Open, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        async with open_it() as sup:
            await sup.start(rest)
            raise error
    assert caught.value is error
    assert not hasattr(error, "__notes__")


@both_kinds
@every_interrupt
async def test_an_interrupt_of_a_child_leaves_bare(open_it: Open, interrupt: BaseException) -> None:
    puppet = Puppet()
    with pytest.raises(type(interrupt)) as caught:
        async with open_it() as sup:
            await sup.start_child(puppet.spec())
            puppet.crash(interrupt)
            await trio.sleep_forever()
    assert caught.value is interrupt


@both_kinds
@every_interrupt
async def test_an_interrupt_of_a_child_that_starts_leaves_bare(
    open_it: Open, interrupt: BaseException
) -> None:
    puppet = Puppet(refusals=[interrupt])
    with pytest.raises(type(interrupt)) as caught:
        async with open_it() as sup:
            await sup.start_child(puppet.spec())
    assert caught.value is interrupt


@every_interrupt
async def test_an_interrupt_among_the_first_starts_leaves_bare(interrupt: BaseException) -> None:
    diary, (a, b, c) = puppets("abc")
    b.refusals = [interrupt]
    with pytest.raises(type(interrupt)) as caught:
        async with open_supervisor(specs(a, b, c)):
            pytest.fail("the body must not run")
    assert caught.value is interrupt
    assert diary.take() == ["+a", "!b", "-a"]


@every_interrupt
async def test_an_interrupt_of_a_child_that_is_being_stopped_leaves_bare(
    interrupt: BaseException,
) -> None:
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise interrupt

    diary, (a,) = puppets("a")
    with pytest.raises(type(interrupt)) as caught:
        async with open_supervisor([a.spec(), child(work)]):
            await wait_all_tasks_blocked()
    assert caught.value is interrupt
    assert diary.take() == ["+a", "-a"]


async def test_the_first_interrupt_is_the_one_that_leaves() -> None:
    first, second = KeyboardInterrupt("first"), KeyboardInterrupt("second")

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise second

    puppet = Puppet()
    with pytest.raises(KeyboardInterrupt) as caught:
        async with open_supervisor([child(work), puppet.spec()]):
            await wait_all_tasks_blocked()
            puppet.crash(first)
            await trio.sleep_forever()
    assert caught.value is first


async def test_giving_up_leaves_alone_and_in_no_group() -> None:
    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=0):
            puppet.crash()
            await trio.sleep_forever()
    assert caught.value.body_error is None


async def test_a_failed_first_start_leaves_alone_and_in_no_group() -> None:
    with pytest.raises(ChildStartFailed):
        async with open_supervisor([Puppet(refusals=[Crash("once")]).spec()]):
            pytest.fail("the body must not run")


@both_kinds
async def test_an_outer_cancellation_goes_on_to_its_scope(open_it: Open) -> None:
    with trio.CancelScope() as scope:
        async with open_it() as sup:
            await sup.start(rest)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_the_cancellation_by_a_shutdown_is_absorbed_in_every_form() -> None:
    async with open_supervisor() as sup:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
            sup.shutdown()
    async with open_supervisor() as sup:
        sup.shutdown()  # the body ends before it comes to a checkpoint


async def test_a_body_that_absorbs_its_cancellation_ends_like_any_other() -> None:
    async with open_supervisor() as sup:
        sup.shutdown()
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.sleep_forever()


async def test_a_nested_block_ends_with_the_shutdown_of_the_outer_one() -> None:
    diary, (a, b) = puppets("ab")
    async with open_supervisor(specs(a), name="outer") as outer:
        async with open_supervisor(specs(b), name="inner"):
            outer.shutdown()
            await trio.sleep_forever()
    assert diary.take() == ["+a", "+b", "-b", "-a"]


# Two at once


@both_kinds
async def test_a_failure_and_an_error_of_the_body_leave_as_one(open_it: Open) -> None:
    puppet, error = Puppet(), Crash("of the body")
    with pytest.raises(RestartLimitReached) as caught:
        async with open_it(max_restarts=0) as sup:
            await sup.start_child(puppet.spec())
            puppet.crash()
            try:
                await trio.sleep_forever()
            finally:
                raise error
    assert caught.value.body_error is error
    assert str(caught.value.__cause__) == "a"


async def test_a_crash_while_the_children_are_stopped_replaces_no_error_of_the_body(
    autojump_clock: MockClock,
) -> None:
    async def crash_another() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with cleanup_scope():
                await trio.sleep(1.0)
                a.crash()
                await trio.sleep(1.0)

    diary, (a,) = puppets("a")
    error = Crash("of the body")
    with pytest.raises(Crash) as caught:
        async with open_supervisor([a.spec(), child(crash_another)], max_restarts=0):
            await wait_all_tasks_blocked()
            raise error
    assert caught.value is error
    assert diary.lines == [(0.0, "+a"), (1.0, "-a")]


@every_interrupt
async def test_an_interrupt_of_the_body_wins_over_a_failure(interrupt: BaseException) -> None:
    puppet = Puppet()
    with pytest.raises(type(interrupt)) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=0):
            puppet.crash()
            try:
                await trio.sleep_forever()
            finally:
                raise interrupt
    assert caught.value is interrupt


@every_interrupt
async def test_an_interrupt_of_a_child_wins_over_an_error_of_the_body(
    interrupt: BaseException,
) -> None:
    puppet = Puppet()
    with pytest.raises(type(interrupt)) as caught:
        async with open_supervisor([puppet.spec()]):
            puppet.crash(interrupt)
            try:
                await trio.sleep_forever()
            finally:
                raise Crash("of the body")
    assert caught.value is interrupt


async def test_an_outer_cancellation_does_not_hide_a_failure(autojump_clock: MockClock) -> None:
    # Rule R4: the error goes on, the Cancelled does not.
    _, (a, b) = puppets("ab")
    a.cleanup = 5.0
    with pytest.raises(RestartLimitReached) as caught:
        with trio.move_on_after(1.0):
            async with open_supervisor(specs(a, b), max_restarts=0):
                b.crash()
                await trio.sleep_forever()
    assert caught.value.body_error is None


async def test_a_failure_keeps_no_cancellation_of_the_body() -> None:
    # Rule R4: the body is cancelled by its supervisor first, and from outside as it unwinds.
    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        with trio.CancelScope() as scope:
            async with open_supervisor([puppet.spec()], max_restarts=0):
                puppet.crash()
                try:
                    await trio.sleep_forever()
                finally:
                    scope.cancel()
    assert caught.value.body_error is None


async def test_an_outer_cancellation_does_not_hide_an_error_of_the_body(
    autojump_clock: MockClock,
) -> None:
    # Rule R4: the children take longer to stop than the outer scope has time.
    error = Crash("of the body")
    with pytest.raises(Crash) as caught:
        with trio.move_on_after(1.0):
            async with open_supervisor([Puppet(cleanup=5.0).spec()]):
                raise error
    assert caught.value is error


async def test_of_an_error_and_the_cancellation_by_a_failure_the_body_leaves_the_error(
    autojump_clock: MockClock,
) -> None:
    async def fail_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Crash("late")

    puppet = Puppet()
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([puppet.spec()], max_restarts=0):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail_late)
                nursery.start_soon(trio.sleep_forever)
                await wait_all_tasks_blocked()
                puppet.crash()
    error = caught.value.body_error
    assert error is not None
    assert [type(leaf) for leaf in leaves(error)] == [Crash]


async def test_an_error_that_the_body_raises_on_being_shut_down_leaves() -> None:
    error = Crash("of the body")
    with pytest.raises(Crash) as caught:
        async with open_supervisor() as sup:
            sup.shutdown()
            try:
                await trio.sleep_forever()
            finally:
                raise error
    assert caught.value is error


@pytest.mark.realtime
def test_an_interrupt_that_comes_while_the_block_is_left_leaves_bare() -> None:
    # Rule R46: Trio hands it to the main task, which waits for the children.
    diary, (a, b) = puppets("ab")

    @trio.lowlevel.enable_ki_protection
    def interrupt(exit: Exit) -> None:
        del exit
        signal.raise_signal(signal.SIGINT)

    async def main() -> None:
        async with open_supervisor(specs(a, b)) as sup:
            sup.children["b"].on_exit(interrupt)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert diary.take() == ["+a", "+b", "-b", "-a"]


# The body and the children


async def test_children_live_until_the_body_has_cleaned_up(autojump_clock: MockClock) -> None:
    # Rule R10.
    diary, (a,) = puppets("a")
    with trio.move_on_after(1.0):
        async with open_supervisor(specs(a)) as sup:
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(2.0)
                    assert sup.children["a"].state == "running"
    assert diary.lines == [(0.0, "+a"), (3.0, "-a")]


async def test_a_child_that_crashes_while_the_body_cleans_up_is_restarted(
    autojump_clock: MockClock,
) -> None:
    # Rule R10: only the body is cancelled at first.
    diary, (a,) = puppets("a")
    with trio.move_on_after(1.0):
        async with open_supervisor(specs(a)):
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    a.crash()
                    await trio.sleep(2.0)
    assert diary.take() == ["+a", "-a", "+a", "-a"]


async def test_leaving_waits_for_the_children_cancelled_or_not(
    autojump_clock: MockClock,
) -> None:
    async def finish_slowly() -> None:
        await stop_requested().wait()
        await trio.sleep(3.0)

    with trio.move_on_after(1.0):
        async with open_supervisor([child(finish_slowly)]):
            await trio.sleep_forever()
    assert trio.current_time() == 4.0


async def test_the_nursery_is_never_reachable() -> None:
    # Rule R29.
    async with open_supervisor([Puppet().spec()]) as sup:
        for thing in (sup, sup.children, sup.children["a"], sup.children["a"].spec):
            public = [getattr(thing, name) for name in dir(thing) if not name.startswith("_")]
            assert not any(isinstance(one, trio.Nursery) for one in public)


async def test_tasks_have_names_that_tell_the_path() -> None:
    # Rule R28.
    async with open_supervisor([Puppet().spec()], name="app"):
        root = trio.lowlevel.current_root_task()
        assert root is not None
        names = {task.name for task in below(root)}
    assert {"supervisor app", "app/a"} <= names
    assert not any("lambda" in name for name in names)


def below(task: trio.lowlevel.Task) -> list[trio.lowlevel.Task]:
    nurseries = task.child_nurseries
    return [task, *(t for one in nurseries for inner in one.child_tasks for t in below(inner))]


async def test_no_task_outlives_the_block() -> None:
    # Rule R29.
    root = trio.lowlevel.current_root_task()
    assert root is not None
    before = len(below(root))
    _, family = puppets("abc")
    async with open_supervisor(specs(*family)) as sup:
        family[0].crash()
        await wait_all_tasks_blocked()
        assert len(below(root)) == before + 4
        await sup.stop_child("b")
        assert len(below(root)) == before + 3
    assert len(below(root)) == before


async def test_supervise_ends_when_it_is_cancelled() -> None:
    diary, (a,) = puppets("a")
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervise, specs(a))
            scope.cancel()
    assert scope.cancelled_caught
    assert diary.take() == ["+a", "-a"]


async def test_supervise_ends_when_it_is_shut_down() -> None:
    diary, (a,) = puppets("a")
    async with trio.open_nursery() as nursery:
        sup = await nursery.start(supervise, specs(a))
        sup.shutdown()
    assert diary.take() == ["+a", "-a"]


async def test_supervise_raises_the_failure_of_its_supervisor() -> None:
    puppet = Puppet()
    with pytest.raises(RestartLimitReached, match="supervisor 'app' gave up"):
        async with open_supervisor([child(fail_soon, puppet)]):
            await supervise([puppet.spec()], name="app", max_restarts=0)


async def fail_soon(puppet: Puppet) -> None:
    await wait_all_tasks_blocked()
    puppet.crash()
    await trio.sleep_forever()
