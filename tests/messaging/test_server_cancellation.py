"""Tests of callers who leave, and that each verb can be left.

Rules R1 and R2: every async verb is a checkpoint in each way in which it returns, and has had
no effect if it raises ``Cancelled``; but a call that is handled runs to its end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from trio_foundation.messaging import (
    CallFailed,
    MailboxFull,
    MessageDropped,
    Overflow,
    Ref,
    SelfCall,
    Server,
    ServerGone,
    serve,
)
from trio_foundation.supervision import open_supervisor
from trio_foundation.telemetry import subscribe

from ._servers import (
    CANCELLED,
    Asked,
    Refused,
    Worker,
    assert_conserved,
    attempt,
    cast_and_wait,
    worker,
)

Verb = Callable[[Ref[Any]], Awaitable[object]]


async def call(ref: Ref[Any]) -> object:
    return await ref.call(Worker.echo, 1)


async def cast_wait(ref: Ref[Any]) -> None:
    await ref.cast_wait(Worker.echo, 1)


VERBS = pytest.mark.parametrize("verb", [call, cast_wait])


def fill(ref: Ref[Worker]) -> None:
    """Put a message into a mailbox with room for one."""
    ref.cast(Worker.note, "full")


# Cancelled before anything


@VERBS
@pytest.mark.parametrize("overflow", ["block", "reject", "drop_oldest", "drop_newest"])
@pytest.mark.parametrize("is_full", [False, True], ids=["room", "full"])
async def test_a_verb_in_a_cancelled_scope_does_nothing(
    verb: Verb, overflow: Overflow, is_full: bool
) -> None:
    _, ref = worker(capacity=1, overflow=overflow)
    if is_full:
        fill(ref)
    before = ref.statistics()
    with trio.CancelScope() as scope:
        scope.cancel()
        await verb(ref)
        pytest.fail("it must not return")
    assert ref.statistics() == before


@VERBS
async def test_a_verb_in_a_cancelled_scope_does_nothing_to_an_idle_server(verb: Verb) -> None:
    spec, ref = worker()
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
        before = ref.statistics()
        with trio.CancelScope() as scope:
            scope.cancel()
            await verb(ref)
            pytest.fail("it must not return")
        assert ref.statistics() == before


async def test_a_cast_works_in_a_cancelled_scope() -> None:
    # Rule R35.
    log: list[str] = []
    spec, ref = worker(log)
    async with open_supervisor([spec]):
        with trio.CancelScope() as scope:
            scope.cancel()
            ref.cast(Worker.note, "sent")
        await ref.call(Worker.echo, 1)
    assert log == ["sent"]


# Those who leave while they wait


async def test_a_caller_that_leaves_the_queue_keeps_its_slot_and_is_not_run(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    spec, ref = worker(log)
    async with open_supervisor([spec]), trio.open_nursery() as nursery:
        ref.cast(Worker.nap, 10, "first")
        await wait_all_tasks_blocked()
        leaver = Asked(nursery, ref, Worker.note, "left")
        await wait_all_tasks_blocked()
        ref.cast(Worker.note, "last")
        leaver.leave()
        await wait_all_tasks_blocked()
        assert leaver.answer == CANCELLED
        assert (ref.statistics().used, ref.statistics().dropped) == (2, 0)
        await trio.sleep(11)
        assert log == ["first", "last"]
        assert (ref.statistics().used, ref.statistics().dropped) == (0, 1)
        assert_conserved(ref)


async def test_a_message_whose_caller_left_is_told_as_dropped(autojump_clock: MockClock) -> None:
    spec, ref = worker()
    told: list[MessageDropped] = []
    async with open_supervisor([spec]):
        with subscribe(told.append, MessageDropped):
            ref.cast(Worker.nap, 10)
            with trio.move_on_after(1):
                await ref.call(Worker.echo, 1)
            assert told == []
            await ref.call(Worker.echo, 2)
    assert [(one.mailbox, one.message, one.why) for one in told] == [("w", "echo", "abandoned")]


@VERBS
async def test_one_that_leaves_the_line_for_room_sends_nothing(verb: Verb) -> None:
    _, ref = worker(capacity=1)
    fill(ref)
    before = ref.statistics()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(verb, ref)
        await wait_all_tasks_blocked()
        assert ref.statistics().waiting_senders == 1
        nursery.cancel_scope.cancel()
    assert ref.statistics() == before


@VERBS
async def test_one_that_leaves_the_line_lets_the_next_one_in(verb: Verb) -> None:
    log: list[str] = []
    spec, ref = worker(log, capacity=1)
    fill(ref)
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def leave_early() -> None:
            with scope:
                await verb(ref)

        nursery.start_soon(leave_early)
        await wait_all_tasks_blocked()
        nursery.start_soon(cast_and_wait, ref, Worker.note, "next")
        await wait_all_tasks_blocked()
        scope.cancel()
        async with open_supervisor([spec]):
            await ref.call(Worker.note, "last")
    assert log == ["full", "next", "last"]


async def test_a_caller_that_leaves_after_it_was_let_in_from_the_line_is_not_run(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []
    spec, ref = worker(log, capacity=1)
    ref.cast(Worker.nap, 5)
    async with trio.open_nursery() as nursery:
        leaver = Asked(nursery, ref, Worker.note, "left")
        await wait_all_tasks_blocked()
        async with open_supervisor([spec]):
            await trio.sleep(1)
            assert (ref.statistics().used, ref.statistics().waiting_senders) == (1, 0)
            leaver.leave()
            await ref.call(Worker.note, "last")
    assert (leaver.answer, log) == (CANCELLED, ["nap", "last"])
    assert ref.statistics().dropped == 1
    assert_conserved(ref)


async def test_a_handler_runs_to_its_end_when_its_caller_leaves(autojump_clock: MockClock) -> None:
    log: list[str] = []
    spec, ref = worker(log)
    async with open_supervisor([spec], max_restarts=0):
        with trio.move_on_after(1) as scope:
            await ref.call(Worker.nap, 2)
        assert scope.cancelled_caught
        assert log == []
        assert await ref.call(Worker.incarnation) == 1
    assert log == ["nap"]
    assert ref.statistics().dropped == 0


@pytest.mark.parametrize("how", ["crash", "refuse"])
async def test_a_failure_after_the_caller_has_left_hurts_nobody(
    how: str, autojump_clock: MockClock
) -> None:
    class Late(Server):
        async def work(self) -> None:
            await trio.sleep(2)
            raise Refused if how == "refuse" else ValueError

        async def echo(self) -> str:
            return "here"

    spec, ref = serve(Late, capacity=5)
    async with open_supervisor([spec]) as sup:
        with trio.move_on_after(1):
            await ref.call(Late.work)
        assert await ref.call(Late.echo) == "here"
        assert sup.children["Late"].restarts == (how == "crash")


async def test_an_answer_that_came_in_the_same_step_as_the_deadline_is_kept() -> None:
    class Quick(Server):
        async def cancel_caller(self, scope: trio.CancelScope) -> str:
            scope.cancel()
            return "too late to leave"

    spec, ref = serve(Quick, capacity=1)
    async with open_supervisor([spec]):
        answer = ""
        with trio.CancelScope() as scope:
            answer = await ref.call(Quick.cancel_caller, scope)
    # Either is right, but not both: the caller has left, or it has the answer.
    assert scope.cancelled_caught == (answer == "")


async def test_all_callers_may_leave_at_once(autojump_clock: MockClock) -> None:
    spec, ref = worker(capacity=3)
    async with open_supervisor([spec]):
        ref.cast(Worker.nap, 10)
        with trio.move_on_after(1):
            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(attempt, ref, Worker.echo, number)
        assert ref.statistics().waiting_senders == 0
        assert await ref.call(Worker.echo, "next") == "next"
        assert_conserved(ref)


# Checkpoints


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_oldest", "drop_newest"])
async def test_to_call_a_running_server_is_a_checkpoint_however_it_ends(
    overflow: Overflow,
) -> None:
    spec, ref = worker(capacity=1, overflow=overflow)
    async with open_supervisor([spec]) as sup:
        with assert_checkpoints():
            assert await ref.call(Worker.echo, 1) == 1
        with assert_checkpoints(), pytest.raises(Refused):
            await ref.call(Worker.refuse)
        with assert_checkpoints(), pytest.raises(CallFailed):
            await ref.call(Worker.crash)
        with assert_checkpoints(), pytest.raises(TypeError):
            await attempt_misfit(ref)
        await sup.stop_child("w")
        with assert_checkpoints(), pytest.raises(ServerGone):
            await ref.call(Worker.echo, 1)


async def attempt_misfit(ref: Any) -> None:
    await ref.call(Worker.echo)


@pytest.mark.parametrize("overflow", ["block", "reject", "drop_oldest", "drop_newest"])
async def test_to_cast_and_wait_is_a_checkpoint_if_there_is_room_or_nobody(
    overflow: Overflow,
) -> None:
    spec, ref = worker(capacity=1, overflow=overflow)
    with assert_checkpoints():
        await ref.cast_wait(Worker.echo, 1)
    async with open_supervisor([spec]) as sup:
        await wait_all_tasks_blocked()
        with assert_checkpoints():
            await ref.cast_wait(Worker.echo, 1)
        await sup.stop_child("w")
        with assert_checkpoints(), pytest.raises(ServerGone):
            await ref.cast_wait(Worker.echo, 1)


@pytest.mark.parametrize("overflow", ["reject", "drop_newest"])
async def test_a_call_for_which_there_is_no_room_is_a_checkpoint(overflow: Overflow) -> None:
    _, ref = worker(capacity=1, overflow=overflow)
    fill(ref)
    with assert_checkpoints(), pytest.raises(MailboxFull):
        await ref.call(Worker.echo, 1)


async def test_a_call_that_takes_the_place_of_another_is_a_checkpoint() -> None:
    spec, ref = worker(capacity=1, overflow="drop_oldest")
    fill(ref)
    async with open_supervisor([spec]):
        with assert_checkpoints():
            assert await ref.call(Worker.echo, 1) == 1


async def test_a_cast_wait_that_is_rejected_is_a_checkpoint() -> None:
    # Or whoever tries again and again lets nobody make room.
    _, ref = worker(capacity=1, overflow="reject")
    fill(ref)
    with assert_checkpoints(), pytest.raises(MailboxFull):
        await ref.cast_wait(Worker.echo, 1)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_a_cast_wait_that_makes_one_lose_is_a_checkpoint(overflow: Overflow) -> None:
    _, ref = worker(capacity=1, overflow=overflow)
    fill(ref)
    with assert_checkpoints():
        await ref.cast_wait(Worker.echo, 1)


@VERBS
async def test_to_wait_for_room_is_a_checkpoint(verb: Verb) -> None:
    spec, ref = worker(capacity=1)
    fill(ref)

    async def wait() -> None:
        with assert_checkpoints():
            await verb(ref)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        async with open_supervisor([spec]):
            await wait_all_tasks_blocked()


@VERBS
async def test_to_call_itself_is_a_checkpoint(verb: Verb) -> None:
    class Selfish(Worker):
        async def work(self) -> str:
            self.ref.cast(Worker.note, "full")
            with assert_checkpoints(), pytest.raises(SelfCall):
                await verb(self.ref)
            return "done"

    spec, ref = serve(Selfish, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Selfish.work) == "done"


@VERBS
async def test_to_try_again_and_again_lets_the_server_make_room(verb: Verb) -> None:
    spec, ref = worker(capacity=1, overflow="reject")
    fill(ref)
    async with open_supervisor([spec]):
        await wait_all_tasks_blocked()
        fill(ref)  # it is handed over, ...
        fill(ref)  # ... and this one fills the mailbox
        for _ in range(1_000):
            with suppress(MailboxFull):
                await verb(ref)
                return
    pytest.fail("there never was room")
